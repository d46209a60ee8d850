/**
 * socket.io by long-polling over three nodes and two gateways, with and without cookies: every request of a session comes
 * to the node that made it, whichever gateway it takes, and a node that is lost takes its own sessions with it only. Set
 * CONVERSATIONS=10000 to have that many.
 */

import { Agent } from 'node:https'
import { io as newClient } from 'socket.io-client'
import t from 'tap'
import { type ChatNode, startChatNode } from '../kit/chat-nodes.ts'
import { openHttp1 } from '../kit/clients.ts'
import { publicListener, startGateway, testConfig } from '../kit/gateway.ts'
import { type OldSocket, oldClient } from '../kit/socket-io-2.ts'
import { until, within } from '../kit/wait.ts'

const CONVERSATIONS = Number(process.env.CONVERSATIONS ?? 240)
const AT_ONCE = 24
/** Conversations that are under way when a node is lost. */
const AT_THE_LOSS = Math.max(AT_ONCE, CONVERSATIONS / 40)
const MESSAGES = 4

const nodes: Record<'new' | 'old', ChatNode[]> = {
  new: await Promise.all(['n1', 'n2', 'n3'].map((name) => startChatNode(name))),
  old: await Promise.all(['o1', 'o2', 'o3'].map((name) => startChatNode(name, 'old'))),
}
const urls = (kind: 'new' | 'old'): string[] => nodes[kind].map(({ url }) => url)

const route = (path: string, service: string) => ({
  ...{ path, service, profiles: ['internet'], purpose: 'chat', webSocket: true, socketIo: true },
})
const config = testConfig('', {
  services: {
    new: { endpoints: urls('new'), sticky: { by: 'socket.io' }, maxConnections: 4000 },
    old: { endpoints: urls('old'), sticky: { by: 'socket.io', key: { env: 'STICKY_KEY' } }, maxConnections: 4000 },
    ruled: { endpoints: urls('new'), sticky: { by: 'socket.io' }, maxConnections: 4000 },
    cookie: { endpoints: urls('new'), sticky: { by: 'cookie' }, maxConnections: 4000 },
  },
  routes: [
    { ...route('/*', 'new'), hosts: ['localhost'] },
    { ...route('/*', 'old'), hosts: ['127.0.0.1'] },
    { ...route('/*', 'ruled'), hosts: ['ruled.localhost'], messages: 'rules', hide: { fields: ['$..secret'] } },
    { ...route('/*', 'cookie'), hosts: ['cookie.localhost'], socketIo: false },
  ],
  messages: { rules: { events: { message: ['$[0]'] } } },
  listeners: {
    public: publicListener({
      hosts: ['localhost', '127.0.0.1', 'ruled.localhost', 'cookie.localhost'],
      connections: { perAddress: 10_000, inFlightPerAddress: 10_000 },
    }),
    admin: { address: '127.0.0.1:0' },
  },
})
const env = { STICKY_KEY: 'a key of the tests that is long enough' }
const gateways = [await startGateway(config, env), await startGateway(config, env)]

t.teardown(async () => {
  for (const each of [...gateways, ...nodes.new, ...nodes.old]) await each.close()
})

interface Outcome {
  readonly nodes: ReadonlySet<string>
  readonly errors: readonly string[]
  readonly isLost: boolean
}

