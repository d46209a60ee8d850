/**
 * Three chat nodes, real processes, under steady load of REST, event streams and socket.io, while one of them is killed, hung,
 * parted from the network or slow, and comes back. What may be sent again is answered all the same, what may not is never
 * sent twice, and the figures stand in the output.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { io } from 'socket.io-client'
import t, { type Test } from 'tap'
import { type ChatNode, startChatNode } from '../kit/chat-nodes.ts'
import { openHttp1, openHttp2, type Reply } from '../kit/clients.ts'
import { type ProcessGateway, startGateway, testConfig } from '../kit/gateway.ts'
import { until } from '../kit/wait.ts'
import { startWire, type Wire } from '../kit/wire.ts'

const WORKERS = 6
const NAMES = ['n1', 'n2', 'n3']

const nodes: ChatNode[] = await Promise.all(NAMES.map((name) => startChatNode(name)))
const wires: Wire[] = await Promise.all(nodes.map(({ port }) => startWire(port)))
const route = { service: 'chat', profiles: ['internet'], purpose: 'test', methods: ['GET', 'POST', 'PUT'] }
const gateway: ProcessGateway = await startGateway(
  testConfig('', {
    services: {
      chat: {
        endpoints: wires.map(({ port }) => `http://127.0.0.1:${port}`),
        health: { path: '/health', interval: '300 ms', timeout: '1 s', fall: 1, rise: 2 },
        ejection: { failures: 3, time: '2 s', longest: '4 s' },
        slowStart: '3 seconds',
        retries: { tries: 3, budget: 100, least: 100, perTry: '1500 ms' },
        timeouts: { connect: '1 s', firstByte: '4 s' },
        sticky: { by: 'socket.io' },
      },
    },
    routes: [
      { ...route, path: '/*' },
      { ...route, path: '/socket.io/*', webSocket: true, socketIo: true },
    ],
  }),
)
const place = { port: gateway.publicPort }

t.teardown(async () => {
  await gateway.close()
  for (const each of wires) each.close()
  for (const each of nodes) await each.close()
})

interface Shot {
  readonly method: string
  readonly path: string
  readonly reply: Reply
  readonly startedAt: number
}

/** REST by both protocols: of four requests one is a POST with an id of its own. */
function startRest() {
  const shots: Shot[] = []
  let isRunning = true
  const worker = async (index: number): Promise<void> => {
    const client = (index % 2 === 0 ? openHttp1 : openHttp2)(place)
    for (let i = 0; isRunning; i++) {
      const method = i % 4 === 3 ? 'POST' : i % 4 === 1 ? 'PUT' : 'GET'
      const path = `/${method.toLowerCase()}/${randomUUID()}`
      const startedAt = performance.now()
      const reply = await client.ask({ method, path, ...(method === 'POST' ? { body: ['a', 'b'] } : {}) })
      shots.push({ method, path, reply, startedAt })
      await sleep(5)
    }
    await client.close()
  }
  const workers = Array.from({ length: WORKERS }, (_, i) => worker(i))
  return {
    shots,
    stop: async () => {
      isRunning = false
      await Promise.all(workers)
    },
  }
}

/** A page's event stream: it asks again when it ends, as EventSource does. */
function startStreams(count: number) {
  let isRunning = true
  const heard: string[] = []
  const refused: number[] = []
  const stops = new AbortController()
  const listen = async (): Promise<void> => {
    while (isRunning) {
      const client = openHttp1(place)
      const onData = (chunk: Buffer): void => void heard.push(chunk.toString().trim())
      const onHead = (status: number): void => void (status !== 200 && refused.push(status))
      await client.ask({ path: '/events', onData, onHead, signal: stops.signal }).catch(() => {})
      await client.close()
      await sleep(20)
    }
  }
  const all = Array.from({ length: count }, listen)
  return {
    heard,
    refused,
    stop: async () => {
      isRunning = false
      stops.abort()
      await Promise.all(all)
    },
  }
}

/** Customers by long-polling, who connect again by themselves. */
function startChats(count: number) {
  let losses = 0
  let strays = 0
  const sockets = Array.from({ length: count }, () => {
    const socket = io(`https://127.0.0.1:${gateway.publicPort}`, {
      ...{ transports: ['polling'], upgrade: false, forceNew: true, rejectUnauthorized: false },
      ...{ reconnectionDelay: 50, reconnectionDelayMax: 100 },
    })
    socket.on('disconnect', (reason, details) => {
      if (reason === 'io client disconnect') return
      losses++
      const said = (details as { context?: { responseText?: string } } | undefined)?.context?.responseText ?? ''
      if (said.includes('Session ID unknown')) strays++
    })
    return socket
  })
  return {
    areConnected: () => sockets.every(({ connected }) => connected),
    losses: () => losses,
    strays: () => strays,
    stop: () => {
      for (const each of sockets) each.disconnect()
    },
  }
}

const said = (pattern: RegExp): number =>
  gateway
    .log()
    .split('\n')
    .filter((line) => pattern.test(line)).length
const outPattern = (index: number): RegExp =>
  new RegExp(
    `127\\.0\\.0\\.1:${wires[index]!.port}".*is (?:down|ejected)|is (?:down|ejected).*127\\.0\\.0\\.1:${wires[index]!.port}"`,
  )

