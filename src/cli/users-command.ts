/**
 * `portcullis users ...`: makes and changes accounts while the gateway runs or not, each change recorded. A password is asked
 * for or read from a file, never taken from the command line.
 */
import { readFileSync } from 'node:fs'
import {
  type Account,
  isAttributeValue,
  isRoleName,
  isUserName,
  NAME_RULE,
  newAccount,
  nextRevision,
} from '../access/account.ts'
import { changeAccounts } from '../access/account-changes.ts'
import { type AccountBook, codeOf, readAccountFile } from '../access/account-file.ts'
import { withPassword } from '../access/desk.ts'
import { checkNewPassword, isTooOld, type PasswordRules } from '../access/password-rules.ts'
import { hashPassword, MAX_PASSWORD_BYTES } from '../access/passwords.ts'
import type { HashCost } from '../access/scheme.ts'
import { type Enrolment, enrol, otpauthUri } from '../access/totp.ts'
import { ConfigurationError } from '../errors.ts'
import type { PasswordResult } from './password-prompt.ts'

export const USERS_ACTIONS = ['add', 'passwd', 'roles', 'lock', 'unlock', 'totp', 'remove', 'list'] as const
export type UsersAction = (typeof USERS_ACTIONS)[number]

export interface UsersOrder {
  readonly action: UsersAction
  /** '' for `list`. */
  readonly name: string
  /** The accounts file. */
  readonly path: string
  readonly rules: PasswordRules
  readonly cost: HashCost
  /** Comma-separated; null: not given. */
  readonly roles: string | null
  /** `name=value`, comma-separated; null: not given. */
  readonly attributes: string | null
  /** The password is one's own choice, or a program's: it need not be changed at first use. */
  readonly isOwnChoice: boolean
  /** With `totp`: take the second factor away. */
  readonly removesFactor: boolean
  readonly askPassword: () => Promise<PasswordResult>
}

/** The OWASP name of what an action is in the audit log. */
export const USERS_EVENTS: Readonly<Record<UsersAction, string>> = {
  add: 'user_created',
  passwd: 'authn_password_change',
  roles: 'privilege_permissions_changed',
  lock: 'user_updated',
  unlock: 'user_updated',
  totp: 'user_updated',
  remove: 'user_deleted',
  list: 'sensitive_read',
}

/** The text for standard output. Throws ConfigurationError; nothing is changed then. */
export async function runUsers(order: UsersOrder): Promise<string> {
  const { action, name, path } = order
  if (action === 'list') return list(readAccountFile(path).accounts, order.rules)
  if (!isUserName(name)) fail(`the name ${NAME_RULE}`)
  const roles = order.roles === null ? null : rolesIn(order.roles)
  const attributes = order.attributes === null ? null : attributesIn(order.attributes)
  // Asked for before the lock is taken, and only where it can be of use.
  if (action !== 'add') accountIn(readAccountFile(path), name, path)
  const hash = action === 'add' || action === 'passwd' ? await newHash(order) : ''
  const enrolment = action === 'totp' && !order.removesFactor ? enrol() : null
  await changeAccounts(path, (book) => {
    const now = Date.now()
    if (action === 'add' && book.accounts.has(name)) fail(`there is an account ${JSON.stringify(name)} already`)
    const before = action === 'add' ? newAccount(name, hash, now) : accountIn(book, name, path)
    if (action === 'remove') return void book.accounts.delete(name)
    const changed = { ...change(before, order, hash, enrolment), revision: nextRevision(before.revision, now) }
    book.accounts.set(name, {
      ...changed,
      roles: roles ?? changed.roles,
      attributes: attributes ?? changed.attributes,
    })
  })
  return enrolment === null ? `${name}: ${DONE[action]}\n` : enrolled(name, enrolment)
}

