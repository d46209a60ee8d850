/**
 * Compression of WebSocket messages (permessage-deflate, RFC 7692): which offer is taken, and one message inflated or
 * deflated by itself. No context is kept from one message to the next, on either side. It knows no frame and no socket.
 */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'

/** What was agreed with a client. */
export interface DeflateAgreement {
  /** Base-2 logarithm of the window that the server may use. */
  readonly windowBits: number
  /** The value of Sec-WebSocket-Extensions in the answer. */
  readonly answer: string
}

const NAME = 'permessage-deflate'
const MAX_FIELD = 1024
const MAX_OFFERS = 16
const ELEMENT =
  /[\t ]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[\t ]*(?:=[\t ]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|"([^"\\]*)"))?[\t ]*([;,]|$)/y

/** Window for messages to the client: smaller than the largest, since each is compressed alone. */
const WINDOW_BITS = 13
const MEM_LEVEL = 7
/** RFC 7692, 7.2.1: what stands at the end of every message, and is left out. */
const TAIL = Buffer.from([0, 0, 0xff, 0xff])

interface Offer {
  readonly name: string
  /** '' where a parameter has no value. */
  readonly parameters: ReadonlyMap<string, string>
}

/**
 * Takes the first offer that can be met (RFC 7692, 5.1 and 7.1); null where there is none, or where the field is malformed.
 * The answer forbids both sides to keep context, which every client that speaks the extension has to heed.
 */
export function agreeOnDeflate(field: string | null): DeflateAgreement | null {
  const offers = field === null ? null : readOffers(field)
  if (offers === null) return null
  for (const { name, parameters } of offers) {
    const agreement = name === NAME ? agreeTo(parameters) : null
    if (agreement !== null) return agreement
  }
  return null
}

function agreeTo(parameters: ReadonlyMap<string, string>): DeflateAgreement | null {
  let answer = `${NAME}; server_no_context_takeover; client_no_context_takeover`
  let windowBits = WINDOW_BITS
  for (const [name, value] of parameters) {
    switch (name) {
      case 'server_no_context_takeover':
      case 'client_no_context_takeover':
        if (value !== '') return null
        break
      case 'server_max_window_bits':
        // zlib has no raw deflate with a window of 2^8.
        if (!/^(?:9|1[0-5])$/.test(value)) return null
        windowBits = Math.min(windowBits, Number(value))
        answer += `; server_max_window_bits=${value}`
        break
      case 'client_max_window_bits':
        // Whatever the client uses can be read.
        if (value !== '' && !/^(?:[89]|1[0-5])$/.test(value)) return null
        break
      default:
        return null
    }
  }
  return { windowBits, answer }
}

/** Null where the field is malformed, repeats a parameter, or is longer than anyone needs. */
function readOffers(field: string): Offer[] | null {
  if (field.length > MAX_FIELD) return null
  const offers: Offer[] = []
  let parameters: Map<string, string> | null = null
  for (let at = 0; at < field.length; ) {
    ELEMENT.lastIndex = at
    const found = ELEMENT.exec(field)
    if (found === null) return null
    at = ELEMENT.lastIndex
    const [, name, token, quoted, end] = found
    const value = token ?? quoted
    if (parameters === null) {
      if (value !== undefined || offers.length === MAX_OFFERS) return null
      parameters = new Map()
      offers.push({ name: name!, parameters })
    } else {
      if (parameters.has(name!) || value === '') return null
      parameters.set(name!, value ?? '')
    }
    if (end === ',') parameters = null
    if (end !== '' && at === field.length) return null
  }
  return offers
}

/** The message; `too-large` where it is over `maxBytes`, null where it cannot be read. */
export function inflateMessage(compressed: Buffer, maxBytes: number): Buffer | 'too-large' | null {
  try {
    return inflateRawSync(Buffer.concat([compressed, TAIL]), {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: Math.max(1, maxBytes),
    })
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large' : null
  }
}

/** One message, compressed by itself. */
export function deflateMessage(message: Buffer, windowBits: number): Buffer {
  const deflated = deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH, windowBits, memLevel: MEM_LEVEL })
  return deflated.subarray(0, deflated.length - TAIL.length)
}
