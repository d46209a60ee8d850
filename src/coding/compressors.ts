/**
 * The compressors of node:zlib, their memory bounded for answers that are compressed while they pass, and how many of them are
 * open. It knows no answer.
 */
import type { Transform } from 'node:stream'
import {
  type BrotliOptions,
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzipSync,
  type ZlibOptions,
  type ZstdOptions,
  zstdCompressSync,
} from 'node:zlib'
import type { ContentCoding } from '../http/accept-encoding.ts'

export type Levels = Readonly<Record<ContentCoding, number>>

/** 2^18 bytes: what a browser has to keep is far below the 8 MB of RFC 9659, and so is what we keep. */
const WINDOW_BITS = 18
/** What waits on either side of one. */
const QUEUE_BYTES = 32 * 1024

let open = 0

/** Of this process, as the metrics tell. */
export function openCompressors(): number {
  return open
}

/** One answer on its way. Everything that is written comes out at once: nobody waits for what the service has said. */
export class Compressor {
  readonly stream: Transform
  #isOpen = true

  /** `length`: bytes that will be written, no more and no less; -1 where that is not known. */
  constructor(coding: ContentCoding, level: number, length: number) {
    this.stream = makeStream(coding, level, length)
    open++
  }

  /** Gives the memory back; what is not out by now is lost. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    open--
    this.stream.destroy()
  }
}

function makeStream(coding: ContentCoding, level: number, length: number): Transform {
  const queue = { highWaterMark: QUEUE_BYTES }
  switch (coding) {
    case 'gzip':
      return createGzip({ ...queue, ...gzipOptions(level), flush: constants.Z_SYNC_FLUSH } as ZlibOptions)
    case 'br':
      return createBrotliCompress({
        ...{ ...queue, ...brotliOptions(level), flush: constants.BROTLI_OPERATION_FLUSH },
      } as BrotliOptions)
    case 'zstd':
      return createZstdCompress({
        ...{ ...queue, ...zstdOptions(level, length), flush: constants.ZSTD_e_flush },
      } as ZstdOptions)
  }
}

/** A whole body, at once and on this thread. Null where it would not become smaller. */
export function compressWhole(body: Buffer, coding: ContentCoding, level: number): Buffer | null {
  const coded = pack(body, coding, level)
  return coded.length < body.length ? coded : null
}

function pack(body: Buffer, coding: ContentCoding, level: number): Buffer {
  switch (coding) {
    case 'gzip':
      return gzipSync(body, gzipOptions(level))
    case 'br':
      return brotliCompressSync(body, brotliOptions(level))
    case 'zstd':
      return zstdCompressSync(body, zstdOptions(level, body.length))
  }
}

function gzipOptions(level: number): ZlibOptions {
  return { level }
}

function brotliOptions(level: number): BrotliOptions {
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN } = constants
  return { params: { [BROTLI_PARAM_QUALITY]: level, [BROTLI_PARAM_LGWIN]: WINDOW_BITS } }
}

/** A known length halves the work for answers of some dozens of KB: tables are made no larger than it needs. */
function zstdOptions(level: number, length: number): ZstdOptions {
  const { ZSTD_c_compressionLevel, ZSTD_c_windowLog } = constants
  const params = { [ZSTD_c_compressionLevel]: level, [ZSTD_c_windowLog]: WINDOW_BITS }
  return length === -1 ? { params } : { params, pledgedSrcSize: length }
}
