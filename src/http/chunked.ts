/**
 * Decodes the chunked transfer coding (RFC 9112, 7.1), strictly: CRLF only, no white space around sizes, bounded
 * extensions and trailers. Knows no socket.
 */
import { BlockReader, MORE } from './block-reader.ts'
import { ChunkExtension } from './chunk-extension.ts'
import { FORBIDDEN, parseFieldLines } from './field-lines.ts'
import type { HeaderList } from './headers.ts'

/** Chunks from this size on are handed over as they are; smaller ones are joined up to it. */
const JOINED_BYTES = 8192
const MAX_SIZE_DIGITS = 10
const MAX_EXTENSION_BYTES = 256
/** Of all chunks of a body together: a signature on every chunk is legal, extensions as a way to send are not. */
const MAX_EXTENSIONS_BYTES = 8192
const MAX_TRAILER_BYTES = 8192
const MAX_TRAILERS = 64

const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const TRAILER = 6
const ENDED = 7
const BAD = 8

export class ChunkedDecoder {
  /** The trailer fields, once the body has ended. */
  trailers: HeaderList = []
  #state = SIZE
  #digits = 0
  #size = 0
  #extension = 0
  #extensions = 0
  #trailerReader: BlockReader | null = null
  readonly #grammar = new ChunkExtension()

  get ended(): boolean {
    return this.#state === ENDED
  }

  get bad(): boolean {
    return this.#state === BAD
  }

  /**
   * Decodes bytes and hands the data to `onData`, small chunks joined: what is read at once need not be written one by one.
   * Stops at the end of the body, at a mistake (`bad`), and where `onData` returns false; what came right before a mistake
   * may be left out.
   *
   * @returns How many bytes were used.
   */
  decode(chunk: Buffer, onData: (piece: Buffer) => boolean): number {
    let at = 0
    let held: Buffer[] | null = null
    let heldBytes = 0
    while (at < chunk.length && this.#state < ENDED) {
      if (this.#state === DATA) {
        const piece = chunk.subarray(at, at + this.#size)
        at += piece.length
        this.#size -= piece.length
        if (this.#size === 0) this.#state = DATA_CR
        if (held === null && (piece.length >= JOINED_BYTES || at === chunk.length)) {
          if (!onData(piece)) return at
          continue
        }
        held ??= []
        held.push(piece)
        heldBytes += piece.length
        if (heldBytes < JOINED_BYTES) continue
        const joined = join(held, heldBytes)
        held = null
        heldBytes = 0
        if (!onData(joined)) return at
        continue
      }
      if (this.#state === TRAILER) {
        at = this.#readTrailer(chunk, at)
        continue
      }
      this.#readByte(chunk[at]!)
      at++
    }
    if (held !== null && this.#state !== BAD) onData(join(held, heldBytes))
    return at
  }

  #readByte(byte: number): void {
    switch (this.#state) {
      case SIZE: {
        const digit = hexDigit(byte)
        if (digit !== -1) {
          this.#size = this.#size * 16 + digit
          if (++this.#digits > MAX_SIZE_DIGITS) this.#state = BAD
        } else if (this.#digits === 0) this.#state = BAD
        else if (byte === 0x0d) this.#state = SIZE_LF
        else {
          this.#state = byte === 0x3b ? EXTENSION : BAD
          this.#grammar.begin()
        }
        return
      }
      case EXTENSION:
        if (byte === 0x0d) this.#state = this.#grammar.isWhole ? SIZE_LF : BAD
        else if (!this.#grammar.read(byte)) this.#state = BAD
        else if (++this.#extension > MAX_EXTENSION_BYTES || ++this.#extensions > MAX_EXTENSIONS_BYTES) this.#state = BAD
        return
      case SIZE_LF:
        if (byte !== 0x0a) this.#state = BAD
        else this.#state = this.#size === 0 ? TRAILER : DATA
        return
      case DATA_CR:
        this.#state = byte === 0x0d ? DATA_LF : BAD
        return
      default:
        this.#state = byte === 0x0a ? SIZE : BAD
        this.#digits = 0
        this.#size = 0
        this.#extension = 0
    }
  }

  /** Reads up to the empty line. */
  #readTrailer(chunk: Buffer, from: number): number {
    // The CRLF of the last chunk is the first half of the end where there are no trailers.
    this.#trailerReader ??= new BlockReader(MAX_TRAILER_BYTES, '', '\r\n')
    const used = this.#trailerReader.read(chunk, from)
    if (used < 0) {
      if (used !== MORE) this.#state = BAD
      return chunk.length
    }
    const block = this.#trailerReader.text.slice(0, -2)
    const trailers = FORBIDDEN.test(block) ? null : parseFieldLines(block, 0, block.length, MAX_TRAILERS)
    if (trailers === null || trailers === 'too-many' || reframes(trailers)) this.#state = BAD
    else {
      this.trailers = trailers
      this.#state = ENDED
    }
    return from + used
  }
}

const join = (pieces: readonly Buffer[], bytes: number): Buffer =>
  pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, bytes)

/** A length that comes after the body says that somebody reads it otherwise (RFC 9110, 6.5.1). */
function reframes(trailers: HeaderList): boolean {
  for (let i = 0; i < trailers.length; i += 2) {
    if (trailers[i] === 'content-length' || trailers[i] === 'transfer-encoding') return true
  }
  return false
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
