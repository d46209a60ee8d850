/** Request ids and W3C trace context: made, checked, continued. Knows no exporter. */
import { randomFillSync } from 'node:crypto'

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const ALL_ZERO = /^0+$/
const REQUEST_ID = /^[A-Za-z0-9._~+/=-]{1,128}$/

export interface TraceContext {
  /** 32 lower-case hex digits. */
  readonly traceId: string
  /** 16 lower-case hex digits: the span of whoever sent it. */
  readonly parentId: string
  /** 2 lower-case hex digits; bit 0 is `sampled`. */
  readonly flags: string
}

/** Reads a traceparent field (W3C Trace Context, 3.2). Null where it is malformed: then a new trace starts. */
export function parseTraceparent(text: string | null): TraceContext | null {
  if (text === null || text.length > 512) return null
  const found = TRACEPARENT.exec(text)
  if (found === null) return null
  const [, version, traceId, parentId, flags, more] = found as unknown as [
    string,
    string,
    string,
    string,
    string,
    string?,
  ]
  if (version === 'ff' || (version === '00' && more !== undefined)) return null
  if (ALL_ZERO.test(traceId) || ALL_ZERO.test(parentId)) return null
  return { traceId, parentId, flags }
}

/**
 * The traceparent for the upstream: a new span in the given trace, or in a new one. A new trace says `sampled`, because
 * services that sample by their parent would otherwise record nothing behind the gateway.
 */
export function makeTraceparent(from: TraceContext | null): string {
  // Only bit 0 has a meaning in version 00, which is what is sent.
  if (from === null) {
    const both = randomHex(24)
    return `00-${both.slice(0, 32)}-${both.slice(32)}-01`
  }
  return `00-${from.traceId}-${randomHex(8)}-${Number.parseInt(from.flags, 16) & 1 ? '01' : '00'}`
}

/** A new request id: 32 hex digits from the system's random source. */
export function makeRequestId(): string {
  return randomHex(16)
}

/** True where a request id of a trusted proxy may be kept: short and harmless in logs and headers. */
export function isRequestId(text: string): boolean {
  return REQUEST_ID.test(text)
}

/** Random bytes for some hundred ids at once: a call to the random source costs as much as all the rest of an id. */
const POOL_BYTES = 4096
const pool = Buffer.allocUnsafeSlow(POOL_BYTES)
let used = POOL_BYTES

/** A text of its own: one that is kept keeps no others. */
function randomHex(bytes: number): string {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  const from = used
  used += bytes
  return pool.toString('hex', from, used)
}
