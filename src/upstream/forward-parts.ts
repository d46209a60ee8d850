/** What a route's forwarding is made of, beside its service. Only names: each part knows itself. */
import type { AnswerOutletFactory } from '../exchange/answer-outlet.ts'
import type { AnswerFilterFactory, Metrics } from '../exchange/contracts.ts'
import type { SocketBounds } from '../exchange/socket-bounds.ts'
import type { AnswerCare } from './answer-care.ts'

export interface ForwardParts {
  readonly metrics: Metrics
  /** Null: no WebSocket is opened. */
  readonly bounds: SocketBounds | null
  /** Inspects answers. */
  readonly answers: AnswerFilterFactory | null
  readonly care: AnswerCare | null
  /** Changes the bytes of answers behind all of that; null: they go to the exchange as they are. */
  readonly outlets: AnswerOutletFactory | null
}
