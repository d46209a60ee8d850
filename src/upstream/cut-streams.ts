/**
 * Tells HTTP/2 streams whose other side ended them from those that were only closed. A reset with NO_ERROR is fine after a whole
 * answer (RFC 9113, 8.1); before its end node shows it like one. It knows streams, and neither undici nor calls.
 */
import { channel } from 'node:diagnostics_channel'
import type { ClientHttp2Stream } from 'node:http2'

/** Someone whose request the next stream carries. */
export interface StreamUser {
  /** The stream was closed before its other side ended it; told before any reader sees an end. */
  onCut(): void
}

const users = new WeakMap<ClientHttp2Stream, StreamUser>()
let next: StreamUser | null = null

/** The next stream that is made, in the same turn, is this one's. */
export function expectStream(user: StreamUser): void {
  next = user
}

/** Whether the end has come, read or not: node tells it nowhere else (`readableEnded` is about what was read). */
interface EndKnown {
  readonly _readableState: { readonly ended: boolean }
}

interface Message {
  readonly stream: ClientHttp2Stream & EndKnown
}

channel('http2.client.stream.created').subscribe((message) => {
  if (next === null) return
  users.set((message as Message).stream, next)
  next = null
})

channel('http2.client.stream.close').subscribe((message) => {
  const { stream } = message as Message
  const user = users.get(stream)
  if (user !== undefined && !stream._readableState.ended) user.onCut()
})
