/**
 * Adds an account to the accounts file, or changes its password: the file is replaced as a whole, by one writer at a time.
 * It knows how the file is checked only through accounts.ts.
 */
import { closeSync, constants, fsyncSync, openSync, realpathSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigurationError } from '../errors.ts'
import { codeOf, isUserName, NAME_RULE, readAccounts } from './accounts.ts'
import { parseHash } from './passwords.ts'

export interface AddOptions {
  /** Change the hash of an account that exists already; without it that is refused. */
  readonly replace?: boolean
}

/**
 * Adds an account, making the file where it is missing (0600). The file is replaced as a whole: a reader sees the old
 * or the new one. Throws ConfigurationError where name, hash or the present file is not acceptable.
 */
export function addAccount(path: string, name: string, hash: string, options: AddOptions = {}): void {
  const wrong = parseHash(hash)
  if (typeof wrong === 'string') throw new ConfigurationError([`${path}: the password of the new account ${wrong}`])
  if (!isUserName(name)) throw new ConfigurationError([`${path}: the name of the new account ${NAME_RULE}`])
  const target = realPathOf(path)
  const next = `${target}.new`
  // Exclusive creation is the lock: of two writers at once, one is told to try again.
  const file = openNew(next, path)
  try {
    const hashes = target === path && !exists(path) ? new Map<string, string>() : readAccounts(path)
    if (hashes.has(name) && options.replace !== true) {
      throw new ConfigurationError([`${path}: there is an account of this name already`])
    }
    hashes.set(name, hash)
    const accounts: Record<string, { password: string }> = {}
    for (const [each, password] of hashes) accounts[each] = { password }
    writeAll(file, `${JSON.stringify({ accounts }, null, 2)}\n`)
    fsyncSync(file)
    renameSync(next, target)
  } catch (error) {
    unlinkSync(next)
    throw error
  } finally {
    closeSync(file)
  }
  syncFolder(dirname(target))
}

function openNew(next: string, path: string): number {
  try {
    return openSync(next, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') {
      throw new ConfigurationError([`${path}: is being changed by another command; if none runs, remove ${next}`])
    }
    throw new ConfigurationError([`${path}: cannot be written (${codeOf(error)})`])
  }
}

function writeAll(file: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
}

function syncFolder(folder: string): void {
  const file = openSync(folder, constants.O_RDONLY)
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Through a symbolic link the file behind it is replaced, not the link. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function exists(path: string): boolean {
  try {
    realpathSync(path)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw new ConfigurationError([`${path}: cannot be read (${codeOf(error)})`])
  }
}
