/**
 * Takes transcripts away whose time is over, and what a crash left behind: one purge of a folder at a time, nothing removed
 * before it is recorded. It knows no clock but the one it is given, and no key.
 */
import { randomBytes } from 'node:crypto'
import { renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { FileLock } from '../config/file-lock.ts'
import { eraseFile, syncFolder } from '../config/file-writer.ts'
import type { AuditEvent } from '../exchange/contracts.ts'
import { dateOf } from './transcripts-list.ts'
import { FOLDER_LOCK } from './transcripts-path.ts'
import { type StoredTranscript, type Walk, walkTranscripts } from './transcripts-walk.ts'

export type PurgeRecord = (event: Pick<AuditEvent, 'event' | 'outcome' | 'object' | 'reason'>) => void

export interface PurgeOptions {
  /** A real path. */
  readonly folder: string
  /** Milliseconds that a transcript is kept, from its date; null: for ever, and only leftovers go. */
  readonly keepMs: number | null
  readonly now: number
  readonly isDryRun: boolean
  /** What the audit log calls a transcript: its name, or a token where names are hidden. */
  readonly called: (name: string) => string
  readonly record: PurgeRecord
  /** Resolves when what was recorded is written, to whether it is. */
  readonly written: () => Promise<boolean>
}

export interface PurgeOutcome {
  /** Names, in the order of the folder. */
  readonly removed: readonly string[]
  readonly failed: readonly string[]
  readonly leftovers: number
  /** False: another purge or import is under way, and nothing was done; or lines cannot be written. */
  readonly isDone: boolean
}

const MOST_ENTRIES = 10_000_000
const NOTHING_DONE: PurgeOutcome = { removed: [], failed: [], leftovers: 0, isDone: false }

/** Rejects with the system's error where the folder cannot be written at all. */
export async function purgeTranscripts(options: PurgeOptions): Promise<PurgeOutcome> {
  if (options.isDryRun) return purge(options, null)
  const lock = FileLock.take(join(options.folder, FOLDER_LOCK))
  if (lock === null) return NOTHING_DONE
  try {
    return await purge(options, lock)
  } finally {
    lock.release()
  }
}

async function purge(options: PurgeOptions, lock: FileLock | null): Promise<PurgeOutcome> {
  const { folder, keepMs, now, isDryRun, called, record, written } = options
  const walk: Walk = { isWhole: true, leftovers: [] }
  const due: StoredTranscript[] = []
  for await (const each of walkTranscripts(folder, MOST_ENTRIES, walk)) {
    if (keepMs === null) continue
    const dateMs = await dateOf(each)
    // What has no date is kept: nobody can say that its time is over.
    if (dateMs !== 0 && now - dateMs > keepMs) due.push(each)
  }
  const removed: string[] = []
  const failed: string[] = []
  if (isDryRun) {
    return { removed: due.map(({ name }) => name), failed, leftovers: walk.leftovers.length, isDone: true }
  }
  for (const path of walk.leftovers) eraseFile(path)
  for (const each of due) {
    lock?.touch()
    const event = { event: 'sensitive_delete', object: called(each.name) }
    record({ ...event, outcome: 'success', reason: 'retention' })
    if (!(await written())) return { removed, failed, leftovers: walk.leftovers.length, isDone: false }
    try {
      removeStored(each.path)
      removed.push(each.name)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
      record({ ...event, outcome: 'failure', reason: `retention: not removed (${code})` })
      failed.push(each.name)
    }
  }
  return { removed, failed, leftovers: walk.leftovers.length, isDone: true }
}

/** Out of sight first, so that nobody reads half of it; then overwritten, then gone. */
export function removeStored(path: string): void {
  const folder = dirname(path)
  const aside = join(folder, leftoverName())
  renameSync(path, aside)
  syncFolder(folder)
  eraseFile(aside)
}

/** A name that nothing serves or lists, and that the next purge, import or start clears away. */
export function leftoverName(): string {
  return `.portcullis-${randomBytes(8).toString('hex')}.tmp`
}
