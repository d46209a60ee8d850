/** The answer of the plain HTTP port: 308 to the HTTPS origin, and 403 where a program should have known better. */
import type { Responder } from '../exchange/contracts.ts'
import type { Router } from '../exchange/router.ts'

/**
 * @param port The HTTPS port that clients see.
 * @param router Of the HTTPS listener: tells which routes are for programs.
 */
export function makeRedirect(port: number, router: Router): Responder {
  const suffix = port === 443 ? '' : `:${port}`
  return (x) => {
    // A program that sent its secrets in the clear must fail, not be led on (and send them twice).
    if (router(x.host, x.path, x.method, x.headers)?.route.isApi) return x.refuse('https-required')
    const path = x.path === '*' ? '/' : x.path
    x.respond(308, ['location', `https://${x.host}${suffix}${path}${x.query}`], null)
  }
}
