/**
 * The accounts file: our own JSON, the older JSON, or an htpasswd file; read privately and strictly. Everything wrong with it
 * is told at once, by name and never by value. It changes nothing.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { ConfigurationError } from '../errors.ts'
import { type Account, isObject, isUserName, label, NAME_RULE, readAccount, writeAccount } from './account.ts'
import { repeatedKeys } from './repeated-keys.ts'
import { parseHash } from './scheme.ts'

const MOST_BYTES = 4_194_304
const MOST_ACCOUNTS = 5000
const VERSION = 2
const KEY_BYTES = 32

/** What the file holds. */
export interface AccountBook {
  /** Known to whoever may read the file, and to nobody else: for keyed hashes of names and addresses, and for sessions. */
  readonly key: Buffer
  readonly accounts: Map<string, Account>
}

export function emptyBook(): AccountBook {
  return { key: randomBytes(KEY_BYTES), accounts: new Map() }
}

/** Reads and checks the file; an empty one has no accounts. Throws ConfigurationError with every problem. */
export function readAccountFile(path: string): AccountBook {
  const text = readPrivateFile(path)
  const problems: string[] = []
  const book = /^\s*(?:\{|$)/.test(text) ? readJson(path, text, problems) : readHtpasswd(path, text, problems)
  if (book.accounts.size > MOST_ACCOUNTS) problems.push(`${path}: has more than ${MOST_ACCOUNTS} accounts`)
  if (problems.length > 0) throw new ConfigurationError(problems)
  return book
}

/** The text of the file, in the form of today. */
export function accountFileText(book: AccountBook): string {
  const accounts: Record<string, unknown> = {}
  for (const [name, account] of book.accounts) accounts[name] = writeAccount(account)
  return `${JSON.stringify({ version: VERSION, key: book.key.toString('base64url'), accounts }, null, 2)}\n`
}

function readJson(path: string, text: string, problems: string[]): AccountBook {
  const book = emptyBook()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    // The parser's message quotes the file, hashes included: only the place is told.
    throw new ConfigurationError([`${path}${placeOf(error, text)}: is not valid JSON`])
  }
  for (const key of repeatedKeys(text)) problems.push(`${path}: ${label(key)} stands more than once`)
  if (!isObject(value) || !isObject(value.accounts)) {
    problems.push(`${path}: must be { "version": ${VERSION}, "accounts": { "name": { "password": "$argon2id$..." } } }`)
    return book
  }
  const { version = 1, key, accounts, ...rest } = value
  for (const name of Object.keys(rest)) {
    problems.push(`${path}: unknown key ${label(name)}; known are "version", "key" and "accounts"`)
  }
  if (version !== 1 && version !== VERSION) {
    problems.push(`${path}: is of another version than ${VERSION}; it was written by a newer gateway`)
    return book
  }
  const bytes = key === undefined ? book.key : typeof key === 'string' ? Buffer.from(key, 'base64url') : Buffer.alloc(0)
  if (bytes.length !== KEY_BYTES)
    problems.push(`${path}: "key" must be ${KEY_BYTES} bytes in base64url; leave it out for a new one`)
  for (const [name, each] of Object.entries(accounts)) {
    const account = readAccount(name, each, (sentence) => problems.push(`${path}: account ${label(name)}: ${sentence}`))
    if (account !== null) book.accounts.set(name, account)
  }
  return { key: bytes, accounts: book.accounts }
}

/** `name:hash` in each line, as Apache and nginx read it. Only bcrypt and argon2id hashes are taken. */
function readHtpasswd(path: string, text: string, problems: string[]): AccountBook {
  const book = emptyBook()
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const where = `${path}:${i + 1}`
    const colon = line.indexOf(':')
    if (colon === -1) {
      problems.push(`${where}: is neither JSON nor a line of an htpasswd file (name:hash)`)
      // Of a file of another kind every line is wrong.
      return book
    }
    const name = line.slice(0, colon)
    const password = line.slice(colon + 1)
    const parsed = parseHash(password)
    if (!isUserName(name)) problems.push(`${where}: the name ${NAME_RULE}`)
    else if (typeof parsed === 'string') problems.push(`${where}: account ${label(name)}: the password ${parsed}`)
    else if (book.accounts.has(name)) problems.push(`${where}: account ${label(name)} stands more than once`)
    else book.accounts.set(name, readAccount(name, { password }, () => {})!)
  }
  return book
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

function placeOf(error: unknown, text: string): string {
  const at = error instanceof Error ? /at position (\d+)/.exec(error.message) : null
  if (at === null) return ''
  const before = text.slice(0, Number(at[1])).split('\n')
  return `:${before.length}:${before.at(-1)!.length + 1}`
}

/** The system's word for what went wrong: ENOENT, EACCES. */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unreadable'
}
