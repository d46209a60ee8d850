/**
 * Brings a client back to its endpoint: by the session id of socket.io's long-polling, which carries the mark of the
 * endpoint while it is outside, or by a cookie. Nothing is remembered here, so that every gateway reads the same.
 */
import { createHash, createHmac } from 'node:crypto'
import type { ServiceConfig } from '../config/shape.ts'
import type { AnswerFilter } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { getHeader, type HeaderList, withoutFields } from '../http/headers.ts'
import type { Endpoint } from './endpoint.ts'
import { markOpenPacket } from './open-packet.ts'
import type { Seeker } from './seeker.ts'

export interface Affinity {
  /** Says where the client belongs, in `seeker`. @returns The target to send on. */
  read(x: Exchange, seeker: Seeker, target: string): string
  /** The filter of the answer, around one that is there. */
  filter(x: Exchange, seeker: Seeker, inner: AnswerFilter | null): AnswerFilter | null
  /** The fields of an answer that is about to go, which may tell the client where it belongs from now on. */
  settle(x: Exchange, endpoint: Endpoint, headers: HeaderList): HeaderList
}

type Find = (id: string) => Endpoint | null

export function makeAffinity(service: string, config: NonNullable<ServiceConfig['sticky']>, find: Find): Affinity {
  if (config.by === 'socket.io') return new SessionAffinity(find)
  return new CookieAffinity(config.cookie ?? defaultCookie(service), config.sameSite, find)
}

const ID_CHARACTERS = 12

/** What clients may know of an endpoint: no address, and nothing that an address could be guessed from without the key. */
export function opaqueId(service: string, url: string, position: number, key: string | null): string {
  if (key === null) return String(position + 1)
  return createHmac('sha256', key).update(`${service}\n${url}`).digest('base64url').slice(0, ID_CHARACTERS)
}

function defaultCookie(service: string): string {
  return `__Host-node-${createHash('sha256').update(service).digest('hex').slice(0, 6)}`
}

const ENGINE_IO = /[?&]EIO=[34](?:&|$)/
const POLLING = /[?&]transport=polling(?:&|$)/
const SESSION = /[?&]sid=/
/** `sid=ID.` and what the service itself made. */
const MARKED = /([?&]sid=)([\w-]{1,16})\.(?=[\w-])/

class SessionAffinity implements Affinity {
  readonly #find: Find

  constructor(find: Find) {
    this.#find = find
  }

  read(_x: Exchange, seeker: Seeker, target: string): string {
    if (!ENGINE_IO.test(target)) return target
    const found = MARKED.exec(target)
    // Of two, nobody knows which one the service will take.
    if (found === null || SESSION.test(target.slice(found.index + 1))) return target
    const endpoint = this.#find(found[2]!)
    if (endpoint === null) return target
    seeker.pin = endpoint
    seeker.isBound = true
    return target.slice(0, found.index) + found[1]! + target.slice(found.index + found[0].length)
  }

  filter(x: Exchange, seeker: Seeker, inner: AnswerFilter | null): AnswerFilter | null {
    const { query } = x
    if (x.isWebSocket || x.method !== 'GET') return inner
    if (!ENGINE_IO.test(query) || !POLLING.test(query) || SESSION.test(query)) return inner
    return new OpeningFilter(seeker, inner)
  }

  settle(_x: Exchange, _endpoint: Endpoint, headers: HeaderList): HeaderList {
    return headers
  }
}

const MOST_OPENING_BYTES = 16 * 1024
const EMPTY = Buffer.alloc(0)

/** The answer that opens a session: read whole, marked, and then given to the filter behind it. */
class OpeningFilter implements AnswerFilter {
  readonly #seeker: Seeker
  readonly #inner: AnswerFilter | null
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #status = 0
  #isPassed = false
  held: HeaderList = []
  failure: AnswerFilter['failure'] = 'answer-too-large'

  constructor(seeker: Seeker, inner: AnswerFilter | null) {
    this.#seeker = seeker
    this.#inner = inner
  }

  onHead(status: number, headers: HeaderList): HeaderList | null {
    this.#status = status
    if (status === 200) {
      this.held = withoutFields(headers, (name) => name === 'content-length' || name === 'etag')
      return null
    }
    this.#isPassed = true
    if (this.#inner === null) return headers
    const shown = this.#inner.onHead(status, headers)
    this.held = this.#inner.held
    return shown
  }

  onData(chunk: Buffer): Buffer | null {
    if (this.#isPassed) return this.#inner === null ? chunk : this.#told(this.#inner.onData(chunk))
    this.#bytes += chunk.length
    if (this.#bytes > MOST_OPENING_BYTES) return null
    this.#chunks.push(chunk)
    return EMPTY
  }

  onEnd(): Buffer | null {
    const inner = this.#inner
    if (this.#isPassed) return inner === null ? EMPTY : this.#told(inner.onEnd())
    const body = markOpenPacket(Buffer.concat(this.#chunks), this.#seeker.endpoint!.id)
    if (inner === null) return body
    const shown = inner.onHead(this.#status, this.held)
    this.held = shown ?? inner.held
    const start = this.#told(inner.onData(body))
    const rest = start === null ? null : this.#told(inner.onEnd())
    return start === null || rest === null ? null : Buffer.concat([start, rest])
  }

  #told(piece: Buffer | null): Buffer | null {
    if (piece === null) this.failure = this.#inner!.failure
    return piece
  }
}

class CookieAffinity implements Affinity {
  readonly #name: string
  readonly #attributes: string
  readonly #find: Find

  constructor(name: string, sameSite: string, find: Find) {
    this.#name = name
    this.#attributes = `; Path=/; Secure; HttpOnly; SameSite=${sameSite[0]!.toUpperCase()}${sameSite.slice(1)}`
    this.#find = find
  }

  /** The cookie is the gateway's own: the service does not see it. */
  read(x: Exchange, seeker: Seeker, target: string): string {
    const start = `${this.#name}=`
    const headers: HeaderList = []
    let found: string | null = null
    for (let i = 0; i < x.headers.length; i += 2) {
      const name = x.headers[i]!
      let value = x.headers[i + 1]!
      if (name === 'cookie' && value.includes(start)) {
        const parts = value.split(/; ?/)
        found ??= parts.find((part) => part.startsWith(start))?.slice(start.length) ?? null
        value = parts.filter((part) => !part.startsWith(start)).join('; ')
        if (value === '') continue
      }
      headers.push(name, value)
    }
    if (found !== null) {
      x.headers = headers
      seeker.pin = this.#find(found)
    }
    return target
  }

  filter(_x: Exchange, _seeker: Seeker, inner: AnswerFilter | null): AnswerFilter | null {
    return inner
  }

  settle(x: Exchange, endpoint: Endpoint, headers: HeaderList): HeaderList {
    if (this.#isTold(x, endpoint)) return headers
    return [...headers, 'set-cookie', `${this.#name}=${endpoint.id}${this.#attributes}`]
  }

  #isTold(x: Exchange, endpoint: Endpoint): boolean {
    // What the client sent, before this cookie was taken out.
    const sent = getHeader(x.head.headers, 'cookie')
    return sent?.split(/; ?/).includes(`${this.#name}=${endpoint.id}`) ?? false
  }
}
