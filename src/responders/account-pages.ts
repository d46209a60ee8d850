/**
 * The pages of an account: sign in, change the password, sign out. Plain forms that need no script; the same paths answer
 * programs in JSON. It decides nothing about a password: the desk does.
 */
import { Failure } from '../errors.ts'
import type { AccountDesk, DeskVerdict } from '../exchange/access-contracts.ts'
import type { Responder } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { mediaType } from '../exchange/guard.ts'
import { getHeader, type HeaderList } from '../http/headers.ts'
import { type AccountForm, readAccountForm, safeNext } from './account-form.ts'
import { passwordPage, signInPage, type Trouble } from './account-html.ts'
import { PAGE_POLICY, prefersPage } from './page.ts'

const ACCOUNT_PATHS = {
  signIn: '/.account/sign-in',
  password: '/.account/password',
  signOut: '/.account/sign-out',
}
/** Of a form: name, passwords and a path. */
export const MOST_FORM_BYTES = 16_384

const TROUBLE: Readonly<Record<Exclude<DeskVerdict['kind'], 'done' | 'must-change' | 'refused'>, Trouble>> = {
  wrong: { status: 401, code: 'sign-in-failed', words: ['The user, the password or the code is wrong.'] },
  locked: {
    status: 429,
    code: 'locked-out',
    words: ['Too many failed attempts. Try again later, or ask an administrator.'],
  },
  busy: { status: 503, code: 'sign-in-busy', words: ['Too many sign-ins at once. Try again in a moment.'] },
  unwritable: {
    status: 503,
    code: 'password-unchangeable',
    words: ['Passwords cannot be changed here: ask an administrator for `portcullis users passwd`.'],
  },
}
const UNFIT: Trouble = { status: 400, code: 'bad-form', words: ['The form is not complete.'] }
const DIFFERENT: Trouble = { status: 422, code: 'password-refused', words: ['The two new passwords differ.'] }

/** Answers everything below `/.account/`. */
export function makeAccountPages(desk: AccountDesk): Responder {
  function answerAccount(x: Exchange): void {
    const answer = choose(x)
    if (answer === null) return x.refuse('not-found')
    answer(x).catch((error) => x.fail(new Failure('internal', 'account pages', error)))
  }

  function choose(x: Exchange): ((x: Exchange) => Promise<void>) | null {
    const isPost = x.method === 'POST'
    if (isPost && !isOwnPage(x)) return async () => x.refuse('origin-denied')
    switch (x.path) {
      case ACCOUNT_PATHS.signIn:
        return isPost ? signIn : showSignIn
      case ACCOUNT_PATHS.password:
        return isPost ? changePassword : showPassword
      case ACCOUNT_PATHS.signOut:
        return isPost ? signOut : null
      default:
        return null
    }
  }

  async function showSignIn(x: Exchange): Promise<void> {
    sendPage(x, 200, signInPage({ next: nextIn(x), user: '', trouble: null }))
  }

  async function signIn(x: Exchange): Promise<void> {
    const form = await collectForm(x)
    if (form === null || form.user === '' || form.password === '') return complain(x, form, UNFIT, 'sign-in')
    const verdict = await desk.signIn(x, form)
    if (x.finished) return
    if (verdict.kind === 'done') return goOn(x, form.next)
    if (verdict.kind === 'must-change') {
      return isForm(x) ? redirect(x, passwordPath(form.next, verdict.why)) : x.refuse('password-change-required')
    }
    complain(x, form, troubleOf(x, verdict), 'sign-in')
  }

  async function showPassword(x: Exchange): Promise<void> {
    const why = new URLSearchParams(x.query).get('why')
    const user = await desk.who(x)
    if (!x.finished) sendPage(x, 200, passwordPage({ rules: desk.rules, next: nextIn(x), user, why, trouble: null }))
  }

  async function changePassword(x: Exchange): Promise<void> {
    const form = await collectForm(x)
    const isWhole = form !== null && form.user !== '' && form.password !== '' && form.newPassword !== ''
    if (!isWhole) return complain(x, form, UNFIT, 'password')
    if (isForm(x) && form.newPassword !== form.again) return complain(x, form, DIFFERENT, 'password')
    const verdict = await desk.changePassword(x, form, form.newPassword)
    if (x.finished) return
    if (verdict.kind === 'done') return goOn(x, form.next)
    return complain(x, form, troubleOf(x, verdict), 'password')
  }

  async function signOut(x: Exchange): Promise<void> {
    await desk.signOut(x)
    if (x.finished) return
    if (prefersPage(x.headers)) redirect(x, ACCOUNT_PATHS.signIn)
    else x.respond(204, ['cache-control', 'no-store'], null)
  }

  async function complain(
    x: Exchange,
    form: AccountForm | null,
    trouble: Trouble,
    on: 'sign-in' | 'password',
  ): Promise<void> {
    if (!isForm(x)) {
      const body = { code: trouble.code, status: trouble.status, problems: trouble.words, requestId: x.id }
      return x.respond(
        trouble.status,
        ['content-type', 'application/problem+json', 'cache-control', 'no-store'],
        Buffer.from(`${JSON.stringify(body)}\n`),
      )
    }
    const next = form?.next ?? '/'
    if (on === 'sign-in') return sendPage(x, trouble.status, signInPage({ next, user: form?.user ?? '', trouble }))
    const user = await desk.who(x)
    if (!x.finished) {
      sendPage(
        x,
        trouble.status,
        passwordPage({ rules: desk.rules, next, user: user ?? form?.user ?? null, why: null, trouble }),
      )
    }
  }

  return answerAccount
}

