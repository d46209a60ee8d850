/** Answers of a route that no service gives: always the same, or a way elsewhere. They repeat nothing but the path's own parts. */
import type { Responder } from '../exchange/contracts.ts'
import type { HeaderList } from '../http/headers.ts'
import { makeTranslation } from '../http/path-pattern.ts'

/** `body` null: none. */
export function makeFixed(status: number, headers: HeaderList, body: Buffer | null): Responder {
  return (x) => x.respond(status, headers, body)
}

export interface RedirectWish {
  /** A path, or an origin and a path. */
  readonly to: string
  readonly status: number
  readonly query: 'keep' | 'drop'
}

/** The origin is the operator's, and no part of a normalised path begins another one: nobody is led where a link says. */
export function makeRouteRedirect(path: string, { to, status, query }: RedirectWish): Responder {
  const at = to.startsWith('/') ? 0 : to.indexOf('/', to.indexOf('//') + 2)
  const origin = to.slice(0, at)
  const translate = makeTranslation(path, to.slice(at))!
  return (x) => {
    const found = translate(x.path)
    if (found === null) return x.refuse('no-route')
    x.respond(status, ['location', `${origin}${found}${query === 'keep' ? x.query : ''}`], null)
  }
}
