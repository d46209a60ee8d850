/** One account as the accounts file holds it: read strictly, written back. It knows no file and no other account. */
import { parseHash } from './scheme.ts'
import { readSecondFactor, type SecondFactor } from './second-factor.ts'

export const MAX_USER_NAME_LENGTH = 64
// Starts with a letter or digit: what the audit log writes for an unknown name can never look like an account.
const USER_NAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._@+-]{0,63}$/u
const ROLE_NAME = /^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/
const ATTRIBUTE_VALUE = /^[^\p{Cc}\p{Cs}]{1,128}$/u
/** What a rule about earlier passwords may ask for at most. */
const MOST_REMEMBERED = 24
const MOST_ROLES = 32
const MOST_ATTRIBUTES = 32

export interface Account {
  readonly name: string
  readonly password: string
  /** When the password was set, milliseconds since 1970; null where the file does not say. */
  readonly changedAt: number | null
  /** The password was chosen by somebody else: nothing but changing it is allowed. */
  readonly mustChange: boolean
  /** Hashes of the passwords before, newest first. */
  readonly previous: readonly string[]
  /** Locked by an operator, until an operator unlocks it. */
  readonly locked: boolean
  readonly roles: readonly string[]
  /** For rules of roles: `{ "team": "north" }`. */
  readonly attributes: Readonly<Record<string, string>>
  readonly secondFactor: SecondFactor | null
  /** Another number after each change that ends what was before it: sessions, and counts of failures. */
  readonly revision: number
}

/** An account as it is when it is made. */
export function newAccount(name: string, password: string, now: number): Account {
  return {
    name,
    password,
    changedAt: now,
    mustChange: false,
    previous: [],
    locked: false,
    roles: [],
    attributes: {},
    secondFactor: null,
    revision: nextRevision(0, now),
  }
}

/** Never a number that an account of this name had: it goes with the clock, so that one made anew is another one too. */
export function nextRevision(before: number, now: number): number {
  return Math.max(before + 1, now)
}

/** True for a name that an account may have. */
export function isUserName(name: string): boolean {
  return USER_NAME.test(name) && name.length <= MAX_USER_NAME_LENGTH && name.normalize('NFC') === name
}

export function isRoleName(name: string): boolean {
  return ROLE_NAME.test(name)
}

export function isAttributeValue(value: string): boolean {
  return ATTRIBUTE_VALUE.test(value)
}

export const NAME_RULE =
  'is not acceptable; use letters, digits and . _ @ + -, at most 64, starting with a letter or digit'

const KEYS = [
  ...['password', 'changed', 'mustChange', 'previous', 'locked', 'roles', 'attributes', 'secondFactor', 'revision'],
]

/** The account; or null, with what is wrong told to `wrong`. */
export function readAccount(name: string, value: unknown, wrong: (sentence: string) => void): Account | null {
  let isRight = true
  const problem = (sentence: string): void => {
    isRight = false
    wrong(sentence)
  }
  if (!isUserName(name)) problem(`the name ${NAME_RULE}`)
  if (!isObject(value)) {
    problem('must be { "password": "$argon2id$..." }')
    return null
  }
  for (const key of Object.keys(value)) {
    if (!KEYS.includes(key)) problem(`unknown key ${label(key)}; known are ${KEYS.join(', ')}`)
  }
  const { password, changed, mustChange, previous, locked, roles, attributes, secondFactor, revision } = value
  if (typeof password !== 'string') {
    problem('has no "password"; set one with `portcullis users passwd`')
  } else {
    const parsed = parseHash(password)
    if (typeof parsed === 'string') problem(`the password ${parsed}`)
  }
  const changedAt = changed === undefined ? null : typeof changed === 'string' ? Date.parse(changed) : Number.NaN
  if (Number.isNaN(changedAt)) problem('"changed" is no date; write for example "2026-11-01T09:00:00Z"')
  if (!isFlag(mustChange)) problem('"mustChange" must be true or false')
  if (!isFlag(locked)) problem('"locked" must be true or false')
  if (!isList(previous, MOST_REMEMBERED, isHash))
    problem(`"previous" must be a list of at most ${MOST_REMEMBERED} hashes`)
  if (!isList(roles, MOST_ROLES, isRoleName)) problem(`"roles" must be a list of at most ${MOST_ROLES} names of roles`)
  if (!areAttributes(attributes)) problem('"attributes" must be { "name": "value" }, values of 1 to 128 characters')
  if (revision !== undefined && !(Number.isSafeInteger(revision) && (revision as number) >= 0)) {
    problem('"revision" must be a whole number')
  }
  const factor = secondFactor === undefined ? null : readSecondFactor(secondFactor)
  if (typeof factor === 'string') problem(`the second factor ${factor}`)
  if (!isRight) return null
  return {
    name,
    password: password as string,
    changedAt,
    mustChange: mustChange === true,
    previous: (previous as string[] | undefined) ?? [],
    locked: locked === true,
    roles: (roles as string[] | undefined) ?? [],
    attributes: (attributes as Record<string, string> | undefined) ?? {},
    secondFactor: factor as SecondFactor | null,
    revision: (revision as number | undefined) ?? 0,
  }
}

/** The account as JSON; what is as by default is left out. */
export function writeAccount(account: Account): Record<string, unknown> {
  const { password, changedAt, mustChange, previous, locked, roles, attributes, secondFactor, revision } = account
  return {
    password,
    ...(changedAt === null ? {} : { changed: new Date(changedAt).toISOString() }),
    ...(mustChange ? { mustChange } : {}),
    ...(previous.length === 0 ? {} : { previous }),
    ...(locked ? { locked } : {}),
    ...(roles.length === 0 ? {} : { roles }),
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
    ...(secondFactor === null ? {} : { secondFactor }),
    revision,
  }
}

/** A key as it may be told: quoted, short, free of control characters. */
export function label(key: string): string {
  const clean = key.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?')
  return JSON.stringify(clean.length > 40 ? `${clean.slice(0, 40)}...` : clean)
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const isFlag = (value: unknown): boolean => value === undefined || typeof value === 'boolean'
const isHash = (text: string): boolean => typeof parseHash(text) !== 'string'

function isList(value: unknown, most: number, fits: (text: string) => boolean): boolean {
  if (value === undefined) return true
  return Array.isArray(value) && value.length <= most && value.every((each) => typeof each === 'string' && fits(each))
}

function areAttributes(value: unknown): boolean {
  if (value === undefined) return true
  if (!isObject(value)) return false
  const entries = Object.entries(value)
  return (
    entries.length <= MOST_ATTRIBUTES &&
    entries.every(([name, each]) => isRoleName(name) && typeof each === 'string' && isAttributeValue(each))
  )
}
