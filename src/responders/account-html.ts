/** What the pages of an account look like. Everything foreign in them is escaped; they know no request. */
import type { Principal } from '../exchange/access-contracts.ts'
import { escapeHtml, makePage } from './page.ts'

/** What went wrong, for a person and for a program. */
export interface Trouble {
  readonly status: number
  readonly code: string
  readonly words: readonly string[]
}

export interface SignInView {
  readonly next: string
  readonly user: string
  readonly trouble: Trouble | null
}

export interface PasswordView {
  readonly rules: readonly string[]
  readonly next: string
  /** Null: nobody is signed in. */
  readonly user: string | null
  /** Why the password must be changed: `first-use`, `too-old`; null: it need not. */
  readonly why: string | null
  readonly trouble: Trouble | null
}

const CODE_HINT = 'Six digits of your app, or a recovery code. Leave it empty if you have none.'

export function signInPage(view: SignInView): Buffer {
  const main = `${troubleBox(view.trouble)}<form class="tall" action="/.account/sign-in" method="post">
${hidden('next', view.next)}
${field('user', 'User name', 'text', 'username', view.user)}
${field('password', 'Password', 'password', 'current-password')}
${field('code', 'Code of the second factor', 'text', 'one-time-code', '', CODE_HINT)}
<button>Sign in</button></form>
<p><a href="/.account/password">Change the password</a></p>`
  return makePage('Sign in', '<p class="soft">Transcripts are for those who may read them.</p>', main)
}

export function passwordPage(view: PasswordView): Buffer {
  const rules = view.rules.map((each) => `<li>${escapeHtml(each)}</li>`).join('')
  // Who is signed in has shown the code already.
  const code =
    view.user === null ? field('code', 'Code of the second factor', 'text', 'one-time-code', '', CODE_HINT) : ''
  const user = view.user ?? ''
  const main = `${troubleBox(view.trouble)}<form class="tall" action="/.account/password" method="post">
${hidden('next', view.next)}
${field('user', 'User name', 'text', 'username', user)}
${field('password', 'Present password', 'password', 'current-password')}
${code}
<div><p id="rules">The new password must be:</p><ul aria-labelledby="rules">${rules}</ul></div>
${field('newPassword', 'New password', 'password', 'new-password')}
${field('again', 'New password again', 'password', 'new-password')}
<button>Change the password</button></form>`
  return makePage('Change the password', `<p class="soft">${reason(view.why)}</p>`, main)
}

function reason(why: string | null): string {
  if (why === 'first-use') return 'This password was chosen for you, or is too old: choose your own before you go on.'
  if (why === 'too-old') return 'Your password is too old: choose a new one before you go on.'
  return 'Other sessions of yours end with the change.'
}

/** Read out at once by screen readers, and the first thing to be focused. */
function troubleBox(trouble: Trouble | null): string {
  if (trouble === null) return ''
  const words = trouble.words.map((each) => `<p>${escapeHtml(each)}</p>`).join('')
  return `<div class="trouble" role="alert" id="trouble">${words}</div>`
}

function hidden(name: string, value: string): string {
  return `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`
}

function field(name: string, label: string, type: string, autocomplete: string, value = '', hint = ''): string {
  const required = hint === '' ? ' required' : ` aria-describedby="${name}-hint"`
  const about = hint === '' ? '' : `<p class="soft" id="${name}-hint">${escapeHtml(hint)}</p>`
  const plain = type === 'text' ? ' autocapitalize="none" spellcheck="false"' : ''
  return `<div><label for="${name}">${label}</label><input id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}" maxlength="1024" value="${escapeHtml(value)}"${plain}${required}>${about}</div>`
}

/** For pages of who is signed in by a session; '' for everybody else, who has nothing to sign out of. */
export function accountFooter(principal: Principal | null): string {
  if (principal === null || (principal.scheme !== 'session' && principal.scheme !== 'provider')) return ''
  const change = principal.scheme === 'session' ? '<a href="/.account/password">Change the password</a> ' : ''
  return `<div class="account">Signed in as <bdi>${escapeHtml(principal.user)}</bdi>. ${change}<form action="/.account/sign-out" method="post"><button>Sign out</button></form></div>`
}
