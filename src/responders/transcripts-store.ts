/**
 * Puts transcripts into a folder: sealed on the way, cards masked, complete or not at all. What is written before it is
 * complete is sealed already. How it is sealed it is told.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder } from '../config/file-writer.ts'
import type { SealedOpener, StoredContent } from '../exchange/sealed.ts'
import { openTranscript } from './transcripts-file.ts'
import { SEALED_ENDING, type TranscriptName } from './transcripts-path.ts'
import { leftoverName } from './transcripts-purge.ts'
import { PIECE_BYTES, readMasked } from './transcripts-sender.ts'

/** Seals one content piece by piece. */
export interface ContentSealer {
  readonly header: Buffer
  push(piece: Buffer): Buffer
  end(): Buffer
}

export interface Vault {
  readonly sealer: (name: string) => ContentSealer
  readonly opener: SealedOpener
}

export interface StoreWish {
  /** A real path. */
  readonly folder: string
  readonly name: TranscriptName
  readonly content: StoredContent
  /** Milliseconds since 1970: the time of change that the stored file gets. */
  readonly modifiedMs: number
  /** Called now and then while it lasts. */
  readonly onProgress: () => void
}

/** Resolves to whether what is stored was read back whole and the same. */
export async function storeSealed(vault: Vault, wish: StoreWish): Promise<boolean> {
  const { folder, name, content, modifiedMs } = wish
  const target = join(folder, ...name.segments) + SEALED_ENDING
  await mkdir(dirname(target), { recursive: true, mode: 0o700 })
  const aside = join(dirname(target), leftoverName())
  const file = await open(aside, 'wx', 0o600)
  let digest: string | null
  try {
    digest = await writeSealed(file, vault.sealer(name.name), wish)
    if (digest === null) return false
    await file.utimes(modifiedMs / 1000, modifiedMs / 1000)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(aside, target)
  syncFolder(dirname(target))
  return digest === (await digestOf(folder, name, vault.opener, content.size))
}

/** The digest of what was sealed; null where the content could not be read to its end. */
async function writeSealed(file: FileHandle, sealer: ContentSealer, wish: StoreWish): Promise<string | null> {
  const { content, name } = wish
  const hash = createHash('sha256')
  await writeAll(file, sealer.header)
  for (let at = 0; at < content.size; at += PIECE_BYTES) {
    const piece = await readMasked(content, name.kind, at, Math.min(PIECE_BYTES, content.size - at))
    if (piece === null) return null
    hash.update(piece)
    await writeAll(file, sealer.push(piece))
    wish.onProgress()
  }
  await writeAll(file, sealer.end())
  return hash.digest('hex')
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done)).bytesWritten
}

async function digestOf(
  folder: string,
  name: TranscriptName,
  opener: SealedOpener,
  size: number,
): Promise<string | null> {
  const stored = await openTranscript(folder, name, { opener, servesPlain: false })
  if (stored === null || stored === 'damaged') return null
  try {
    if (stored.content.size !== size) return null
    const hash = createHash('sha256')
    for (let at = 0; at < size; at += PIECE_BYTES) {
      const piece = await stored.content.read(at, Math.min(PIECE_BYTES, size - at))
      if (piece === null) return null
      hash.update(piece)
    }
    return hash.digest('hex')
  } finally {
    stored.close()
  }
}
