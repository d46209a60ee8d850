/**
 * Where an answer goes whose fields and bytes are settled: to the exchange itself, or to what changes its bytes once more on
 * the way there. It knows neither.
 */
import type { HeaderList } from '../http/headers.ts'
import type { Exchange } from './exchange.ts'
import type { KeptAnswer } from './kept-answer.ts'

/** The part of an exchange by which an answer leaves: head, data, end, in this order. */
export interface AnswerOutlet {
  respondHead(status: number, headers: HeaderList, kept?: KeptAnswer | null): void
  /** False: wait for `onClientDrain`. The chunk is the caller's again once this returns. */
  sendData(chunk: Buffer): boolean
  sendEnd(trailers: HeaderList | null): void
}

/** Called once for an exchange, before its request is written: it may change `x.headers`. */
export type AnswerOutletFactory = (x: Exchange) => AnswerOutlet
