/**
 * Cross-origin resource sharing (Fetch, 3.2): which pages of other origins may read the answers of a route. What the gateway says
 * stands in place of what a service says. It knows no WebSocket, which has a list of its own.
 */
import { countHeader, getHeader, type HeaderList, hasHeader } from '../http/headers.ts'
import { DONE, GO, type Stage, type Step } from './contracts.ts'
import type { Exchange } from './exchange.ts'

/** What only the gateway says on a route with rules of its own. */
export const CROSS_ORIGIN_FIELDS = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-allow-private-network',
  'access-control-expose-headers',
  'access-control-max-age',
] as const

export interface CrossOriginWish {
  /** Exact: `https://host[:port]`. */
  readonly origins: readonly string[]
  readonly credentials: boolean
  /** Fields of requests, lower case, beside those that any page may send. */
  readonly headers: readonly string[]
  /** Fields of answers, lower case, beside those that any page may read. */
  readonly expose: readonly string[]
  /** Milliseconds. */
  readonly maxAge: number
}

/** The rules of one route. Built once, at load. */
export class CrossOrigin {
  readonly #origins: ReadonlySet<string>
  readonly #always: HeaderList
  readonly #preflight: HeaderList

  constructor(wish: CrossOriginWish, methods: Iterable<string>) {
    const { origins, credentials, headers, expose, maxAge } = wish
    this.#origins = new Set(origins)
    this.#always = credentials ? ['access-control-allow-credentials', 'true'] : []
    this.#preflight = [
      ...['access-control-allow-methods', [...methods].join(', ')],
      ...(headers.length === 0 ? [] : ['access-control-allow-headers', headers.join(', ')]),
      ...['access-control-max-age', String(Math.floor(maxAge / 1000))],
    ]
    if (expose.length > 0) this.#always.push('access-control-expose-headers', expose.join(', '))
  }

  /** `null`, which any sandboxed page is, is never on a list. */
  isWelcome(origin: string | null): boolean {
    return origin !== null && this.#origins.has(origin)
  }

  /** First of the route's stages: errors of the gateway may be read too. */
  readonly tell: Stage = (x) => {
    const origin = originOf(x)
    if (!x.isWebSocket && this.isWelcome(origin)) {
      x.answerHeaders.push('access-control-allow-origin', origin!, ...this.#always)
    }
    return GO
  }

  /** Behind the limits, and before a sign-in: a browser asks without credentials. */
  readonly answerPreflight: Stage = (x): Step => {
    if (!isPreflight(x)) return GO
    if (!this.isWelcome(originOf(x))) {
      x.refuse('origin-denied')
      return DONE
    }
    x.answerHeaders.push(...this.#preflight)
    x.respond(204, ['vary', 'access-control-request-method, access-control-request-headers'], null)
    return DONE
  }
}

function originOf(x: Exchange): string | null {
  return countHeader(x.headers, 'origin') === 1 ? getHeader(x.headers, 'origin') : null
}

/** A browser asks so whether a page of another origin may send (Fetch, 4.8), and never with a token. */
export function isPreflight(x: Exchange): boolean {
  return (
    x.method === 'OPTIONS' && hasHeader(x.headers, 'origin') && hasHeader(x.headers, 'access-control-request-method')
  )
}
