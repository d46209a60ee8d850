/**
 * The stage that opens the token of a sealed route: the service gets the value, the exchange (and so every log) keeps the
 * token. What is no token stays out of the logs too: it may be the number that must not stand there.
 */
import { type SealedPath, segmentAt } from '../config/sealed-path.ts'
import type { FailureCode } from '../errors.ts'
import { DONE, GO, type Metrics, type Stage, type Step } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { joinHeader, withoutFields } from '../http/headers.ts'
import { looksLikeToken, type UrlTokens } from './url-token.ts'

export interface SealedPlace {
  readonly kind: string
  /** A path, or the name of a query parameter. */
  readonly at: SealedPath | string
  /** Null: in the place of the token. */
  readonly to: { readonly query: string } | { readonly header: string } | null
}

/** Where in a target the token was found, and what stands around it. */
interface Found {
  readonly token: string
  /** The target with something else in the token's place; null leaves the place out. */
  readonly withValue: (value: string | null) => string
}

/** What an identifier must not be where it becomes a segment of a path: the service would walk by it. */
const DOTS = /^\.{1,2}$/
const FIELD_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/

export function makeOpenSealed(place: SealedPlace, tokens: UrlTokens, metrics: Metrics): Stage {
  const isInPath = typeof place.at !== 'string'
  return (x) => {
    const found = typeof place.at === 'string' ? inQuery(x, place.at) : inPath(x, place.at)
    const reading = found === null ? null : tokens.open(place.kind, found.token)
    if (found === null || reading === null || reading.kind === 'invalid') {
      if (isInPath) hidePath(x, place.at as SealedPath)
      return refuse(x, metrics, 'link-invalid')
    }
    if (reading.kind === 'expired') return refuse(x, metrics, 'link-expired')
    if (!forward(x, place, found, reading.value)) return refuse(x, metrics, 'link-invalid')
    metrics.count('url_tokens_total', 'opened')
    return GO
  }
}

function forward(x: Exchange, { to, at }: SealedPlace, found: Found, value: string): boolean {
  if (to === null) {
    if (typeof at !== 'string' && DOTS.test(value)) return false
    x.sentTarget = found.withValue(encodeURIComponent(value))
    return true
  }
  const rest = found.withValue(null)
  if ('header' in to) {
    // Connection would take the field away before the service reads it.
    if (!FIELD_VALUE.test(value) || nominates(x, to.header)) return false
    x.headers = withoutFields(x.headers, (name) => name === to.header)
    x.headers.push(to.header, value)
    x.sentTarget = rest
    return true
  }
  // A parameter of this name that the client wrote itself would be read instead, or beside.
  const mark = rest.indexOf('?')
  if (mark !== -1 && parametersOf(rest.slice(mark + 1)).some((each) => nameOf(each) === to.query)) return false
  x.sentTarget = `${rest}${mark === -1 ? '?' : '&'}${to.query}=${encodeURIComponent(value)}`
  return true
}

function inPath(x: Exchange, place: SealedPath): Found | null {
  const token = segmentAt(place, x.path)
  if (token === null) return null
  const behind = x.path.slice(place.before.length + token.length) + x.query
  return { token, withValue: (value) => `${place.before}${value ?? '-'}${behind}` }
}

function inQuery(x: Exchange, name: string): Found | null {
  const parameters = parametersOf(x.query.slice(1))
  const named = parameters.filter((each) => nameOf(each) === name)
  const first = named[0]
  if (named.length !== 1 || first === undefined || !first.startsWith(`${name}=`)) return null
  return {
    token: first.slice(name.length + 1),
    withValue: (value) => {
      const kept = parameters
        .map((each) => (each === first ? (value === null ? null : `${name}=${value}`) : each))
        .filter((each) => each !== null)
      return kept.length === 0 ? x.path : `${x.path}?${kept.join('&')}`
    },
  }
}

function nominates(x: Exchange, name: string): boolean {
  const nominated = joinHeader(x.headers, 'connection') ?? ''
  return nominated.split(',').some((each) => each.trim().toLowerCase() === name)
}

/** A semicolon divides parameters too, for some services. */
function parametersOf(query: string): string[] {
  return query === '' ? [] : query.split(/[&;]/)
}

/** As a service may read it. */
function nameOf(parameter: string): string {
  const raw = parameter.split('=', 1)[0]!.replaceAll('+', ' ')
  try {
    return decodeURIComponent(raw)
  } catch {
    return raw
  }
}

/** What stands in the place of a token without being one must reach no log. */
function hidePath(x: Exchange, place: SealedPath): void {
  const segment = segmentAt(place, x.path)
  if (segment !== null && looksLikeToken(segment)) return
  x.path = `${place.before}[not-a-token]`
}

function refuse(x: Exchange, metrics: Metrics, code: FailureCode): Step {
  metrics.count('url_tokens_total', code === 'link-expired' ? 'expired' : 'refused')
  x.refuse(code)
  return DONE
}
