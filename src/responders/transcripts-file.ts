/**
 * Opens one stored transcript, sealed or plain. It follows no symbolic link below the folder and opens nothing but plain
 * files; how sealed content is opened it is told, and it knows no request.
 */
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { ReadAt, SealedOpener, StoredContent } from '../exchange/sealed.ts'
import { SEALED_ENDING, type TranscriptName } from './transcripts-path.ts'

/** What of a folder is served. */
export interface AtRest {
  /** Null: sealed files are not. */
  readonly opener: SealedOpener | null
  readonly servesPlain: boolean
}

export interface OpenTranscript {
  readonly content: StoredContent
  readonly isSealed: boolean
  close(): void
}

/**
 * Opens a transcript below `folder` (a real path); a sealed one before a plain one of the same name. Null for whatever is
 * not a plain file reached without a symbolic link: missing, link, folder, FIFO, device, socket, or not readable. `damaged`
 * for a sealed file that does not open. The caller closes what it gets.
 */
export async function openTranscript(
  folder: string,
  name: TranscriptName,
  atRest: AtRest,
): Promise<OpenTranscript | 'damaged' | null> {
  if (atRest.opener !== null) {
    const file = await openPlainFile(folder, join(folder, ...name.segments) + SEALED_ENDING)
    if (file !== null) return openSealed(file, name.name, atRest.opener)
  }
  const file = atRest.servesPlain ? await openPlainFile(folder, join(folder, ...name.segments)) : null
  if (file === null) return null
  return { content: plainContent(file.handle, file.size), isSealed: false, close: () => closeQuietly(file.handle) }
}

interface PlainFile {
  readonly handle: FileHandle
  /** Bytes, when it was opened: what is sent, even where the file grows meanwhile. */
  readonly size: number
}

async function openSealed(
  { handle, size }: PlainFile,
  name: string,
  opener: SealedOpener,
): Promise<OpenTranscript | 'damaged'> {
  let content: StoredContent | null = null
  try {
    content = await opener(name, size, readerOf(handle))
  } finally {
    if (content === null) closeQuietly(handle)
  }
  return content === null ? 'damaged' : { content, isSealed: true, close: () => closeQuietly(handle) }
}

/** A plain file by its path below `folder`; null as above. */
export async function openPlainFile(folder: string, path: string): Promise<PlainFile | null> {
  if (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return null
  let handle: FileHandle | null = null
  try {
    // A link anywhere on the way makes the real path another one.
    if ((await realpath(path)) !== path) return null
    const named = await lstat(path, { bigint: true })
    if (!named.isFile()) return null
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const opened = await handle.stat({ bigint: true })
    // A folder on the way that was swapped for a link between the two looks gives another file.
    const isSame = opened.isFile() && opened.ino === named.ino && opened.dev === named.dev
    if (isSame && (await realpath(path)) === path) {
      const result = { handle, size: Number(opened.size) }
      handle = null
      return result
    }
    return null
  } catch {
    return null
  } finally {
    if (handle !== null) closeQuietly(handle)
  }
}

export function plainContent(handle: FileHandle, size: number): StoredContent {
  const readAt = readerOf(handle)
  return {
    size,
    async read(position, length) {
      const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, size - position)))
      return (await readAt(bytes, position)) === bytes.length ? bytes : null
    },
  }
}

function readerOf(handle: FileHandle): ReadAt {
  return async (buffer, position) => {
    let done = 0
    while (done < buffer.length) {
      const { bytesRead } = await handle.read(buffer, done, buffer.length - done, position + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return done
  }
}

function closeQuietly(handle: FileHandle): void {
  handle.close().catch(() => {})
}
