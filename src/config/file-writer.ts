/**
 * Replaces small private files as a whole: a reader, or a machine that loses power, sees the old one or the new one. It
 * knows nothing of what stands in them.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'

const NEW = '.new'

export interface ReplaceOptions {
  /** Overwrite what the file held before, where nothing else leads to it. */
  readonly erasesOld: boolean
}

/** Mode 0600. Through a symbolic link the file behind it is replaced. Throws the system's error. */
export function replacePrivateFile(path: string, text: string, options: ReplaceOptions): void {
  const target = realPathOf(path)
  const folder = dirname(target)
  const next = join(folder, `.${basename(target)}.${randomBytes(6).toString('hex')}${NEW}`)
  const old = options.erasesOld ? openOld(target) : null
  try {
    const file = openSync(next, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
    try {
      const bytes = Buffer.from(text)
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(next, target)
    syncFolder(folder)
    // Another name of the same file is somebody's copy: it is not ours to destroy.
    if (old !== null && fstatSync(old).nlink === 0) overwrite(old)
  } finally {
    if (old !== null) closeSync(old)
  }
}

/** Removes, overwritten, what a crash in `replacePrivateFile` left beside the file. Call it under the lock of the writers. */
export function removeLeftovers(path: string): void {
  const target = realPathOf(path)
  const folder = dirname(target)
  const begin = `.${basename(target)}.`
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(begin) || !/^[0-9a-f]{12}\.new$/.test(name.slice(begin.length))) continue
    eraseFile(join(folder, name))
  }
}

/** Overwrites a plain file with zeros, then removes it. What that is worth depends on the file system: see docs/keys.md. */
export function eraseFile(path: string): void {
  const file = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const state = fstatSync(file)
    if (state.isFile() && state.nlink === 1) overwrite(file)
  } finally {
    closeSync(file)
  }
  unlinkSync(path)
}

const ZEROS = Buffer.alloc(65_536)

function overwrite(file: number): void {
  const { size } = fstatSync(file)
  for (let at = 0; at < size; ) at += writeSync(file, ZEROS, 0, Math.min(ZEROS.length, size - at), at)
  fsyncSync(file)
}

function openOld(path: string): number | null {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  } catch {
    return null
  }
}

/** So that a name that was given, changed or taken away is still so after a loss of power. */
export function syncFolder(folder: string): void {
  const file = openSync(folder, constants.O_RDONLY)
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function realPathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
