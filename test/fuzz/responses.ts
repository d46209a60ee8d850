/**
 * Cases of upstream answers through a whole gateway: what the client takes for a whole answer is what a strict reading of
 * the upstream's bytes gives, or the gateway's own error; nothing of one exchange shows in another.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openHttp1, openHttp2, type Reply, type RequestClient } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { type RawUpstream, type RecordedConnection, startRawUpstream } from '../kit/upstream.ts'
import { type AnswerCase, makeAnswerCase } from './answer-grammar.ts'
import { readAnswer } from './llhttp.ts'
import type { Chance } from './random.ts'
import { type Failed, runSeeds, type SeedRange } from './seeds.ts'

const AT_ONCE = 12
/** A case that breaks the rules and says nothing more for so long has said all. */
const QUIET_MS = 700

export class ResponseFuzz {
  readonly #cases = new Map<string, { made: AnswerCase; chance: Chance }>()
  #upstream!: RawUpstream
  #gateway!: Awaited<ReturnType<typeof startGatewayHere>>
  #clients!: { h1: RequestClient; h2: RequestClient }

  async start(): Promise<void> {
    this.#upstream = await startRawUpstream((connection) => this.#serve(connection))
    const endpoints = [this.#upstream.url]
    const route = { profiles: ['internet'], purpose: 'test' }
    this.#gateway = await startGatewayHere(
      testConfig('', {
        listeners: {
          public: publicListener({ connections: { inFlightPerAddress: 10_000 } }),
          admin: { address: '127.0.0.1:0' },
        },
        // Legal answers, and others on the same connections, have time on any machine; what the gateway's deadlines cut stands apart.
        services: {
          patient: { endpoints, timeouts: { connect: '60 s', firstByte: '60 s', betweenBytes: '60 s' } },
          hasty: { endpoints, timeouts: { firstByte: `${QUIET_MS} ms`, betweenBytes: `${QUIET_MS} ms` } },
        },
        routes: [
          { ...route, path: '/patient/*', service: 'patient' },
          { ...route, path: '/hasty/*', service: 'hasty' },
        ],
      }),
    )
    const place = { port: this.#gateway.publicPort }
    this.#clients = { h1: openHttp1(place), h2: openHttp2(place) }
  }

  async stop(): Promise<void> {
    await this.#clients.h1.close()
    await this.#clients.h2.close()
    await this.#gateway.close()
    await this.#upstream.close()
  }

  /** What is wrong with the case; ''. */
  async run(protocol: 'h1' | 'h2', made: AnswerCase, chance: Chance, marker: string): Promise<string> {
    this.#cases.set(marker, { made, chance })
    const isHasty = !made.isLegal && chance.oneIn(2)
    const leave = new AbortController()
    const quiet = made.isLegal || isHasty ? null : setTimeout(() => leave.abort(), QUIET_MS)
    const path = `/${isHasty ? 'hasty' : 'patient'}/${marker}`
    const reply = await this.#clients[protocol].ask({ method: made.method, path, signal: leave.signal })
    if (quiet !== null) clearTimeout(quiet)
    this.#cases.delete(marker)
    return await judge(reply, made, marker)
  }

  /** Requests have no body here: each ends with its head. */
  #serve(connection: RecordedConnection): void {
    let text = ''
    connection.socket.on('data', (chunk: Buffer) => {
      connection.chunks.length = 0
      text += chunk.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const path = text.split(' ')[1]!
        text = text.slice(end + 4)
        void this.#answer(connection, path.slice(path.lastIndexOf('/') + 1))
      }
    })
  }

  async #answer({ socket }: RecordedConnection, marker: string): Promise<void> {
    const found = this.#cases.get(marker)
    if (found === undefined) return void socket.destroy()
    const { made, chance } = found
    const pieces = await cut(made, chance)
    const last = pieces.pop()!
    for (const piece of pieces) {
      if (socket.destroyed) return
      await new Promise<void>((done) => socket.write(piece, () => setImmediate(done)))
    }
    if (made.ends) socket.end(last)
    else socket.write(last)
  }
}

/** What follows a whole answer must come with it: later, it could as well be the answer to the next request. */
async function cut({ bytes, method, isLegal }: AnswerCase, chance: Chance): Promise<Buffer[]> {
  const pieces = chance.split(bytes)
  const early = bytes.subarray(0, bytes.length - pieces.at(-1)!.length)
  return !isLegal && (await readAnswer(early, method, false)).isWhole ? [bytes] : pieces
}

async function judge(reply: Reply, made: AnswerCase, marker: string): Promise<string> {
  const shown = `${reply.headers.join('\n')}\n${reply.text}`
  for (const [, other] of shown.matchAll(/<(r\d+[a-z-]*)>/g)) {
    // Its own second answer may be part of its body, which is compared below.
    if (other !== marker && other !== `${marker}-second`) return `${other} shows in ${marker}`
  }
  if (/HPE_|PROTOCOL_ERROR|COMPRESSION|FRAME_SIZE/.test(reply.error))
    return `the client could not read it: ${reply.error}`
  const own = reply.header('content-type')?.startsWith('application/problem+json') === true && reply.status >= 500
  const meant = await readAnswer(made.bytes, made.method, made.ends)
  const isMeant = reply.status === meant.status && meant.isWhole && reply.body.equals(meant.body)
  if (made.isLegal) {
    return reply.isComplete && isMeant
      ? ''
      : `legal, and answered ${reply.status} ${own ? reply.text : ''} ${reply.error}, meant ${meant.status} ${meant.error}`
  }
  if (own || !reply.isComplete || isMeant) return ''
  return `answered ${reply.status} ${JSON.stringify(reply.text.slice(0, 80))}, meant ${meant.status} ${meant.error} ${meant.isWhole} ${JSON.stringify(meant.body.toString('latin1').slice(0, 80))}`
}

/** Runs the seeds, over both protocols in turn. */
export async function fuzzResponses(fuzz: ResponseFuzz, range: SeedRange): Promise<{ failed: Failed[]; ran: number }> {
  const outcome = await runSeeds(
    range,
    AT_ONCE,
    (seed) => (seed % 2 === 0 ? 'h2' : 'h1'),
    (seed, protocol, chance) => {
      const marker = `r${seed}`
      return fuzz.run(protocol, makeAnswerCase(chance, marker), chance, marker)
    },
  )
  await sleep(0)
  return outcome
}
