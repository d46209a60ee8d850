/**
 * The pages of people who sign in by a provider: there, back, and out. No page needs a script. It decides nothing about who
 * somebody is: the desk does.
 */
import { Failure } from '../errors.ts'
import type { ProviderDesk } from '../exchange/access-contracts.ts'
import type { Responder } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { getHeader, type HeaderList } from '../http/headers.ts'
import { safeNext } from './account-form.ts'
import { escapeHtml, makePage, PAGE_POLICY, prefersPage } from './page.ts'

const SIGN_IN = '/.account/sign-in'
const NO_STORE = ['cache-control', 'no-store']

/** Answers everything below `/.account/`. */
export function makeProviderPages(desk: ProviderDesk): Responder {
  async function signIn(x: Exchange): Promise<void> {
    const next = safeNext(new URLSearchParams(x.query).get('next'))
    const url = await desk.begin(x, next)
    if (x.finished) return
    if (url === null) x.refuse('issuer-down')
    else redirect(x, url)
  }

  async function callback(x: Exchange): Promise<void> {
    const verdict = await desk.finish(x)
    if (x.finished) return
    if (verdict.kind === 'down') return x.refuse('issuer-down')
    if (verdict.kind === 'refused') {
      const again = `<p><a href="${SIGN_IN}">Try again</a></p>`
      return sendPage(x, 401, makePage('Sign-in did not succeed', '', again))
    }
    // A redirect would still come from the provider's site, and browsers keep the session's cookie (Strict) back then.
    sendPage(x, 200, onwards('Signed in', verdict.next))
  }

  async function signOut(x: Exchange): Promise<void> {
    const url = await desk.signOut(x)
    if (x.finished) return
    // A redirect to the provider would break the policy of the page whose form this was (form-action).
    if (prefersPage(x.headers)) sendPage(x, 200, onwards('Signed out here', url))
    else x.respond(204, NO_STORE, null)
  }

  async function signedOut(x: Exchange): Promise<void> {
    sendPage(x, 200, makePage('Signed out', '', `<p><a href="${SIGN_IN}">Sign in again</a></p>`))
  }

  function choose(x: Exchange): ((x: Exchange) => Promise<void>) | null {
    if (x.method === 'POST') return x.path === '/.account/sign-out' && isOwnPage(x) ? signOut : null
    switch (x.path) {
      case SIGN_IN:
        return signIn
      case '/.account/callback':
        return callback
      case '/.account/signed-out':
        return signedOut
      default:
        return null
    }
  }

  return (x) => {
    const answer = choose(x)
    if (answer === null) return x.refuse('not-found')
    answer(x).catch((error) => x.fail(new Failure('internal', 'provider pages', error)))
  }
}

/** A page that goes on by itself. */
function onwards(title: string, url: string): Buffer {
  const to = escapeHtml(url)
  return makePage(title, '', `<meta http-equiv="refresh" content="0;url=${to}"><p><a href="${to}">Go on</a></p>`)
}

/** Sends a person to sign in; false for who does not browse. */
export function offerProvider(x: Exchange): boolean {
  if (x.method !== 'GET' || !prefersPage(x.headers)) return false
  const mode = getHeader(x.headers, 'sec-fetch-mode')
  if (mode !== null && mode !== 'navigate') return false
  redirect(x, `${SIGN_IN}?${new URLSearchParams({ next: x.path + x.query })}`)
  return true
}

/** A browser says which page sends; `Origin` was looked at before. */
function isOwnPage(x: Exchange): boolean {
  const site = getHeader(x.headers, 'sec-fetch-site')
  return site === null || site === 'same-origin' || site === 'none'
}

function redirect(x: Exchange, to: string): void {
  x.respond(303, ['location', to, ...NO_STORE], null)
}

function sendPage(x: Exchange, status: number, body: Buffer): void {
  const headers: HeaderList = [
    ...['content-type', 'text/html; charset=utf-8'],
    ...['content-security-policy', PAGE_POLICY, 'referrer-policy', 'no-referrer'],
    ...NO_STORE,
  ]
  x.respond(status, headers, body)
}
