/**
 * A client half that only records, and real exchanges around it: for tests that drive stages and responders without a
 * socket. Back-pressure is played by `isSlow`: sendData then says false until `drain()`.
 */

import type { Duplex } from 'node:stream'
import { PassThrough } from 'node:stream'
import type { Failure } from '../../src/errors.ts'
import type { Peer } from '../../src/exchange/connection.ts'
import type { ClientHalf, HeaderEdits, HttpLimits, ListenerPlan, Stage } from '../../src/exchange/contracts.ts'
import { Exchange } from '../../src/exchange/exchange.ts'
import { HeadMemo } from '../../src/exchange/head-memo.ts'
import { UnsentBytes } from '../../src/exchange/unsent-bytes.ts'
import type { HeaderList } from '../../src/http/headers.ts'

export class FakeClient implements ClientHalf {
  status = 0
  headers: HeaderList = []
  chunks: Buffer[] = []
  informational: number[] = []
  trailers: HeaderList | null = null
  headsSent = 0
  ended = false
  aborted: Failure | null = null
  bodyFlows = false
  tunnel: PassThrough | null = null
  /** True: every sendData answers false, as a client that reads slowly. */
  isSlow = false
  /** Called after each sendData, for tests that act in the middle of an answer. */
  onChunk: ((chunk: Buffer) => void) | null = null

  sendInformational(status: number): void {
    this.informational.push(status)
  }

  sendHead(status: number, headers: HeaderList, edits: HeaderEdits, body: Buffer | null): void {
    this.headsSent++
    this.status = status
    this.headers = [...headers, ...edits.set]
    if (body !== null) {
      this.chunks.push(body)
      this.ended = true
    }
  }

  repeatHead(): boolean {
    return false
  }

  sendData(chunk: Buffer): boolean {
    this.chunks.push(chunk)
    this.onChunk?.(chunk)
    return !this.isSlow
  }

  sendEnd(trailers: HeaderList | null): void {
    this.trailers = trailers
    this.ended = true
  }

  abort(why: Failure): void {
    this.aborted = why
  }

  openTunnel(headers: HeaderList): Duplex {
    this.headers = headers
    this.tunnel = new PassThrough()
    return this.tunnel
  }

  resumeBody(): void {
    this.bodyFlows = true
  }

  pauseBody(): void {
    this.bodyFlows = false
  }

  /** First value of an answer's field; null where there is none. */
  header(name: string): string | null {
    for (let i = 0; i < this.headers.length; i += 2) if (this.headers[i] === name) return this.headers[i + 1]!
    return null
  }

  /** All values of an answer's field. */
  headerValues(name: string): string[] {
    return this.headers.filter((_, i) => i % 2 === 1 && this.headers[i - 1] === name)
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get text(): string {
    return this.body.toString('utf8')
  }
}

export const NO_EDITS: HeaderEdits = { drop: new Set(), set: [], setLines: '', fallback: [] }

const FAKE_LIMITS: HttpLimits = {
  maxHeaderBytes: 16_384,
  maxHeaders: 100,
  maxTargetBytes: 8192,
  headersMs: 10_000,
  idleMs: 75_000,
  bodyGraceMs: 10_000,
  bodyMinRate: 240,
  sendMs: 30_000,
  sendMinRate: 240,
  maxRequestsPerConnection: 100_000,
  maxConnectionAgeMs: 3_600_000,
  maxStreams: 100,
  tunnelIdleMs: 600_000,
}

export interface FakeOptions {
  method?: string
  /** Already normalised, as vet leaves it. */
  path?: string
  /** With its `?`. */
  query?: string
  headers?: HeaderList
  address?: string
  user?: string
  id?: string
  secure?: boolean
  edits?: HeaderEdits
  bodyLength?: number
  /** Overrides of the listener's plan. */
  plan?: Partial<ListenerPlan>
}

export interface FakeExchange {
  readonly x: Exchange
  readonly client: FakeClient
  /** Resolves when the exchange has finished; how often it finished is in `finishCount()`. */
  readonly finished: Promise<void>
  finishCount(): number
  /** The client has read everything: back-pressure ends. */
  drain(): void
}

/** A real exchange, as it stands after vet, around a recording client. */
export function fakeExchange(options: FakeOptions = {}): FakeExchange {
  const client = new FakeClient()
  const address = options.address ?? '192.0.2.10'
  const peer: Peer = {
    address,
    secure: options.secure ?? true,
    serverName: 'localhost',
    localPort: 9443,
    certificate: null,
    closeAfterAnswer() {},
  }
  let finishes = 0
  const { promise: finished, resolve } = Promise.withResolvers<void>()
  const listener: ListenerPlan = {
    name: 'fake',
    isServed: () => true,
    match: () => null,
    pages: null,
    isTrustedProxy: () => false,
    forwardedBy: 'x-forwarded-for',
    via: null,
    isAllowedAddress: () => true,
    isDirected: () => true,
    ipv6Prefix: 64,
    edits: options.edits ?? NO_EDITS,
    unsent: new UnsentBytes(64 * 1024 * 1024),
    limits: FAKE_LIMITS,
    canned: () => Buffer.alloc(0),
    onRefusedBytes() {},
    run() {},
    ...options.plan,
    onFinish(x) {
      finishes++
      options.plan?.onFinish?.(x)
      resolve()
    },
  }
  const path = options.path ?? '/'
  const head = {
    protocol: 'http/1.1' as const,
    method: options.method ?? 'GET',
    target: path + (options.query ?? ''),
    authority: 'localhost',
    headers: options.headers ?? [],
    bodyLength: options.bodyLength ?? 0,
    connectProtocol: null,
    memo: new HeadMemo(),
  }
  const x = new Exchange(head, client, peer, listener)
  x.id = options.id ?? 'request-1'
  x.host = 'localhost'
  x.authority = 'localhost'
  x.path = path
  x.query = options.query ?? ''
  x.clientKey = address
  x.user = options.user ?? ''
  return {
    x,
    client,
    finished,
    finishCount: () => finishes,
    drain() {
      client.isSlow = false
      x.upstream?.onClientDrain()
    },
  }
}

/** Runs stages on an exchange and answers `passed` when all of them let it go on; resolves when that is known. */
export function runThrough(fake: FakeExchange, stages: readonly Stage[]): Promise<'passed' | 'answered'> {
  return new Promise((resolve) => {
    fake.finished.then(() => resolve('answered'))
    fake.x.runStages([
      ...stages,
      () => {
        resolve('passed')
        return 1
      },
    ])
  })
}
