/**
 * Sends a transcript, or a part of it, with its cards masked, as fast as the client reads it: one piece is held at a time.
 * It knows no folder.
 */
import { Failure } from '../errors.ts'
import type { UpstreamHalf } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { StoredContent } from '../exchange/sealed.ts'
import type { ByteRange } from './byte-range.ts'
import type { OpenTranscript } from './transcripts-file.ts'
import { CARD_SURROUNDINGS, maskTranscript } from './transcripts-mask.ts'
import type { TranscriptKind } from './transcripts-path.ts'

export const PIECE_BYTES = 65_536

/** A part of a transcript with its cards masked, judged by what stands around it; null where it cannot be read. */
export async function readMasked(
  content: StoredContent,
  kind: TranscriptKind,
  position: number,
  length: number,
): Promise<Buffer | null> {
  const before = Math.min(CARD_SURROUNDINGS, position)
  const behind = Math.min(CARD_SURROUNDINGS, content.size - position - length)
  const piece = await content.read(position - before, before + length + behind)
  return piece === null ? null : maskTranscript(piece, kind).subarray(before, before + length)
}

export class TranscriptSender implements UpstreamHalf {
  readonly #x: Exchange
  readonly #file: OpenTranscript
  readonly #kind: TranscriptKind
  #position: number
  readonly #end: number
  #isReading = false
  #isDone = false

  constructor(x: Exchange, file: OpenTranscript, kind: TranscriptKind, range: ByteRange | null) {
    this.#x = x
    this.#file = file
    this.#kind = kind
    this.#position = range === null ? 0 : range.first
    this.#end = range === null ? file.content.size : range.last + 1
  }

  /** Call once the head is sent. */
  start(): void {
    this.#x.upstream = this
    this.#next()
  }

  onClientDrain(): void {
    if (!this.#isReading && !this.#isDone) this.#next()
  }

  onExchangeAbort(): void {
    if (this.#isDone) return
    this.#isDone = true
    if (!this.#isReading) this.#file.close()
  }

  #next(): void {
    if (this.#position >= this.#end) {
      this.#isDone = true
      this.#file.close()
      this.#x.upstream = null
      this.#x.sendEnd(null)
      return
    }
    this.#isReading = true
    const wanted = Math.min(PIECE_BYTES, this.#end - this.#position)
    readMasked(this.#file.content, this.#kind, this.#position, wanted).then(
      (bytes) => this.#onRead(null, bytes),
      (error) => this.#onRead(error, null),
    )
  }

  #onRead(error: unknown, bytes: Buffer | null): void {
    this.#isReading = false
    if (this.#isDone || this.#x.finished) {
      this.#isDone = true
      this.#file.close()
      return
    }
    if (bytes === null || bytes.length === 0) {
      // Less than the promised length: the answer must not look whole. `fail` aborts this sender, which closes the file.
      this.#x.fail(new Failure('internal', 'transcript could not be read to its end', error))
      return
    }
    this.#position += bytes.length
    // A drain within sendData has asked for the next piece already.
    if (this.#x.sendData(bytes) && !this.#isReading && !this.#isDone) this.#next()
  }
}
