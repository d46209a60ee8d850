/**
 * The gateway's own WebSocket handshake with the upstream (RFC 6455, 4): its own key, no extensions, and an answer that
 * is checked in full. The client's half is answered from the client's own key.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Exchange } from '../exchange/exchange.ts'
import { countHeader, getHeader, type HeaderList, joinHeader, withoutFields } from '../http/headers.ts'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

export interface Handshake {
  readonly key: string
  readonly expected: string
  /** Subprotocols that the client offered. */
  readonly offered: readonly string[]
}

export function makeHandshake(x: Exchange): Handshake {
  const key = randomBytes(16).toString('base64')
  const offered = joinHeader(x.headers, 'sec-websocket-protocol')
  return {
    key,
    expected: acceptFor(key),
    offered: offered === null ? [] : offered.split(',').map((each) => each.trim()),
  }
}

export function handshakeHeaders(handshake: Handshake): HeaderList {
  return ['sec-websocket-key', handshake.key, 'sec-websocket-version', '13']
}

/** RFC 6455, 4.1: the right accept value, no extension, a subprotocol only out of those that were offered. */
export function acceptsHandshake(handshake: Handshake, headers: HeaderList): boolean {
  const protocol = getHeader(headers, 'sec-websocket-protocol')
  return (
    getHeader(headers, 'sec-websocket-accept') === handshake.expected &&
    countHeader(headers, 'sec-websocket-extensions') === 0 &&
    countHeader(headers, 'sec-websocket-protocol') <= 1 &&
    (protocol === null || handshake.offered.includes(protocol))
  )
}

/** The fields of the upstream's answer for the client: its accept value is made from the client's key. */
export function answerHeaders(x: Exchange, headers: HeaderList): HeaderList {
  const out = withoutFields(headers, (name) => name === 'sec-websocket-accept' || name === 'content-length')
  const key = getHeader(x.headers, 'sec-websocket-key')
  if (x.head.protocol !== 'h2' && key !== null) out.push('sec-websocket-accept', acceptFor(key))
  return out
}

function acceptFor(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64')
}
