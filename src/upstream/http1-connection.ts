/**
 * One HTTP/1.1 connection to an endpoint, its calls one after the other: writes a request in as few writes as it can, reads
 * the answer strictly, and is of no further use after the first thing that is not exactly as it should be. It knows no pool
 * and no exchange.
 */
import type { Socket } from 'node:net'
import { deadlineIn, joinClock, leaveClock, type Ticking } from '../exchange/clock.ts'
import type { KeptAnswer } from '../exchange/kept-answer.ts'
import { writeLasting } from '../exchange/write-copy.ts'
import { BlockReader, MORE } from '../http/block-reader.ts'
import { ChunkedDecoder } from '../http/chunked.ts'
import { CHUNKED, parseResponseHead, type ResponseHead, UNTIL_CLOSE } from '../http/response-head.ts'
import {
  type BodyWriter,
  type UpstreamCall,
  type UpstreamControl,
  UpstreamError,
  type UpstreamErrorCode,
} from './dispatch.ts'
import type { Inlet } from './inlet.ts'
import { type KnownHead, keepHead } from './known-head.ts'
import { writeRequest } from './request-writer.ts'

/** The pool, as a connection sees it. */
export interface ConnectionKeeper {
  /** Ready for the next call. */
  onIdle(connection: UpstreamConnection): void
  /** Gone, or handed over to a WebSocket. */
  onGone(connection: UpstreamConnection): void
}

const MAX_HEAD_BYTES = 32 * 1024
const MAX_FIELDS = 256
const MAX_INFORMATIONAL = 16

export class UpstreamConnection implements UpstreamControl, BodyWriter, Ticking {
  readonly #inlet: Inlet
  readonly #socket: Socket
  readonly #keeper: ConnectionKeeper
  readonly #keepAliveMs: number
  /** When an idle connection is given up, or the present wait ends; 0 is no deadline. */
  #deadline = 0
  #call: UpstreamCall | null = null
  #gone = false

  // the request
  #requestDone = true
  #isChunkedRequest = false
  /** Bytes of the promised body that are still to be written. */
  #owed = 0

  // the answer
  #pending: Buffer | null = null
  readonly #headReader = new BlockReader(MAX_HEAD_BYTES, 'HTTP/1.', '')
  #head: ResponseHead | null = null
  /** The head before, to recognise the next one by. */
  #known: KnownHead | null = null
  #informational = 0
  #left = 0
  #chunks: ChunkedDecoder | null = null
  #paused = false
  #reading = false