/** One line of a file with the password in it. */
export function passwordFrom(path: string): PasswordResult {
  let text: string
  try {
    text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    return { problem: `${path}: cannot be read (${codeOf(error)})` }
  }
  if (text === '' || /[\r\n]/.test(text) || text.length > MAX_PASSWORD_BYTES) {
    return { problem: `${path}: must hold the password in one line` }
  }
  return { password: text }
}

const DONE: Readonly<Record<Exclude<UsersAction, 'list'>, string>> = {
  add: 'added',
  passwd: 'has a new password; sessions of before are over',
  roles: 'has other roles or attributes',
  lock: 'locked, until "users unlock"',
  unlock: 'unlocked; failures of before are forgotten',
  totp: 'has no second factor any more',
  remove: 'removed',
}

function change(before: Account, order: UsersOrder, hash: string, enrolment: Enrolment | null): Account {
  switch (order.action) {
    case 'add':
      return { ...before, mustChange: !order.isOwnChoice }
    case 'passwd':
      return { ...withPassword(before, hash, order.rules.remembered), mustChange: !order.isOwnChoice }
    case 'lock':
      return { ...before, locked: true }
    case 'unlock':
      return { ...before, locked: false }
    case 'totp':
      return { ...before, secondFactor: enrolment?.factor ?? null }
    default:
      return before
  }
}

async function newHash({ name, rules, cost, askPassword }: UsersOrder): Promise<string> {
  const read = await askPassword()
  if ('problem' in read) return fail(read.problem)
  const problems = checkNewPassword(rules, read.password, name).map((each) => `the password ${each}`)
  if (problems.length > 0) throw new ConfigurationError(problems)
  return hashPassword(read.password, cost)
}

function accountIn(book: AccountBook, name: string, path: string): Account {
  return book.accounts.get(name) ?? fail(`${path}: has no account ${JSON.stringify(name)}`)
}

function rolesIn(text: string): string[] {
  const roles = text.split(',').filter((each) => each !== '')
  for (const each of roles) if (!isRoleName(each)) fail(`--roles: ${JSON.stringify(each)} is not a name of a role`)
  return roles
}

function attributesIn(text: string): Record<string, string> {
  const attributes: Record<string, string> = {}
  for (const each of text.split(',').filter((part) => part !== '')) {
    const at = each.indexOf('=')
    const [name, value] = [each.slice(0, at), each.slice(at + 1)]
    if (at < 1 || !isRoleName(name) || !isAttributeValue(value)) {
      fail(`--attributes: ${JSON.stringify(each)} is not name=value`)
    }
    attributes[name] = value
  }
  return attributes
}

function enrolled(name: string, { factor, recoveryCodes }: Enrolment): string {
  return `${name}: has a second factor from now on. Hand this over in person; it is not shown again.

  For the app:     ${otpauthUri(factor, 'portcullis', name)}
  Or typed:        ${factor.secret.replace(/(.{4})(?=.)/g, '$1 ')}

  Recovery codes, each for one sign-in without the app:
${recoveryCodes.map((each) => `    ${each}`).join('\n')}
`
}

function list(accounts: ReadonlyMap<string, Account>, rules: PasswordRules): string {
  const rows = [['name', 'state', 'password of', 'second factor', 'roles']]
  for (const account of [...accounts.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    rows.push([
      account.name,
      stateOf(account, rules),
      account.changedAt === null ? 'unknown' : new Date(account.changedAt).toISOString().slice(0, 10),
      account.secondFactor === null ? 'no' : `yes, ${account.secondFactor.recovery.length} recovery codes`,
      account.roles.join(',') || '-',
    ])
  }
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const line = (row: string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd()
  return `${rows.map(line).join('\n')}\n`
}

function stateOf(account: Account, rules: PasswordRules): string {
  if (account.locked) return 'locked'
  if (account.mustChange) return 'must change'
  return isTooOld(rules, account.changedAt, Date.now()) ? 'too old' : 'open'
}

function fail(problem: string): never {
  throw new ConfigurationError([problem])
}
