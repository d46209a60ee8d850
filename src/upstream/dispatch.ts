/**
 * How a request is handed to an endpoint, whatever engine speaks to it: one call object that is asked for the request and
 * told about the answer. Above this seam nobody knows which engine runs.
 */
import type { Duplex } from 'node:stream'
import type { KeptAnswer } from '../exchange/kept-answer.ts'
import type { HeaderList } from '../http/headers.ts'

/** A request and its handler in one: the engine reads the fields when the request is written. */
export interface UpstreamCall {
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** Without framing: the engine adds Content-Length, Transfer-Encoding, Connection and Upgrade. */
  readonly headers: HeaderList
  /** Request line and `headers` as HTTP/1.1 writes them, each line with its CRLF. */
  readonly headText: string
  /** The whole body; null where there is none or it is streamed. */
  readonly body: Buffer | null
  /** Length of a streamed body in bytes, -1 where it is not known; 0 where nothing is streamed. */
  readonly streamLength: number
  readonly isWebSocket: boolean
  /** Milliseconds to the head of the answer. */
  readonly firstByteMs: number
  /** Milliseconds between two reads of the answer's body. */
  readonly betweenBytesMs: number

  /** The request is being written now: from here on the upstream may act on it. */
  onStart(control: UpstreamControl): void
  /** Wants the streamed body: `writer` takes it. */
  onBodyWanted(writer: BodyWriter): void
  /** The upstream reads slowly, or again. */
  onBodyPause(): void
  onBodyResume(): void
  /** 1xx other than 101. */
  onInformational(status: number, headers: HeaderList): void
  /** `kept`: of a head that came before, equal byte for byte; where it says the length, data or the end follow at once. */
  onHead(status: number, headers: HeaderList, kept: KeptAnswer | null): void
  /** `chunk` may be overwritten once this has returned. */
  onData(chunk: Buffer): void
  onEnd(trailers: HeaderList | null): void
  /** 101: the connection is the caller's from now on. */
  onUpgrade(headers: HeaderList, socket: Duplex): void
  /** Once, in place of `onEnd` and `onUpgrade`. Not after `cancel` or `abort`. */
  onFailure(error: Error): void
}

/** What a call may do while it runs. */
export interface UpstreamControl {
  pause(): void
  resume(): void
  /** Cuts the connection. Nothing is told any more. */
  abort(): void
}

export interface BodyWriter {
  write(chunk: Buffer): void
  end(): void
}

export interface Dispatcher {
  /** Never throws; may fail the call before it returns. */
  dispatch(call: UpstreamCall): void
  /** Takes back a call that has not started. */
  cancel(call: UpstreamCall): void
  /** Calls that wait for a connection. */
  readonly waiting: number
  /** Ends idle connections, and the others after their answers. */
  close(): Promise<void>
  destroy(): Promise<void>
}

/** What an engine itself finds wrong; `code` as node's own errors have one. */
export class UpstreamError extends Error {
  readonly code: UpstreamErrorCode
  /** For the log; a sentence where the code alone does not tell an operator enough. */
  readonly detail: string

  constructor(code: UpstreamErrorCode, detail: string = code) {
    super(code)
    this.name = 'UpstreamError'
    this.code = code
    this.detail = detail
  }
}

export type UpstreamErrorCode =
  | 'CONNECT_TIMEOUT'
  | 'HEAD_TIMEOUT'
  | 'BODY_TIMEOUT'
  | 'CLOSED'
  | 'WRONG_LENGTH'
  | 'BAD_ANSWER'
  | 'TOO_MANY_WAITING'
  | 'ENDPOINT_CLOSED'
  | 'PROXY_UNREACHABLE'
  | 'PROXY_UNTRUSTED'
  | 'PROXY_AUTH'
  | 'PROXY_REFUSED'
  | 'PROXY_FAILED'
  | 'PROXY_TIMEOUT'
  | 'PROXY_CLOSED'
  | 'PROXY_BAD_ANSWER'