/** An agent that goes to the gateways in turn, as a layer 4 balancer before them would send it. */
class Both extends Agent {
  #turn = 0
  override createConnection(...args: Parameters<Agent['createConnection']>): ReturnType<Agent['createConnection']> {
    const options = args[0] as { host: string; port: number }
    options.host = '127.0.0.1'
    options.port = gateways[this.#turn++ % gateways.length]!.publicPort
    return super.createConnection(...args)
  }
}

/** One visit: connects by polling, says a few things, and leaves. */
async function converse(host: string, isOld: boolean, onSaid: (node: string) => unknown = () => {}): Promise<Outcome> {
  const url = `https://${host}:${gateways[0]!.publicPort}`
  const agent = new Both({ keepAlive: false, rejectUnauthorized: false })
  const options = {
    ...{ transports: ['polling'], upgrade: false, forceNew: true, reconnection: false, rejectUnauthorized: false },
    agent: agent as never,
    // The client keeps cookies then, as a browser does.
    withCredentials: host === 'cookie.localhost',
  }
  const socket = (isOld ? oldClient(url, options) : newClient(url, options)) as OldSocket
  const seen = new Set<string>()
  const errors: string[] = []
  let isLost = false
  socket.on('connect_error', ((error: Error & { context?: { responseText?: string } }) => {
    errors.push(`${error.message} ${error.context?.responseText ?? ''}`)
  }) as never)
  socket.on('disconnect', ((reason: string, details?: { context?: { responseText?: string } }) => {
    isLost = true
    const said = details?.context?.responseText ?? ''
    if (/Session ID unknown/.test(said)) errors.push(said)
    if (reason === 'io client disconnect') isLost = false
  }) as never)
  try {
    await within(new Promise<void>((resolve) => socket.once('connect', resolve)), 'the connection')
    for (let i = 0; i < MESSAGES && !isLost; i++) {
      const answer = new Promise<{ node: string }>((resolve) => socket.emit('message', `hello ${i}`, resolve as never))
      const lost = until(() => isLost, 'the loss').then(() => null)
      lost.catch(() => {})
      const said = await within(Promise.race([answer, lost]), 'the answer')
      if (said === null) break
      seen.add(said.node)
      await onSaid(said.node)
    }
  } catch (error) {
    errors.push((error as Error).message)
  }
  socket.disconnect()
  agent.destroy()
  return { nodes: seen, errors, isLost }
}

async function converseMany(count: number, start: () => Promise<Outcome>, atOnce = AT_ONCE): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  let begun = 0
  const worker = async (): Promise<void> => {
    while (begun < count) {
      begun++
      outcomes.push(await start())
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return outcomes
}

for (const [what, host, isOld] of [
  ['socket.io 4', 'localhost', false],
  ['socket.io 2, ids under a key', '127.0.0.1', true],
  ['socket.io 4, messages inspected and answers hidden', 'ruled.localhost', false],
  ['socket.io 4, by a cookie', 'cookie.localhost', false],
] as const) {
  t.test(`${what}: every session stays at its node, over both gateways`, async (t) => {
    const outcomes = await converseMany(CONVERSATIONS / 4, () => converse(host, isOld))
    t.same([...new Set(outcomes.flatMap(({ errors }) => errors))], [])
    t.equal(outcomes.filter(({ isLost }) => isLost).length, 0, `${outcomes.length} conversations`)
    t.same(outcomes.filter((each) => each.nodes.size !== 1).length, 0, 'one node each')
    t.equal(new Set(outcomes.flatMap((each) => [...each.nodes])).size, 3, 'and all of them have some')
  })
}

t.test('the id that a client sees is marked, and the service never sees the mark', async (t) => {
  const client = openHttp1({ port: gateways[0]!.publicPort, host: '127.0.0.1' })
  t.teardown(() => client.close())
  const path = '/socket.io/?EIO=3&transport=polling'
  const opened = await client.ask({ path })
  t.match(opened.text, /^\d+:0\{"sid":"[\w-]{12}\.[\w-]{20}"/)
  const length = Number(opened.text.split(':', 1)[0])
  t.match(opened.text.slice(String(length).length + 1 + length), /^(?:2:40)?$/, 'and the length is right')
  for (const { port } of nodes.old) t.notOk(opened.text.includes(String(port)), 'nothing of an address')
  const marked = /"sid":"([\w.-]+)"/.exec(opened.text)![1]!
  const post = (sid: string) =>
    client.ask({ method: 'POST', path: `${path}&sid=${sid}`, headers: ['content-type', 'text/plain'], body: '1:2' })
  t.equal((await post(marked)).status, 200)
  for (const wrong of [`AAAAAAAAAAAA.${marked.slice(13)}`, marked.slice(13), `${marked}&sid=${marked}`, '1.', '.']) {
    const reply = await post(wrong)
    t.ok(reply.status === 400 || reply.status === 200, `${wrong}: ${reply.status}`)
    if (reply.status === 400) t.match(reply.text, /Session ID unknown|Bad request/)
  }
})

t.test('by a cookie: set once, kept from the service, opaque and safe', async (t) => {
  const client = openHttp1({ port: gateways[0]!.publicPort, host: 'cookie.localhost' })
  const other = openHttp1({ port: gateways[1]!.publicPort, host: 'cookie.localhost' })
  t.teardown(() => Promise.all([client.close(), other.close()]))
  const first = await client.ask({ path: '/who' })
  const cookie = first.header('set-cookie')!
  t.match(cookie, /^__Host-node-[0-9a-f]{6}=[123]; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
  const pair = cookie.split(';')[0]!
  for (let i = 0; i < 12; i++) {
    const again = await (i % 2 === 0 ? client : other).ask({ path: '/who', headers: ['cookie', `a=b; ${pair}; c=d`] })
    t.equal(again.text, first.text)
    t.equal(again.header('set-cookie'), null)
  }
  const forged = await client.ask({ path: '/who', headers: ['cookie', pair.replace(/=.*/, '=9')] })
  t.match(forged.header('set-cookie'), /=[123];/, 'what names no endpoint is replaced')
})

for (const [what, host] of [
  ['by session id', 'localhost'],
  ['by cookie', 'cookie.localhost'],
] as const) {
  t.test(`a node that is lost takes its own sessions with it, and nobody else: ${what}`, async (t) => {
    const lost = nodes.new[1]!
    // After their first message all wait until the node is gone: then it has some sessions for sure.
    let talking = 0
    let kill: () => void = () => {}
    const gone = new Promise<void>((resolve) => {
      kill = resolve
    })
    const running = converseMany(
      AT_THE_LOSS,
      () =>
        converse(host, false, () => {
          talking++
          return gone
        }),
      AT_THE_LOSS,
    )
    await until(() => talking >= AT_THE_LOSS, 'the conversations', 120_000)
    await lost.kill()
    kill()
    const outcomes = await running
    const own = outcomes.filter((each) => each.nodes.has(lost.name))
    const others = outcomes.filter((each) => !each.nodes.has(lost.name) && each.nodes.size > 0)
    t.ok(others.length > 0)
    t.equal(others.filter(({ isLost }) => isLost).length, 0, `${others.length} others were not disturbed`)
    t.ok(own.filter(({ isLost }) => isLost).length > 0, `${own.length} were there`)
    // A cookie leads a session whose node is gone to another one, which does not know it; a marked id leads nowhere else.
    const judged = host === 'localhost' ? outcomes : others
    t.same(
      [...new Set(judged.flatMap(({ errors }) => errors))].filter((each) => /Session ID unknown/.test(each)),
      [],
    )
    t.comment(`${own.length} sessions of the lost node, ${others.length} of others`)
    await lost.restart()
  })
}
