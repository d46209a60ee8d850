/** What the head of an HTTP/1.x request means for its connection: one host, one length, and whether another may follow. */
import type { FailureCode } from '../errors.ts'
import { bodyFraming } from '../http/framing.ts'
import { countHeader, getHeader, hasToken, joinHeader } from '../http/headers.ts'
import { parseRequestHead } from '../http/request-head.ts'
import type { HttpLimits } from './contracts.ts'
import { HeadMemo } from './head-memo.ts'
import type { RequestHead } from './request-head.ts'

/** A head up to this size is kept by its connection, to recognise the next one by. */
const KEPT_BYTES = 4096

export class Http1Head {
  readonly head: RequestHead
  readonly isEleven: boolean
  /** Whether the client leaves the connection open for another request (RFC 9112, 9.3). */
  readonly isPersistent: boolean
  /** True where the body waits for a 100 (RFC 9110, 10.1.1). */
  readonly expectsContinue: boolean
  readonly takesTrailers: boolean
  readonly #text: string
  readonly #limits: HttpLimits

  constructor(text: string, limits: HttpLimits, head: RequestHead) {
    const { headers, bodyLength } = head
    const connection = joinHeader(headers, 'connection')
    this.head = head
    this.isEleven = head.protocol === 'http/1.1'
    this.isPersistent = this.isEleven ? !hasToken(connection, 'close') : hasToken(connection, 'keep-alive')
    this.expectsContinue = bodyLength !== 0 && this.isEleven && hasToken(getHeader(headers, 'expect'), '100-continue')
    this.takesTrailers = hasToken(joinHeader(headers, 'te'), 'trailers')
    this.#text = text
    this.#limits = limits
  }

  get isKept(): boolean {
    return this.#text.length <= KEPT_BYTES
  }

  /**
   * Whether the same head stands at the beginning of these bytes. It was judged by `limits` then, and equal bytes get an
   * equal verdict from them; by other limits it has to be read again.
   *
   * @returns The bytes of the head; 0 where it is another one.
   */
  standsIn(bytes: Buffer, limits: HttpLimits): number {
    const text = this.#text
    if (bytes.length < text.length || limits !== this.#limits) return 0
    return bytes.toString('latin1', 0, text.length) === text ? text.length : 0
  }
}

/** Reads a whole head; the code to refuse with where the connection must not go on (RFC 9112, 2 to 6). */
export function readHttp1Head(text: string, limits: HttpLimits): Http1Head | FailureCode {
  const parsed = parseRequestHead(text, limits.maxHeaders)
  if (typeof parsed === 'string') return parsed
  const { method, target, headers } = parsed
  if (countHeader(headers, 'host') !== 1) return 'bad-host'
  const protocol = parsed.minor === 1 ? 'http/1.1' : 'http/1.0'
  const bodyLength = bodyFraming(headers, protocol)
  if (bodyLength === 'bad-framing') return bodyLength
  const authority = getHeader(headers, 'host')
  const memo = new HeadMemo()
  const head = { protocol, method, target, authority, headers, bodyLength, connectProtocol: null, memo } as const
  return new Http1Head(text, limits, head)
}
