/**
 * The accounts file: who may sign in, with an argon2id hash each. Everything wrong with it is told at load, by name and
 * never by value; there is no default account. It knows no request and no listener.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { ConfigurationError } from '../errors.ts'
import { DEFAULT_COST, type HashCost, parseHash, unmatchableHash } from './passwords.ts'

const MOST_BYTES = 1_048_576
export const MAX_USER_NAME_LENGTH = 64
// Starts with a letter or digit: what the audit log writes for an unknown name can never look like an account.
const USER_NAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._@+-]{0,63}$/u

export interface Accounts {
  readonly names: readonly string[]
  /** The hash of an account; null where there is none of this name. */
  hashOf(name: string): string | null
  /** Costs as much to check as the accounts' own hashes, and is matched by no password. */
  readonly unknownHash: string
}

/** True for a name that an account may have. */
export function isUserName(name: string): boolean {
  return USER_NAME.test(name) && name.length <= MAX_USER_NAME_LENGTH && name.normalize('NFC') === name
}

/** Reads and checks the file. Throws ConfigurationError with every problem, the file named in each. */
export function loadAccounts(path: string): Accounts {
  const hashes = readAccounts(path)
  if (hashes.size === 0) {
    throw new ConfigurationError([`${path}: has no account; make one with \`portcullis hash-password\``])
  }
  const names = [...hashes.keys()]
  return { names, hashOf: (name) => hashes.get(name) ?? null, unknownHash: unmatchableHash(commonCost(hashes)) }
}

export const NAME_RULE =
  'is not acceptable; use letters, digits and . _ @ + -, at most 64, starting with a letter or digit'

/** Names and hashes of the file, checked; an empty file has none. Throws ConfigurationError with every problem. */
export function readAccounts(path: string): Map<string, string> {
  const text = readPrivateFile(path)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    // The parser's message quotes the file, hashes included: only the place is told.
    throw new ConfigurationError([`${path}${placeOf(error, text)}: is not valid JSON`])
  }
  const problems: string[] = []
  for (const key of repeatedKeys(text)) problems.push(`${path}: ${label(key)} stands more than once`)
  const hashes = new Map<string, string>()
  if (!isObject(value) || !isObject(value.accounts)) {
    problems.push(`${path}: must be { "accounts": { "name": { "password": "$argon2id$..." } } }`)
  } else {
    for (const key of Object.keys(value)) {
      if (key !== 'accounts') problems.push(`${path}: unknown key ${label(key)}; only "accounts" is known`)
    }
    for (const [name, account] of Object.entries(value.accounts)) readAccount(path, name, account, hashes, problems)
  }
  if (problems.length > 0) throw new ConfigurationError(problems)
  return hashes
}

function readAccount(
  path: string,
  name: string,
  account: unknown,
  hashes: Map<string, string>,
  problems: string[],
): void {
  const where = `${path}: account ${label(name)}`
  if (!isUserName(name)) problems.push(`${where}: the name ${NAME_RULE}`)
  if (!isObject(account)) {
    problems.push(`${where}: must be { "password": "$argon2id$..." }`)
    return
  }
  for (const key of Object.keys(account)) {
    if (key !== 'password') problems.push(`${where}: unknown key ${label(key)}; only "password" is known`)
  }
  if (typeof account.password !== 'string') {
    problems.push(`${where}: has no "password"; make one with \`portcullis hash-password\``)
    return
  }
  const parsed = parseHash(account.password)
  if (typeof parsed === 'string') problems.push(`${where}: the password ${parsed}`)
  else hashes.set(name, account.password)
}

function readPrivateFile(path: string): string {
  let file: number
  try {
    // Not blocking: a FIFO in the file's place must not hold up the start.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw new ConfigurationError([`${path}: cannot be read (${codeOf(error)})`])
  }
  try {
    const stat = fstatSync(file)
    if (!stat.isFile()) throw new ConfigurationError([`${path}: is not a file`])
    if ((stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0')
      throw new ConfigurationError([`${path}: others may read or write it (mode ${mode}); run \`chmod 600 ${path}\``])
    }
    if (stat.size > MOST_BYTES) throw new ConfigurationError([`${path}: is larger than ${MOST_BYTES} bytes`])
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw new ConfigurationError([`${path}: cannot be read (${codeOf(error)})`])
  } finally {
    closeSync(file)
  }
}

/** Keys that an object of valid JSON names twice: JSON.parse would silently take the last. */
function repeatedKeys(text: string): string[] {
  const repeated: string[] = []
  const open: (Set<string> | null)[] = []
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\]:,]/g) ?? []
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(null)
    else if (token === '}' || token === ']') open.pop()
    else if (token.startsWith('"') && tokens[i + 1] === ':') {
      const key = JSON.parse(token) as string
      const keys = open.at(-1)
      if (keys?.has(key)) repeated.push(key)
      keys?.add(key)
    }
  }
  return repeated
}

function commonCost(hashes: Map<string, string>): HashCost {
  const counts = new Map<string, { cost: HashCost; count: number }>()
  let best = { cost: DEFAULT_COST, count: 0 }
  for (const hash of hashes.values()) {
    const parsed = parseHash(hash)
    if (typeof parsed === 'string') continue
    const id = `${parsed.memory},${parsed.passes},${parsed.lanes}`
    const entry = counts.get(id) ?? { cost: parsed, count: 0 }
    entry.count++
    counts.set(id, entry)
    if (entry.count > best.count) best = entry
  }
  return best.cost
}

function placeOf(error: unknown, text: string): string {
  const at = error instanceof Error ? /at position (\d+)/.exec(error.message) : null
  if (at === null) return ''
  const before = text.slice(0, Number(at[1])).split('\n')
  return `:${before.length}:${before.at(-1)!.length + 1}`
}

/** A key as it may be told: quoted, short, free of control characters. */
function label(key: string): string {
  const clean = key.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?')
  return JSON.stringify(clean.length > 40 ? `${clean.slice(0, 40)}...` : clean)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The system's word for what went wrong: ENOENT, EACCES. */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unreadable'
}
