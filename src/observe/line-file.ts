/**
 * A file (or standard output) that lines are added to: buffered, bounded, never in the way. A full disk costs lines, which
 * are counted, and nothing else. Knows nothing of what the lines say.
 *
 * Written here and not taken from pino's destination, whose flush at exit never returns when the disk is full.
 */
import { closeSync, mkdirSync, openSync, write, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Block, LineBlocks } from './line-blocks.ts'

const FLUSH_MS = 1000
const RETRY_MS = 100
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024
const STANDARD_OUTPUT = 1

export interface LineFileOptions {
  /** Bytes that wait before they are written, for a second at most, and the most that is written at once; 0 writes at once. */
  readonly holdBytes: number
  /** Bytes that may wait in memory; lines beyond it are dropped and counted. Default 8 MB. */
  readonly maxBytes?: number
}

export class LineFile {
  /** Lines that were lost: the disk was full, or the reader of the pipe went away. */
  dropped = 0
  /** The system's code for the last write that failed (`ENOSPC`); '' while all is well. */
  lastError = ''

  readonly #path: string | null
  readonly #holdBytes: number
  readonly #maxBytes: number
  #fd: number
  readonly #waiting: LineBlocks
  /** What is being written, and how far. */
  #chunk: Block | null = null
  #offset = 0
  #writing = false
  #timer: NodeJS.Timeout | null = null
  #reopenWanted = false
  #closed = false
  #idle: (() => void)[] = []
  readonly #onExit: () => void

  /** `target` is a path, or the number of an open file. Throws the system's error where the file cannot be opened. */
  constructor(target: string | number, options: LineFileOptions) {
    this.#path = typeof target === 'string' ? target : null
    this.#holdBytes = options.holdBytes
    this.#maxBytes = options.maxBytes ?? MAX_BUFFERED_BYTES
    this.#waiting = new LineBlocks(2 * options.holdBytes)
    this.#fd = typeof target === 'string' ? openForAppend(target) : target
    this.#onExit = () => this.flushSync()
    process.on('exit', this.#onExit)
  }

  /** Adds a line; its line break is added here. Never throws and never waits. */
  write(line: string): void {
    if (this.#closed || this.#waiting.waiting + line.length * 3 + 1 > this.#maxBytes) {
      this.dropped++
      return
    }
    this.#waiting.add(line)
    if (this.#writing) return
    if (this.#waiting.waiting > this.#holdBytes && this.lastError === '') this.#next()
    else this.#schedule(FLUSH_MS)
  }

  /** Resolves when what was added so far is written, or when writing it failed. */
  flush(): Promise<void> {
    if (!this.#writing && this.#waiting.lines === 0 && this.#chunk === null) return Promise.resolve()
    return new Promise((resolve) => {
      this.#idle.push(resolve)
      if (!this.#writing) this.#next()
    })
  }

  /** One attempt to write what waits, for the end of the process. */
  flushSync(): void {
    if (this.#closed) return
    // An asynchronous write that runs already is finished by the system; writing its bytes again would double them.
    if (!this.#writing && this.#chunk !== null) {
      const { bytes, length, lines } = this.#chunk
      this.#chunk = null
      this.#writeSync(bytes.subarray(this.#offset, length), lines)
    }
    for (let block = this.#waiting.take(); block !== null; block = this.#waiting.take()) {
      this.#writeSync(block.bytes.subarray(0, block.length), block.lines)
    }
  }

  #writeSync(bytes: Buffer, lines: number): void {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
    } catch (error) {
      this.dropped += lines
      this.lastError = codeOf(error)
    }
  }

  /** Opens the path anew, after a rotation renamed the file. The old file stays in use where that fails. */
  reopen(): void {
    if (this.#path === null || this.#closed) return
    this.#reopenWanted = true
    if (!this.#writing) this.#next()
  }

  /** Writes what waits and closes the file. */
  async close(): Promise<void> {
    if (this.#closed) return
    await this.flush()
    if (this.#closed) return
    this.#closed = true
    process.off('exit', this.#onExit)
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.dropped += this.#waiting.lines + (this.#chunk?.lines ?? 0)
    this.#chunk = null
    if (this.#path !== null) closeSync(this.#fd)
  }

  #schedule(ms: number): void {
    if (this.#timer !== null || this.#closed) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      if (!this.#writing) this.#next()
    }, ms)
    this.#timer.unref()
  }

  #next(): void {
    if (this.#closed) return
    // Between two chunks only, so that no line is torn over two files.
    if (this.#reopenWanted && (this.#chunk === null || this.#offset === 0)) this.#reopenNow()
    if (this.#chunk === null) {
      this.#chunk = this.#waiting.take()
      this.#offset = 0
      if (this.#chunk === null) return this.#becomeIdle()
    }
    this.#writing = true
    write(this.#fd, this.#chunk.bytes, this.#offset, this.#chunk.length - this.#offset, null, this.#onWritten)
  }

  readonly #onWritten = (error: NodeJS.ErrnoException | null, written: number): void => {
    this.#writing = false
    if (error !== null) return this.#onFailed(error)
    this.lastError = ''
    this.#offset += written
    const chunk = this.#chunk!
    if (this.#offset === chunk.length) {
      this.#chunk = null
      this.#waiting.giveBack(chunk)
    }
    if (
      this.#chunk !== null ||
      this.#reopenWanted ||
      this.#idle.length > 0 ||
      this.#waiting.waiting > this.#holdBytes
    ) {
      this.#next()
    } else if (this.#waiting.lines > 0) {
      this.#schedule(FLUSH_MS)
    }
  }

  #onFailed(error: NodeJS.ErrnoException): void {
    const code = codeOf(error)
    if (code === 'EAGAIN' || code === 'EBUSY') return this.#schedule(RETRY_MS)
    this.lastError = code
    if (code === 'EPIPE' || code === 'EBADF') {
      this.dropped += this.#chunk!.lines
      this.#chunk = null
    }
    this.#becomeIdle()
    this.#schedule(FLUSH_MS)
  }

  #reopenNow(): void {
    this.#reopenWanted = false
    try {
      const fd = openForAppend(this.#path!)
      closeSync(this.#fd)
      this.#fd = fd
    } catch (error) {
      this.lastError = codeOf(error)
    }
  }

  #becomeIdle(): void {
    const waiting = this.#idle
    this.#idle = []
    for (const resolve of waiting) resolve()
  }
}

/** The file that `-` names. */
export function standardOutput(options: LineFileOptions): LineFile {
  return new LineFile(STANDARD_OUTPUT, options)
}

function openForAppend(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  return openSync(path, 'a', 0o600)
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'EIO'
}
