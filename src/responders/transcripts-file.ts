/**
 * Opens one stored transcript and sends its bytes, cards masked, as fast as the client reads them. It follows no symbolic link below
 * the folder and opens nothing but plain files; it knows no accounts and no pages.
 */
import { constants, read } from 'node:fs'
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { Failure } from '../errors.ts'
import type { UpstreamHalf } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { ByteRange } from './byte-range.ts'
import { CARD_SURROUNDINGS, maskTranscript } from './transcripts-mask.ts'
import type { TranscriptKind } from './transcripts-path.ts'

const CHUNK_BYTES = 65_536
const EMPTY = Buffer.alloc(0)

export interface OpenTranscript {
  readonly handle: FileHandle
  /** Bytes, when it was opened: what is sent, even where the file grows meanwhile. */
  readonly size: number
}

/**
 * Opens a file below `folder` (a real path). Null for whatever is not a plain file reached without a symbolic link:
 * missing, link, folder, FIFO, device, socket, or not readable. The caller closes the handle.
 */
export async function openTranscript(folder: string, segments: readonly string[]): Promise<OpenTranscript | null> {
  const path = join(folder, ...segments)
  if (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return null
  let handle: FileHandle | null = null
  try {
    // A link anywhere on the way makes the real path another one.
    if ((await realpath(path)) !== path) return null
    const named = await lstat(path, { bigint: true })
    if (!named.isFile()) return null
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const opened = await handle.stat({ bigint: true })
    // A folder on the way that was swapped for a link between the two looks gives another file.
    const isSame = opened.isFile() && opened.ino === named.ino && opened.dev === named.dev
    if (isSame && (await realpath(path)) === path) {
      const result = { handle, size: Number(opened.size) }
      handle = null
      return result
    }
    return null
  } catch {
    return null
  } finally {
    await handle?.close().catch(ignore)
  }
}

/** The whole content, for pages. Null where the file shrank meanwhile. Closes the handle. */
export async function readWhole(file: OpenTranscript): Promise<Buffer | null> {
  try {
    const bytes = Buffer.allocUnsafe(file.size)
    let done = 0
    while (done < bytes.length) {
      const { bytesRead } = await file.handle.read(bytes, done, bytes.length - done, done)
      if (bytesRead === 0) return null
      done += bytesRead
    }
    return bytes
  } finally {
    await file.handle.close().catch(ignore)
  }
}

/** Sends a part of a file as the body of an exchange whose head is sent; one chunk is held at a time. */
export class FileSender implements UpstreamHalf {
  readonly #x: Exchange
  readonly #handle: FileHandle
  readonly #kind: TranscriptKind
  readonly #size: number
  #position: number
  readonly #end: number
  #isReading = false
  #isDone = false

  constructor(x: Exchange, file: OpenTranscript, kind: TranscriptKind, range: ByteRange | null) {
    this.#x = x
    this.#handle = file.handle
    this.#kind = kind
    this.#size = file.size
    this.#position = range === null ? 0 : range.first
    this.#end = range === null ? file.size : range.last + 1
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
    if (!this.#isReading) this.#close()
  }

  #next(): void {
    if (this.#position >= this.#end) {
      this.#isDone = true
      this.#close()
      this.#x.upstream = null
      this.#x.sendEnd(null)
      return
    }
    this.#isReading = true
    // A chunk of its own each time: the client half may still hold the last one.
    const wanted = Math.min(CHUNK_BYTES, this.#end - this.#position)
    const before = Math.min(CARD_SURROUNDINGS, this.#position)
    const behind = Math.min(CARD_SURROUNDINGS, this.#size - this.#position - wanted)
    const piece = Buffer.allocUnsafe(before + wanted + behind)
    read(this.#handle.fd, piece, 0, piece.length, this.#position - before, (error, bytesRead, bytes) => {
      const read = bytes.subarray(0, bytesRead)
      this.#onRead(error, error === null ? maskTranscript(read, this.#kind).subarray(before, before + wanted) : EMPTY)
    })
  }

  #onRead(error: Error | null, bytes: Buffer): void {
    this.#isReading = false
    if (this.#isDone || this.#x.finished) {
      this.#isDone = true
      this.#close()
      return
    }
    if (error !== null || bytes.length === 0) {
      // Less than the promised length: the answer must not look whole. `fail` aborts this sender, which closes the file.
      this.#x.fail(new Failure('internal', 'transcript became shorter while it was read', error))
      return
    }
    this.#position += bytes.length
    // A drain within sendData has asked for the next chunk already.
    if (this.#x.sendData(bytes) && !this.#isReading && !this.#isDone) this.#next()
  }

  #close(): void {
    this.#handle.close().catch(ignore)
  }
}

function ignore(): void {}
