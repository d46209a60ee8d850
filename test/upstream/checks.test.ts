/**
 * When active checks come: with timers that the test turns, so that no machine is too slow for it, against real sockets. An endpoint
 * that dies is out after one interval and the time of one check.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { mock } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Service } from '../../src/upstream/service.ts'
import { serviceConfig } from '../kit/service-config.ts'

const INTERVAL = 5000
const TIMEOUT = 2000
/** The longest that lot makes of the interval. */
const LONGEST = INTERVAL * 1.1 + 1

class Node {
  port = 0
  asked = 0
  answers = true
  readonly sockets = new Set<Socket>()
  readonly #server: Server

  constructor() {
    this.#server = createServer((socket) => {
      this.sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => this.sockets.delete(socket))
      socket.on('data', () => {
        this.asked++
        if (this.answers) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      })
    })
  }

  /** On the same port again, after `kill`. */
  async listen(): Promise<void> {
    await once(this.#server.listen(this.port, '127.0.0.1'), 'listening')
    this.port = (this.#server.address() as AddressInfo).port
  }

  async kill(): Promise<void> {
    for (const each of this.sockets) each.destroy()
    await new Promise((done) => this.#server.close(done))
  }
}

/** In real time, by turns of the loop: the timers are the test's. */
async function come(what: string, condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000_000; turn++) {
    if (condition()) return
    await nextTurn()
  }
  throw new Error(`${what} did not come`)
}

/** So many checks came to each, and all of them are over: the gateway has closed them. */
async function judged(nodes: readonly Node[], checks: number): Promise<void> {
  await come(`check ${checks}`, () => nodes.every(({ asked, sockets }) => asked === checks && sockets.size === 0))
}

async function watch(t: Test, health: object) {
  mock.timers.enable({ apis: ['setTimeout'] })
  const nodes = [new Node(), new Node()]
  for (const each of nodes) await each.listen()
  const changes: string[] = []
  const config = serviceConfig({
    endpoints: nodes.map(({ port }) => `http://127.0.0.1:${port}`),
    health: { path: '/', interval: `${INTERVAL} ms`, timeout: `${TIMEOUT} ms`, rise: 1, fall: 1, ...health },
  })
  const service = new Service('chat', config, {
    ...{ stickyKey: null, proxyPassword: null, before: null },
    onChange: (_service, change, endpoint) =>
      changes.push(`${nodes.findIndex(({ port }) => endpoint.endsWith(`:${port}`))} ${change}`),
  })
  service.watch()
  t.teardown(async () => {
    await service.destroy()
    mock.timers.reset()
    for (const each of nodes) await each.kill()
  })
  await judged(nodes, 1)
  return { nodes, changes, service }
}

t.test('one that is gone is out after one interval, and in after the next', async (t) => {
  const { nodes, changes, service } = await watch(t, {})
  await nodes[0]!.kill()
  t.equal(service.available.length, 2, 'nobody knows yet')
  mock.timers.tick(LONGEST)
  await come('the loss', () => changes.length > 0)
  t.same(changes, ['0 down'])
  await judged(nodes.slice(1), 2)
  t.same(
    service.available.map(({ name }) => name),
    [`127.0.0.1:${nodes[1]!.port}`],
  )
  await nodes[0]!.listen()
  mock.timers.tick(LONGEST)
  await come('the return', () => changes.length > 1)
  t.same(changes, ['0 down', '0 up'])
  t.ok(service.endpoints[0]!.share < 0.2, `slowly: ${service.endpoints[0]!.share} of its weight`)
})

t.test('one that hangs is out after one interval and the time of one check', async (t) => {
  const { nodes, changes } = await watch(t, {})
  nodes[0]!.answers = false
  mock.timers.tick(LONGEST)
  await come('the check', () => nodes[0]!.asked === 2)
  await judged(nodes.slice(1), 2)
  t.same(changes, [])
  mock.timers.tick(TIMEOUT)
  await come('the loss', () => changes.length > 0)
  t.same(changes, ['0 down'])
})

t.test('with "fall" 3 it takes three of them, and no check comes before the other has ended', async (t) => {
  const { nodes, changes } = await watch(t, { fall: 3 })
  nodes[0]!.answers = false
  for (let check = 1; check <= 3; check++) {
    t.same(changes, [], `${check - 1} have failed`)
    mock.timers.tick(LONGEST)
    await come('a check', () => nodes[0]!.asked === 1 + check)
    await judged(nodes.slice(1), 1 + check)
    mock.timers.tick(TIMEOUT)
    await judged(nodes, 1 + check)
  }
  t.same(changes, ['0 down'])
})
