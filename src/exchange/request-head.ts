/** The head of a request as an engine tells it, whatever the protocol. */
import type { HeaderList } from '../http/headers.ts'
import type { HeadMemo } from './head-memo.ts'

export type Protocol = 'http/1.0' | 'http/1.1' | 'h2'

/** What a client half knows when it makes an exchange. */
export interface RequestHead {
  readonly protocol: Protocol
  readonly method: string
  /** As it came: origin form, absolute form, or `*`. */
  readonly target: string
  /** The Host field or :authority; null where missing. */
  readonly authority: string | null
  readonly headers: HeaderList
  /** Bytes; -1 where the length is not known beforehand, 0 where there is no body. */
  readonly bodyLength: number
  /** RFC 8441: the value of :protocol; null otherwise. */
  readonly connectProtocol: string | null
  /** An engine may give one head to several exchanges of a connection, one after the other: nothing else in it changes. */
  readonly memo: HeadMemo
}
