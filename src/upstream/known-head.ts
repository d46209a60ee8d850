/**
 * The head of an upstream's answer, kept by its connection to recognise the next one by: equal bytes mean the same again.
 * It knows no socket.
 */
import { KeptAnswer } from '../exchange/kept-answer.ts'
import type { ResponseHead } from '../http/response-head.ts'

/** A longer head is not kept. */
const MOST_BYTES = 4096

/** @param text Whole, and of an answer to another method than HEAD, which changes the length. */
export function keepHead(text: string, head: ResponseHead): KnownHead | null {
  return text.length > MOST_BYTES ? null : new KnownHead(text, head)
}

export class KnownHead {
  readonly head: ResponseHead
  readonly length: number
  readonly #text: string
  #kept: KeptAnswer | null = null

  constructor(text: string, head: ResponseHead) {
    this.head = head
    this.length = text.length
    this.#text = text
  }

  /** Whether the same head stands at the beginning of these bytes. */
  standsIn(bytes: Buffer): boolean {
    return bytes.length >= this.length && bytes.toString('latin1', 0, this.length) === this.#text
  }

  /** What others keep with it: one object for all times that it comes. */
  kept(): KeptAnswer {
    this.#kept ??= new KeptAnswer(this.head.status, this.head.headers)
    return this.#kept
  }
}