/** What a node has had since, in the order of the answers. */
const shareOf = (shots: readonly Shot[], name: string): number =>
  shots.filter(({ reply }) => reply.text === name).length / Math.max(1, shots.length)

async function undergo(t: Test, what: string, index: number, fall: () => unknown, rise: () => unknown): Promise<void> {
  const name = NAMES[index]!
  const outBefore = said(outPattern(index))
  const rest = startRest()
  const streams = startStreams(3)
  const chats = startChats(6)
  await until(() => chats.areConnected() && rest.shots.length > 60 && streams.heard.length > 3, 'the load')
  const lossesBefore = chats.losses()
  const fellAt = performance.now()
  await fall()
  await until(() => said(outPattern(index)) > outBefore, `${name} to be out`)
  const outAt = performance.now()
  const before = rest.shots.length
  await until(() => rest.shots.length > before + 120, 'requests without it')
  await until(chats.areConnected, 'the chats to be back')
  const during = rest.shots.slice(before).filter(({ startedAt }) => startedAt > outAt)
  const heardBefore = streams.heard.length
  await until(() => streams.heard.length > heardBefore + 10, 'streams to go on')
  const roseAt = performance.now()
  await rise()
  const backFrom = rest.shots.length
  await until(() => rest.shots.slice(backFrom).some(({ reply }) => reply.text === name), `${name} to be used again`)
  const usedAt = performance.now()
  const first = rest.shots.length
  await until(() => rest.shots.length > first + 80, 'its first requests')
  const early = shareOf(rest.shots.slice(first, first + 80), name)
  await until(() => performance.now() > usedAt + 3500, 'the end of the slow start')
  const warm = rest.shots.length
  await until(() => rest.shots.length > warm + 150, 'its usual requests')
  const late = shareOf(rest.shots.slice(warm), name)
  await rest.stop()
  await streams.stop()
  chats.stop()

  const { shots } = rest
  const repeatable = shots.filter(({ method }) => method !== 'POST')
  const posts = shots.filter(({ method }) => method === 'POST')
  const bad = (list: readonly Shot[]) => list.filter(({ reply }) => reply.status !== 200 || !reply.isComplete)
  t.same(
    bad(repeatable).map(({ method, reply }) => `${method} ${reply.status} ${reply.error} ${reply.text.slice(0, 200)}`),
    [],
    `of ${repeatable.length} GET and PUT none failed`,
  )
  t.same(during.filter(({ reply }) => reply.text === name).length, 0, 'while it was out, no request went there')
  const acted = nodes.flatMap((node) => node.posts())
  const counts = new Map<string, number>()
  for (const each of acted) counts.set(each, (counts.get(each) ?? 0) + 1)
  t.same(
    [...counts].filter(([, times]) => times > 1),
    [],
    'no POST was acted on twice',
  )
  const lost = posts.filter(({ path, reply }) => reply.status === 200 && !counts.has(path))
  t.same(lost, [], 'and every POST that was answered was acted on')
  t.ok(
    bad(posts).every(({ reply }) => [502, 504].includes(reply.status)),
    'the others were told so',
  )
  t.ok(bad(posts).length <= WORKERS * 2, `${bad(posts).length} of ${posts.length} POSTs, those that were under way`)
  t.ok(chats.losses() - lossesBefore <= 6, 'a chat was lost once at most')
  t.equal(chats.strays(), 0, 'no session came to a node that does not know it')
  t.same(streams.refused, [], 'no event stream was refused')
  t.ok(early < late, `it warms up: ${early.toFixed(3)} of the requests, then ${late.toFixed(3)}`)
  t.comment(
    `${what}: out after ${Math.round(outAt - fellAt)} ms, used again after ${Math.round(usedAt - roseAt)} ms; ` +
      `${shots.length} requests, ${bad(posts).length} POSTs failed, ${chats.losses() - lossesBefore} of 6 chats connected again; ` +
      `share ${(early * 100).toFixed(0)} % at first, ${(late * 100).toFixed(0)} % warm`,
  )
}

t.test('killed, and started again', (t) =>
  undergo(
    t,
    'kill -9',
    0,
    () => nodes[0]!.kill(),
    () => nodes[0]!.restart(),
  ),
)

t.test('hung, and going on', (t) =>
  undergo(
    t,
    'SIGSTOP',
    1,
    () => nodes[1]!.hang(),
    () => nodes[1]!.goOn(),
  ),
)

t.test('parted from the network, and back', (t) =>
  undergo(
    t,
    'partition',
    2,
    () => wires[2]!.cut(),
    () => wires[2]!.mend(),
  ),
)

t.test('ill by its own account, and well again', (t) =>
  undergo(
    t,
    'health 503',
    0,
    () => nodes[0]!.tell('/be/ill'),
    () => nodes[0]!.tell('/be/well'),
  ),
)

t.test('too slow, and fast again', (t) =>
  undergo(
    t,
    'slow',
    1,
    () => nodes[1]!.tell('/be/slow/2500'),
    () => nodes[1]!.tell('/be/slow/0'),
  ),
)

t.test('the numbers of it are there', async (t) => {
  const page = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text()
  t.match(page, /portcullis_endpoint_changes_total\{change="(?:down|ejected)",service="chat"\} \d/)
  t.match(page, /portcullis_upstream_retries_total\{outcome="made",service="chat"\} \d/)
})
