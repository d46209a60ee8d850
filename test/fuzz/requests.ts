/**
 * Cases of requests through a whole gateway, in front of an upstream that reads strictly and records: what the upstream
 * parsed is what was routed, one to one, and each answer goes to the request that it belongs to.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { openRaw, type Place } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { type FrameClient, openFrames } from '../kit/http2-frames.ts'
import { until } from '../kit/wait.ts'
import { makeFrameCase } from './frame-grammar.ts'
import { readRequests } from './llhttp.ts'
import type { Chance } from './random.ts'
import { makeRequestCase, type RequestCase } from './request-grammar.ts'
import { type Failed, type FuzzProtocol, runSeeds, type SeedRange } from './seeds.ts'
import { type WatchedExchange, WatchedExchanges } from './watched-exchanges.ts'

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
/** A connection that says nothing for so long has said all. */
const QUIET_MS = 60
/** A legal case ends by itself. */
const LEGAL_MS = 20_000
/** Deadlines of the gateway here: no case needs one to end, and none must meet one because the machine was slow. */
const PATIENCE = '60 s'

interface Arrived {
  readonly method: string
  readonly url: string
  readonly id: string
  readonly host: string
  body: Buffer
  isWhole: boolean
}

/** The whole set-up; cases run on it one after the other or side by side. */
export class RequestFuzz {
  readonly #arrived: Arrived[] = []
  readonly #streams = new Map<Socket, Buffer[]>()
  readonly #exchanges = new WatchedExchanges((x) => x.peer.localPort === this.#place.port)
  /** Ids that were judged; what of them still arrives was cut on its way. */
  readonly #judged = new Set<string>()
  /** Requests that were answered by the upstream, over all cases. */
  served = 0
  #server!: Server
  #gateway!: Awaited<ReturnType<typeof startGatewayHere>>
  #place!: Place