  constructor(inlet: Inlet, keepAliveMs: number, keeper: ConnectionKeeper) {
    const { socket } = inlet
    this.#inlet = inlet
    this.#socket = socket
    this.#keeper = keeper
    this.#keepAliveMs = keepAliveMs
    socket.setNoDelay(true)
    inlet.into(this.#onData)
    socket.on('drain', this.#onDrain)
    socket.on('end', this.#onSocketEnd)
    socket.on('close', this.#onSocketClose)
    socket.on('error', this.#onSocketError)
    joinClock(this)
  }

  /** False: it must not be given another call. */
  get isUsable(): boolean {
    return !this.#gone && this.#socket.writable && !this.#socket.readableEnded
  }

  // --- the request ---

  run(call: UpstreamCall): void {
    this.#call = call
    this.#head = null
    this.#informational = 0
    this.#paused = false
    this.#requestDone = true
    this.#isChunkedRequest = false
    this.#deadline = deadlineIn(call.firstByteMs)
    call.onStart(this)
    if (this.#call === call) this.#write(call)
  }

  #write(call: UpstreamCall): void {
    writeRequest(this.#socket, call)
    if (call.streamLength === 0) return
    this.#requestDone = false
    this.#isChunkedRequest = call.streamLength === -1
    this.#owed = call.streamLength
    call.onBodyWanted(this)
  }

  write(chunk: Buffer): void {
    if (this.#gone || this.#requestDone || chunk.length === 0) return
    const socket = this.#socket
    // The time of the upload is not the upstream's.
    if (this.#head === null) this.#deadline = deadlineIn(this.#call!.firstByteMs)
    if (this.#isChunkedRequest) {
      socket.cork()
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
      writeLasting(socket, chunk)
      socket.write('\r\n', 'latin1')
      socket.uncork()
    } else {
      this.#owed -= chunk.length
      // What goes over would be the next request to the other side.
      if (this.#owed < 0) return this.#fail('WRONG_LENGTH')
      writeLasting(socket, chunk)
    }
    if (socket.writableNeedDrain) this.#call?.onBodyPause()
  }

  end(): void {
    if (this.#gone || this.#requestDone) return
    if (!this.#isChunkedRequest && this.#owed !== 0) return this.#fail('WRONG_LENGTH')
    this.#requestDone = true
    if (this.#isChunkedRequest) this.#socket.write('0\r\n\r\n', 'latin1')
  }

  readonly #onDrain = (): void => {
    if (!this.#requestDone) this.#call?.onBodyResume()
  }

  // --- the answer ---

  pause(): void {
    if (this.#gone) return
    this.#paused = true
    this.#deadline = 0
    this.#socket.pause()
  }

  resume(): void {
    if (this.#gone || !this.#paused) return
    this.#paused = false
    this.#deadline = deadlineIn(this.#call?.betweenBytesMs ?? this.#keepAliveMs)
    if (this.#pending !== null) process.nextTick(this.#onMore)
    this.#socket.resume()
  }

  abort(): void {
    this.#call = null
    this.destroy()
  }

  readonly #onMore = (): void => this.#read()

  readonly #onData = (chunk: Buffer): void => {
    this.#pending = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk])
    this.#read()
    // What is left has to outlive this call.
    if (this.#pending !== null) this.#pending = Buffer.from(this.#pending)
  }

  #read(): void {
    if (this.#reading) return
    this.#reading = true
    while (this.#pending !== null && !this.#gone && !this.#paused) {
      const bytes = this.#pending
      // Bytes that nobody asked for would be taken for the next answer.
      if (this.#call === null) this.destroy()
      else if (this.#head === null) {
        if (!this.#readHead(this.#call, bytes)) break
      } else this.#readBody(this.#call, this.#head, bytes)
    }
    this.#reading = false
  }

  /** False: more bytes are needed, or the connection is not ours any more. */
  #readHead(call: UpstreamCall, bytes: Buffer): boolean {
    const known = this.#known
    const isToHead = call.method === 'HEAD'
    if (known !== null && !this.#headReader.isBegun && !isToHead && known.standsIn(bytes)) {
      const used = known.length
      this.#pending = used === bytes.length ? null : bytes.subarray(used)
      const isFollowed = this.#pending !== null || known.head.bodyLength === 0
      this.#begin(call, known.head, isFollowed ? known.kept() : null)
      return true
    }
    const reader = this.#headReader
    const used = reader.read(bytes, 0)
    if (used < 0) {
      this.#pending = null
      if (used !== MORE) this.#fail('BAD_ANSWER')
      return false
    }
    const head = parseResponseHead(reader.text, MAX_FIELDS, isToHead)
    this.#pending = used === bytes.length ? null : bytes.subarray(used)
    if (head === null) {
      this.#fail('BAD_ANSWER')
      return false
    }
    if (head.status < 200) return this.#readInterim(call, head)
    this.#known = isToHead || used !== reader.text.length ? null : keepHead(reader.text, head)
    this.#begin(call, head, null)
    return true
  }

  #begin(call: UpstreamCall, head: ResponseHead, kept: KeptAnswer | null): void {
    this.#head = head
    this.#left = head.bodyLength
    this.#chunks = head.bodyLength === CHUNKED ? new ChunkedDecoder() : null
    this.#deadline = deadlineIn(call.betweenBytesMs)
    call.onHead(head.status, head.headers, kept)
    if (head.bodyLength === 0 && this.#call === call) this.#finish(null)
  }

  #readInterim(call: UpstreamCall, head: ResponseHead): boolean {
    if (head.status === 101) {
      if (call.isWebSocket) this.#handOver(call, head)
      else this.#fail('BAD_ANSWER')
      return false
    }
    if (++this.#informational > MAX_INFORMATIONAL) {
      this.#fail('BAD_ANSWER')
      return false
    }
    if (head.status !== 100) call.onInformational(head.status, head.headers)
    return true
  }

  #readBody(call: UpstreamCall, head: ResponseHead, bytes: Buffer): void {
    this.#deadline = deadlineIn(call.betweenBytesMs)
    if (this.#chunks !== null) {
      this.#readChunks(call, this.#chunks, bytes)
      return
    }
    if (head.bodyLength === UNTIL_CLOSE) {
      this.#pending = null
      call.onData(bytes)
      return
    }
    const piece = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes
    this.#pending = piece.length === bytes.length ? null : bytes.subarray(piece.length)
    this.#left -= piece.length
    call.onData(piece)
    if (this.#left === 0 && this.#call === call) this.#finish(null)
  }

  #readChunks(call: UpstreamCall, chunks: ChunkedDecoder, bytes: Buffer): void {
    this.#pending = null
    const used = chunks.decode(bytes, (piece) => {
      call.onData(piece)
      return this.#call === call && !this.#paused
    })
    if (this.#call !== call) return
    if (chunks.bad) {
      this.#fail('BAD_ANSWER')
      return
    }
    this.#pending = used === bytes.length ? null : bytes.subarray(used)
    if (chunks.ended) this.#finish(chunks.trailers.length === 0 ? null : chunks.trailers)
  }

  /** The answer is whole. The connection is kept where nothing is left over on either side. */
  #finish(trailers: string[] | null): void {
    const call = this.#call!
    // After a handshake that was refused, the other side may take what comes next for frames.
    const isKept = this.#requestDone && this.#head!.isPersistent && this.#pending === null && !call.isWebSocket
    if (this.#paused && isKept) {
      this.#paused = false
      this.#socket.resume()
    }
    this.#call = null
    this.#head = null
    this.#chunks = null
    this.#deadline = deadlineIn(this.#keepAliveMs)
    // First the connection, then the caller: its next request finds it idle.
    if (isKept) this.#keeper.onIdle(this)
    else this.destroy()
    call.onEnd(trailers)
  }

  #handOver(call: UpstreamCall, head: ResponseHead): void {
    const socket = this.#socket
    this.#leave()
    this.#inlet.intoStream()
    socket.off('drain', this.#onDrain)
    socket.off('end', this.#onSocketEnd)
    socket.off('close', this.#onSocketClose)
    socket.off('error', this.#onSocketError)
    socket.pause()
    if (this.#pending !== null) socket.unshift(Buffer.from(this.#pending))
    this.#pending = null
    this.#call = null
    call.onUpgrade(head.headers, socket)
  }

  // --- ending ---

  #fail(code: UpstreamErrorCode): void {
    this.#lose(new UpstreamError(code))
  }

  #lose(error: Error): void {
    const call = this.#call
    this.#call = null
    this.destroy()
    call?.onFailure(error)
  }

  readonly #onSocketEnd = (): void => {
    const call = this.#call
    if (call !== null && this.#head?.bodyLength === UNTIL_CLOSE && this.#pending === null) {
      this.#call = null
      this.destroy()
      call.onEnd(null)
      return
    }
    this.#fail('CLOSED')
  }

  readonly #onSocketClose = (): void => this.#fail('CLOSED')

  readonly #onSocketError = (error: Error): void => this.#lose(error)

  destroy(): void {
    if (this.#gone) return
    this.#leave()
    this.#pending = null
    this.#socket.destroy()
  }

  #leave(): void {
    this.#gone = true
    leaveClock(this)
    this.#keeper.onGone(this)
  }

  onTick(now: number): void {
    if (this.#deadline === 0 || now < this.#deadline) return
    this.#deadline = 0
    if (this.#call === null) this.destroy()
    else this.#fail(this.#head === null ? 'HEAD_TIMEOUT' : 'BODY_TIMEOUT')
  }
}