/**
 * Sends a person who has to sign in, or to change the password, to the page for it; false for who does not browse. With
 * `Sec-Fetch-Mode` it is known to be a page that was asked for, not an image.
 */
export function offerAccountPage(x: Exchange, page: 'sign-in' | 'password'): boolean {
  if (x.method !== 'GET' || !prefersPage(x.headers) || getHeader(x.headers, 'authorization') !== null) return false
  const mode = getHeader(x.headers, 'sec-fetch-mode')
  if (mode !== null && mode !== 'navigate') return false
  const next = x.path + x.query
  redirect(
    x,
    page === 'sign-in' ? `${ACCOUNT_PATHS.signIn}?${new URLSearchParams({ next })}` : passwordPath(next, 'first-use'),
  )
  return true
}

function troubleOf(x: Exchange, verdict: DeskVerdict): Trouble {
  if (verdict.kind === 'refused') {
    return { status: 422, code: 'password-refused', words: verdict.problems.map((each) => `The new password ${each}.`) }
  }
  if (verdict.kind === 'must-change' || verdict.kind === 'done') return UNFIT
  if (verdict.kind === 'locked') x.answerHeaders.push('retry-after', String(Math.ceil(verdict.waitMs / 1000)))
  return TROUBLE[verdict.kind]
}

/** Null where it is no form that is known. The body is bounded by the route. */
async function collectForm(x: Exchange): Promise<AccountForm | null> {
  const body = await new Promise<Buffer>((resolve) => x.collectBody(MOST_FORM_BYTES, resolve))
  return readAccountForm(mediaType(x), body)
}

/** A browser says which page sends; `Origin` was looked at before. */
function isOwnPage(x: Exchange): boolean {
  const site = getHeader(x.headers, 'sec-fetch-site')
  return site === null || site === 'same-origin' || site === 'none'
}

function isForm(x: Exchange): boolean {
  return mediaType(x) === 'application/x-www-form-urlencoded'
}

function goOn(x: Exchange, next: string): void {
  if (isForm(x)) redirect(x, next)
  else x.respond(204, ['cache-control', 'no-store'], null)
}

function redirect(x: Exchange, to: string): void {
  x.respond(303, ['location', to, 'cache-control', 'no-store'], null)
}

function passwordPath(next: string, why: string): string {
  return `${ACCOUNT_PATHS.password}?${new URLSearchParams({ next, why })}`
}

function nextIn(x: Exchange): string {
  return safeNext(new URLSearchParams(x.query).get('next'))
}

function sendPage(x: Exchange, status: number, body: Buffer): void {
  const headers: HeaderList = [
    ...['content-type', 'text/html; charset=utf-8'],
    ...['content-security-policy', PAGE_POLICY],
    ...['cache-control', 'no-store'],
  ]
  x.respond(status, headers, body)
}
