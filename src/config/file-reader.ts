/**
 * Reads small files that an operator named, under a cap, and says in one sentence what is in the way. It knows no
 * setting, and no sentence of it holds a byte of a file.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'

export interface ReadRules {
  readonly maxBytes: number
  /** Refuse where the group or others may read it. */
  readonly isSecret: boolean
}

/** The bytes, or a sentence such as `cannot be read: there is no such file`. */
export function readBounded(path: string, rules: ReadRules): Buffer | string {
  let handle: number
  try {
    // Without O_NONBLOCK a named pipe would make the gateway wait for ever.
    handle = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    return reasonOf(error)
  }
  try {
    const state = fstatSync(handle)
    const wrong = wrongWith(path, state, rules)
    return wrong ?? readAll(handle, rules.maxBytes)
  } catch (error) {
    return reasonOf(error)
  } finally {
    closeSync(handle)
  }
}

function wrongWith(path: string, state: Stats, rules: ReadRules): string | null {
  if (state.isDirectory()) return 'cannot be read: it is a folder, not a file'
  if (!state.isFile()) return 'cannot be read: it is not a regular file'
  if (rules.isSecret && (state.mode & 0o077) !== 0) {
    const mode = (state.mode & 0o777).toString(8).padStart(4, '0')
    return `can be read by other users (mode ${mode}); run: chmod 600 ${path}`
  }
  if (state.size > rules.maxBytes) return tooLarge(rules.maxBytes)
  return null
}

/** The size that fstat told may change while it is read: the cap holds all the same. */
function readAll(handle: number, maxBytes: number): Buffer | string {
  const chunks: Buffer[] = []
  let total = 0
  for (;;) {
    const chunk = Buffer.allocUnsafe(65_536)
    const read = readSync(handle, chunk)
    if (read === 0) return Buffer.concat(chunks, total)
    total += read
    if (total > maxBytes) return tooLarge(maxBytes)
    chunks.push(chunk.subarray(0, read))
  }
}

const tooLarge = (maxBytes: number): string =>
  `is larger than ${maxBytes >= 1024 ** 2 ? `${maxBytes / 1024 ** 2} MB` : `${maxBytes / 1024} KB`}`

/** Why the system refused, in words. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code
  switch (code) {
    case 'ENOENT':
      return 'cannot be read: there is no such file'
    case 'EACCES':
    case 'EPERM':
    case 'ERR_ACCESS_DENIED':
      return 'cannot be read: this user may not'
    case 'ENOTDIR':
      return 'cannot be read: a part of its path is not a folder'
    case 'EISDIR':
      return 'cannot be read: it is a folder, not a file'
    case 'ELOOP':
      return 'cannot be read: its links go in a circle'
    case 'ENAMETOOLONG':
      return 'cannot be read: its path is too long'
    default:
      return `cannot be read (${code ?? 'unknown reason'})`
  }
}
