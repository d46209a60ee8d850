/**
 * Changes the accounts file: one writer at a time, gateway or command; a reader, and whoever comes after a crash, finds the
 * old file or the new one. What is changed, the caller says.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { FileLock } from '../config/file-lock.ts'
import { ConfigurationError } from '../errors.ts'
import { type AccountBook, accountFileText, codeOf, emptyBook, readAccountFile } from './account-file.ts'

/** Others hold the lock for milliseconds. */
const LOCK_WAIT_MS = 5000
const LOCK_LOOK_MS = 10

/** Changes what the book holds, at once, and returns what the caller wants to know. Throws to change nothing. */
export type AccountChange<T> = (book: AccountBook) => T

/**
 * Reads the file, changes it and writes it as a whole; where it is missing it is made (0600). Rejects with
 * ConfigurationError where the present file is not acceptable, cannot be written, or is held by others.
 */
export async function changeAccounts<T>(path: string, change: AccountChange<T>, waitMs = LOCK_WAIT_MS): Promise<T> {
  const target = await realPathOf(path)
  const held = await lockOf(path, target, waitMs)
  try {
    const before = await ownerOf(target)
    const book = before === null ? emptyBook() : readAccountFile(path)
    const result = change(book)
    await replace(target, accountFileText(book), before)
    return result
  } catch (error) {
    if (error instanceof ConfigurationError || codeOf(error) === 'unreadable') throw error
    throw new ConfigurationError([`${path}: cannot be written (${codeOf(error)})`])
  } finally {
    held.release()
  }
}

async function lockOf(path: string, target: string, waitMs: number): Promise<FileLock> {
  const until = performance.now() + waitMs
  for (;;) {
    let held: FileLock | null
    try {
      held = FileLock.take(`${target}.lock`)
    } catch (error) {
      throw new ConfigurationError([`${path}: cannot be written (${codeOf(error)})`])
    }
    if (held !== null) return held
    if (performance.now() > until) {
      throw new ConfigurationError([`${path}: is being changed by another process; try again`])
    }
    await new Promise((wake) => setTimeout(wake, LOCK_LOOK_MS))
  }
}

async function replace(target: string, text: string, owner: Owner | null): Promise<void> {
  const next = `${target}.new`
  await unlink(next).catch(ignore)
  const file = await open(next, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
  try {
    await file.writeFile(text)
    await keepOwner(file, owner)
    await file.sync()
    await rename(next, target)
  } catch (error) {
    await unlink(next).catch(ignore)
    throw error
  } finally {
    await file.close()
  }
  const folder = await open(dirname(target), constants.O_RDONLY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

/** A command run by root must not take the file away from the gateway's user. */
async function keepOwner(file: FileHandle, owner: Owner | null): Promise<void> {
  if (owner === null) return
  const { uid, gid } = await file.stat()
  if (uid !== owner.uid || gid !== owner.gid) await file.chown(owner.uid, owner.gid)
}

async function ownerOf(path: string): Promise<Owner | null> {
  try {
    return await stat(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

/** Through a symbolic link the file behind it is replaced, not the link. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    return path
  }
}

function ignore(): void {}
