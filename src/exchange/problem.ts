/** The body of a refusal: RFC 9457 for programs, a small page for people. It says nothing that the client sent. */
import type { Failure } from '../errors.ts'
import { getHeader, type HeaderList } from '../http/headers.ts'
import type { ErrorPages } from './error-pages.ts'

export interface Problem {
  readonly type: string
  readonly body: Buffer
}

/** By Accept; JSON where both are welcome. */
export function describeProblem(
  failure: Failure,
  requestHeaders: HeaderList,
  requestId: string,
  pages: ErrorPages | null,
): Problem {
  const { status, message, code } = failure
  if (getHeader(requestHeaders, 'accept')?.includes('text/html')) {
    const own = pages === null ? null : pages.page(failure, requestId)
    if (own !== null) return { type: 'text/html; charset=utf-8', body: own }
    const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${status} ${message}</title><meta name="viewport" content="width=device-width"><h1>${message}</h1><p>Status ${status}. If you ask for help, give this number: <code>${requestId}</code></p></html>\n`
    return { type: 'text/html; charset=utf-8', body: Buffer.from(page) }
  }
  const json = { type: 'about:blank', title: message, status, code, requestId }
  return { type: 'application/problem+json', body: Buffer.from(`${JSON.stringify(json)}\n`) }
}

/** What the status of a refusal asks for beside it (RFC 9110, 15.5.6 and 15.6.4). `allow`: the methods of the place. */
export function refusalHeaders({ code, status }: Failure, allow: string): HeaderList {
  if (code === 'wrong-method') return ['allow', allow]
  return status === 503 ? ['retry-after', '1'] : []
}
