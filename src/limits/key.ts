/**
 * Makes the key under which a request is counted. What a client wrote is never in a key as it is: only its hash, so that
 * no value is long, none can be taken for another one, and no secret comes to the store. Knows no counter.
 */
import { createHash } from 'node:crypto'
import type { Exchange } from '../exchange/exchange.ts'
import { clientKey } from '../http/address.ts'
import { joinHeader } from '../http/headers.ts'
import { readBodyField } from './body-field.ts'

/** Between parts; no value of a part contains it, and each rule has its own number of parts: keys are told apart. */
const BETWEEN = '|'
/** Stands where the client sent nothing; no value is that short a word (see `plain`). */
const MISSING = '-'
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
/** Before a hash: no plain word begins with it. */
const HASHED = '~'

/** Value of one part; null where the client sent none. */
type ReadPart = (x: Exchange, event: string) => string | null

export class Key {
  /** As configured, for people. */
  readonly parts: readonly string[]
  readonly #reads: readonly ReadPart[]
  readonly #skipsMissing: boolean

  /** `parts` by the grammar of the configuration. `ipv6Prefix` null: what the listener's plan says. */
  constructor(parts: readonly string[], skipsMissing: boolean, ipv6Prefix: number | null) {
    this.parts = parts
    this.#skipsMissing = skipsMissing
    this.#reads = parts.map((part) => reader(part, ipv6Prefix))
  }

  get isByUser(): boolean {
    return this.parts.includes('user')
  }

  /** Names of fields of the body. */
  get fields(): string[] {
    return this.parts.filter((part) => part.startsWith('field ')).map((part) => part.slice('field '.length))
  }

  /**
   * The key, at most some 150 characters long; null where the request is not counted. `event` is a name of the
   * configuration or a fixed word.
   */
  of(x: Exchange, event = ''): string | null {
    let key = ''
    for (let i = 0; i < this.#reads.length; i++) {
      const value = this.#reads[i]!(x, event)
      if (value === null && this.#skipsMissing) return null
      key = i === 0 ? (value ?? MISSING) : `${key}${BETWEEN}${value ?? MISSING}`
    }
    return key
  }
}

function reader(part: string, ipv6Prefix: number | null): ReadPart {
  const space = part.indexOf(' ')
  const name = part.slice(space + 1)
  switch (space === -1 ? part : part.slice(0, space)) {
    case 'address':
      return ipv6Prefix === null ? readClientKey : (x) => clientKey(x.clientAddress, ipv6Prefix)
    case 'user':
      return (x) => (x.user === '' ? null : hashed(x.user))
    case 'route':
      return (x) => plain(x.route?.name ?? '')
    case 'method':
      return (x) => plain(x.method)
    case 'host':
      return (x) => plain(x.host)
    case 'event':
      return (_x, event) => plain(event)
    case 'header':
      return headerReader(name.toLowerCase())
    case 'field':
      return fieldReader(name)
    case 'cookie':
      return cookieReader(name)
    default:
      return () => 'all'
  }
}

const readClientKey: ReadPart = (x) => x.clientKey

function fieldReader(name: string): ReadPart {
  return (x) => {
    const read = readBodyField(x, name)
    return read === null || read === 'repeated' ? null : hashed(read.value)
  }
}

function headerReader(name: string): ReadPart {
  return (x) => {
    const value = joinHeader(x.headers, name)
    return value === null || value === '' ? null : hashed(value)
  }
}

/** The first cookie of this name (RFC 6265, 5.4). What it is worth, the client says: it may leave it out or change it. */
function cookieReader(name: string): ReadPart {
  return ({ headers }) => {
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i] !== 'cookie') continue
      for (const each of headers[i + 1]!.split(';')) {
        const equals = each.indexOf('=')
        if (equals === -1 || each.slice(0, equals).trim() !== name) continue
        const value = each.slice(equals + 1).trim()
        return value === '' ? null : hashed(value)
      }
    }
    return null
  }
}

/** A short word as it is, anything else hashed. */
function plain(text: string): string {
  return PLAIN.test(text) ? text : hashed(text)
}

function hashed(text: string): string {
  return HASHED + createHash('sha256').update(text).digest('base64url').slice(0, 22)
}