  async start(): Promise<void> {
    this.#server = createServer({ requireHostHeader: false }, (request, response) => {
      const arrived = this.#note(request)
      const chunks: Buffer[] = []
      request.on('error', () => {})
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        arrived.body = Buffer.concat(chunks)
        arrived.isWhole = true
        this.served++
        const body = `<${arrived.id}>`
        response.writeHead(200, { 'x-seen': arrived.id, 'content-length': String(body.length) })
        response.end(body)
      })
    })
    this.#server.on('connection', (socket: Socket) => {
      const chunks: Buffer[] = []
      this.#streams.set(socket, chunks)
      socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    })
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      // A client that left in the middle of its body is no second reading.
      if (error.code !== 'ECONNRESET' && error.code !== 'HPE_INVALID_EOF_STATE')
        this.#arrived.push(broken(error.code ?? error.message))
      socket.destroy()
    })
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    // Longer than the gateway keeps a connection: which of the two closes first is not for the machine to say.
    this.#server.keepAliveTimeout = 60_000
    const url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    this.#gateway = await startGatewayHere(
      testConfig(url, {
        listeners: {
          public: publicListener({
            timeouts: { handshake: PATIENCE, headers: PATIENCE, bodyGrace: PATIENCE },
            connections: { perAddress: 10_000, inFlightPerAddress: 10_000 },
          }),
          admin: { address: '127.0.0.1:0' },
        },
        services: { chat: { endpoints: [url], timeouts: { connect: PATIENCE } } },
        routes: [
          { path: '/*', service: 'chat', profiles: ['internet'], purpose: 'test', methods: METHODS, webSocket: true },
        ],
      }),
    )
    this.#place = { port: this.#gateway.publicPort }
  }

  async stop(): Promise<void> {
    this.#exchanges.stop()
    this.#server.closeAllConnections()
    await this.#gateway.close()
    this.#server.close()
  }

  /** One case over HTTP/1.1: what is wrong; ''. The invariants over all cases are judged by `settle`. */
  async runBytes(made: RequestCase, chance: Chance): Promise<string> {
    const text = await this.#send(chance.split(made.bytes), made.isLegal ? LEGAL_MS : QUIET_MS)
    const answers = [...text.matchAll(/HTTP\/1\.1 (\d{3}) [^\r]*\r\n([\s\S]*?)\r\n\r\n/g)]
    let before = -1
    for (const [, status, fields] of answers) {
      if (status !== '200') continue
      const own = /\r\nx-request-id: ([^\r]*)/.exec(`\r\n${fields}`)?.[1]
      const seen = /\r\nx-seen: ([^\r]*)/.exec(`\r\n${fields}`)?.[1]
      const at = this.#exchanges.all.findIndex(({ x }) => x.id === own)
      // OPTIONS that may go no further is answered by the gateway (RFC 9110, 7.6.2).
      if (this.#exchanges.all[at]?.x.endpoint === '') continue
      if (seen === undefined || own !== seen) return `the answer to ${own} was given to ${seen}`
      if (at <= before) return 'answers out of order'
      before = at
    }
    const served = answers.filter(([, status]) => status === '200').length
    if (made.isLegal && served !== made.requests) return `${served} of ${made.requests} legal requests were served`
    return ''
  }

  /** The same over HTTP/2. */
  async runFrames(chance: Chance, id: string): Promise<string> {
    const made = makeFrameCase(chance, id)
    const client = await openFrames(this.#place)
    for (const piece of chance.split(Buffer.concat(made.frames))) await client.send(piece)
    if (made.isLegal) await client.until(() => made.legalStreams.every((stream) => client.outcome(stream) !== ''))
    else await this.#quiet(client)
    const wrong = made.legalStreams.filter((stream) => client.outcome(stream) !== '200')
    const isWrong = made.isLegal && wrong.length > 0
    client.close()
    return isWrong ? `legal streams ${wrong.map((stream) => `${stream}: ${client.outcome(stream)}`).join(', ')}` : ''
  }

  async #quiet(client: FrameClient): Promise<void> {
    let length = -1
    for (let turn = 0; turn < 40 && !client.isClosed && length !== client.received.length; turn++) {
      length = client.received.length
      await sleep(QUIET_MS)
    }
  }

  /** Waits until nothing runs, then judges all that ran since the last time. */
  async settle(): Promise<string[]> {
    await until(() => this.#exchanges.running === 0, 'the end of every exchange')
    await sleep(QUIET_MS)
    const wrong: string[] = []
    const byId = new Map(this.#exchanges.all.map((each) => [each.x.id, each]))
    const times = new Map<string, number>()
    for (const arrived of this.#arrived) {
      times.set(arrived.id, (times.get(arrived.id) ?? 0) + 1)
      if (this.#judged.has(arrived.id)) continue
      const watched = byId.get(arrived.id)
      const found =
        watched === undefined ? `nothing was routed as ${arrived.method} ${arrived.url}` : differs(arrived, watched)
      if (found !== '') wrong.push(found)
    }
    for (const { x } of this.#exchanges.all) {
      const count = times.get(x.id) ?? 0
      if (count > 1) wrong.push(`${x.method} ${x.path} arrived ${count} times`)
      if (count === 0 && x.failure === null && x.endpoint !== '')
        wrong.push(`${x.method} ${x.path} was served by nobody`)
    }
    wrong.push(...(await this.#compareLenient()))
    for (const id of byId.keys()) this.#judged.add(id)
    this.#exchanges.clear()
    this.#arrived.length = 0
    this.#server.closeIdleConnections()
    this.#streams.clear()
    return wrong
  }

  /** The bytes of each upstream connection, read by a parser that takes what strict ones refuse. */
  async #compareLenient(): Promise<string[]> {
    const wrong: string[] = []
    for (const chunks of this.#streams.values()) {
      const bytes = Buffer.concat(chunks)
      const [strict, lenient] = [await readRequests(bytes, 'strict'), await readRequests(bytes, 'lenient')]
      const list = (reading: typeof strict): string => JSON.stringify(reading.requests.filter(({ isWhole }) => isWhole))
      if (list(strict) !== list(lenient)) wrong.push(`read in two ways: ${bytes.toString('latin1')}`)
    }
    return wrong
  }

  #note(request: IncomingMessage): Arrived {
    const { headers } = request
    const arrived: Arrived = {
      method: request.method!,
      url: request.url!,
      id: String(headers['x-request-id']),
      host: String(headers.host),
      body: Buffer.alloc(0),
      isWhole: false,
    }
    this.#arrived.push(arrived)
    return arrived
  }

  /** What came until the gateway closed, or said nothing more. */
  #send(pieces: readonly Buffer[], quietMs: number): Promise<string> {
    const socket = openRaw(this.#place)
    const chunks: Buffer[] = []
    return new Promise((resolve) => {
      let quiet: NodeJS.Timeout | undefined
      const wait = (): void => {
        clearTimeout(quiet)
        quiet = setTimeout(() => socket.destroy(), quietMs)
      }
      socket.on('error', () => {})
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        wait()
      })
      socket.on('close', () => {
        clearTimeout(quiet)
        resolve(Buffer.concat(chunks).toString('latin1'))
      })
      socket.once('secureConnect', async () => {
        for (const piece of pieces) {
          if (socket.destroyed) return
          await new Promise<void>((done) => socket.write(piece, () => setImmediate(done)))
        }
        wait()
      })
    })
  }
}

function broken(code: string): Arrived {
  return { method: '', url: code, id: '', host: '', body: Buffer.alloc(0), isWhole: false }
}

function differs(arrived: Arrived, { x, pieces, bodyEnded }: WatchedExchange): string {
  const what = `${x.method} ${x.path}${x.query}`
  if (`${arrived.method} ${arrived.url}` !== what) return `${what} arrived as ${arrived.method} ${arrived.url}`
  if (arrived.host !== x.authority) return `${what} for ${x.authority} arrived for ${arrived.host}`
  if (x.route === null) return `${what} was not routed and arrived`
  if (!arrived.isWhole) return ''
  const body = Buffer.concat(pieces)
  // A length that was given and kept is a whole body for the upstream, before the client has said so.
  if (!bodyEnded && body.length !== x.head.bodyLength) return `${what} arrived whole, and was not`
  return body.equals(arrived.body) ? '' : `the body of ${what} arrived as another`
}

const AT_ONCE = 16
const protocolOf = (seed: number): FuzzProtocol => (seed % 4 === 0 ? 'h2' : 'h1')

/** Runs the seeds; every fourth over HTTP/2. */
export async function fuzzRequests(fuzz: RequestFuzz, range: SeedRange): Promise<{ failed: Failed[]; ran: number }> {
  const { failed, ran } = await runSeeds(range, AT_ONCE, protocolOf, (seed, protocol, chance) => {
    const id = `q${seed}`
    return protocol === 'h2' ? fuzz.runFrames(chance, id) : fuzz.runBytes(makeRequestCase(chance, id), chance)
  })
  for (const wrong of await fuzz.settle()) {
    const seed = Number(/[/-]q(\d+)/.exec(wrong)?.[1] ?? range.from)
    failed.push({ seed, protocol: protocolOf(seed), wrong })
  }
  return { failed, ran }
}
