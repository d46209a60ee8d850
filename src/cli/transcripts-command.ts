/** `portcullis transcripts ...`: imports, seals, opens and purges what lies in the folder; every file is an audit line. */
import { realpathSync, statSync } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { FileLock } from '../config/file-lock.ts'
import { reasonOf } from '../config/file-reader.ts'
import { eraseFile } from '../config/file-writer.ts'
import type { Configuration } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { loadKeyRing } from '../keys/ring-file.ts'
import { HEADER_BYTES, keyIdOf, SealedContent, StreamSealer } from '../keys/sealed-stream.ts'
import { problemOfValue, UrlTokens } from '../keys/url-token.ts'
import { realFolder } from '../responders/transcripts.ts'
import { openPlainFile, openTranscript, plainContent } from '../responders/transcripts-file.ts'
import {
  FOLDER_LOCK,
  parseTranscriptPath,
  pathOf,
  SEALED_ENDING,
  type TranscriptName,
} from '../responders/transcripts-path.ts'
import { purgeTranscripts, removeStored } from '../responders/transcripts-purge.ts'
import { storeSealed, type Vault } from '../responders/transcripts-store.ts'
import { type StoredTranscript, type Walk, walkTranscripts } from '../responders/transcripts-walk.ts'
import type { CommandAudit } from './audited-command.ts'

const MOST_ENTRIES = 10_000_000
const DAY_MS = 86_400_000

/** Says a line to the person: what was done to standard output, what was not to standard error. */
export interface Say {
  done(line: string): void
  problem(line: string): void
}

interface Place {
  readonly folder: string
  readonly keepDays: number | null
  /** What the audit log calls a transcript: its name, or a token where names are hidden. */
  readonly called: (name: string) => string
}

function placeOf(config: Configuration): Place {
  const source = config.listeners.transcripts?.source
  if (source === undefined || !('folder' in source)) {
    throw new ConfigurationError([
      'the configuration has no folder of transcripts (listeners.transcripts.source.folder)',
    ])
  }
  return { folder: realFolder(source.folder), keepDays: source.keepDays ?? null, called: callerOf(config, source) }
}

function callerOf(config: Configuration, source: { readonly sealedNames?: string | undefined }): Place['called'] {
  const kind = source.sealedNames
  if (kind === undefined) return (name) => name
  const tokens = new UrlTokens(ringOf(config))
  return (name) => (problemOfValue(name) === null ? tokens.seal(kind, name, config.sealed[kind]!.expires) : '-')
}

function ringOf(config: Configuration): KeyRing {
  if (config.keys === undefined) {
    throw new ConfigurationError(['the configuration has no key ring; write "keys": { "ring": "config/keys.json" }'])
  }
  return loadKeyRing(config.keys.ring)
}

function vaultOf(ring: KeyRing): Vault {
  return {
    sealer: (name) => new StreamSealer(ring, name),
    opener: (name, bytes, readAt) => SealedContent.open(ring, name, bytes, readAt),
  }
}

export interface ImportWish {
  /** A file, or a folder with all that lies in it. */
  readonly from: string
  /** Folder below the folder of transcripts; null: at its top. */
  readonly channel: string | null
  /** Overwrite and remove what was imported. */
  readonly removes: boolean
  readonly replaces: boolean
}

/** Resolves to the number of files that were not imported. */
export async function importTranscripts(
  config: Configuration,
  wish: ImportWish,
  audit: CommandAudit,
  say: Say,
): Promise<number> {
  const place = placeOf(config)
  const { folder } = place
  const vault = vaultOf(ringOf(config))
  const from = sourceOf(wish.from)
  if (from === folder || from.startsWith(`${folder}/`)) {
    throw new ConfigurationError([`${wish.from}: lies in the folder of transcripts; use "transcripts seal" there`])
  }
  return alone(folder, audit, async (lock) => {
    let failed = 0
    if (wish.removes) await eraseLeftovers(statSync(from).isDirectory() ? from : dirname(from))
    for await (const { name, path } of sourceFiles(from)) {
      const full = wish.channel === null ? name : `${wish.channel}/${name}`
      const problem = await importOne(place, full, from, path, wish, vault, lock, audit)
      if (problem === null) say.done(`imported ${full}`)
      else {
        failed++
        say.problem(`${full}: ${problem}`)
      }
    }
    return failed
  })
}

/** What an import that was killed was about to remove: it is sealed and read back already. */
async function eraseLeftovers(folder: string): Promise<void> {
  const walk: Walk = { isWhole: true, leftovers: [] }
  for await (const _ of walkTranscripts(folder, MOST_ENTRIES, walk));
  for (const path of walk.leftovers) eraseFile(path)
}

async function importOne(
  { folder, called }: Place,
  fullName: string,
  from: string,
  path: string,
  wish: ImportWish,
  vault: Vault,
  lock: FileLock,
  audit: CommandAudit,
): Promise<string | null> {
  const name = parseTranscriptPath(pathOf(fullName))
  if (name === null || !isSealable(name)) return 'is not the name of a transcript that can be stored'
  const there = await openTranscript(folder, name, { opener: vault.opener, servesPlain: true })
  if (there !== null) {
    if (there !== 'damaged') there.close()
    if (!wish.replaces) return 'is there already; --replace replaces it'
  }
  const source = await openPlainFile(statSync(from).isDirectory() ? from : dirname(from), path)
  if (source === null) return 'cannot be read: it is no plain file, or this user may not'
  const { mtimeMs } = await source.handle.stat()
  const event = { event: 'sensitive_create', object: called(fullName) }
  audit.record({ ...event, outcome: 'success', reason: 'import' })
  await audit.written()
  let isStored: boolean
  try {
    isStored = await storeSealed(vault, {
      folder,
      name,
      content: plainContent(source.handle, source.size),
      modifiedMs: mtimeMs,
      onProgress: () => lock.touch(),
    })
  } finally {
    await source.handle.close()
  }
  if (!isStored) {
    audit.record({ ...event, outcome: 'failure', reason: 'import: not read back the same' })
    return 'was not stored: it changed, or could not be read back'
  }
  // Only what was read back is taken away.
  if (wish.removes) removeStored(path)
  return null
}

/** Seals what lies in the clear, and what is under an older key. Resolves to the number of files that were not sealed. */
export async function sealTranscripts(config: Configuration, audit: CommandAudit, say: Say): Promise<number> {
  const place = placeOf(config)
  const ring = ringOf(config)
  const vault = vaultOf(ring)
  return alone(place.folder, audit, async (lock) => {
    let failed = 0
    const walk: Walk = { isWhole: true, leftovers: [] }
    const all: StoredTranscript[] = []
    for await (const each of walkTranscripts(place.folder, MOST_ENTRIES, walk)) all.push(each)
    for (const each of all) {
      const problem = await sealOne(place, each, ring, vault, lock, audit)
      if (problem === 'sealed') say.done(`sealed ${each.name}`)
      else if (problem !== null) {
        failed++
        say.problem(`${each.name}: ${problem}`)
      }
    }
    return failed
  })
}

/** `sealed`, null where there was nothing to do, or what is in the way. */
async function sealOne(
  { folder, called }: Place,
  stored: StoredTranscript,
  ring: KeyRing,
  vault: Vault,
  lock: FileLock,
  audit: CommandAudit,
): Promise<string | null> {
  const { name: fullName, path, isSealed } = stored
  const name = parseTranscriptPath(pathOf(fullName))
  if (name === null || !isSealable(name)) return 'is not the name of a transcript that can be sealed'
  if (isSealed && (await keyIdIn(path)) === ring.primary.id) return null
  const event = { event: 'sensitive_update', object: called(fullName) }
  const source = isSealed
    ? await openTranscript(folder, name, { opener: vault.opener, servesPlain: false })
    : await openPlain(folder, path)
  if (source === null || source === 'damaged') {
    audit.record({ ...event, outcome: 'failure', reason: 'seal: does not open' })
    return 'does not open: damaged, exchanged, or its key is not in the ring'
  }
  try {
    audit.record({ ...event, outcome: 'success', reason: 'seal' })
    await audit.written()
    const { mtimeMs } = await lstat(path)
    const { content } = source
    if (!(await storeSealed(vault, { folder, name, content, modifiedMs: mtimeMs, onProgress: () => lock.touch() }))) {
      audit.record({ ...event, outcome: 'failure', reason: 'seal: not read back the same' })
      return 'was not sealed: it changed, or could not be read back'
    }
  } finally {
    source.close()
  }
  if (!isSealed) removeStored(path)
  return 'sealed'
}

/** File systems take 255 bytes for a name. */
function isSealable({ segments }: TranscriptName): boolean {
  return Buffer.byteLength(segments.at(-1)! + SEALED_ENDING) <= 255
}

async function openPlain(folder: string, path: string) {
  const file = await openPlainFile(folder, path)
  if (file === null) return null
  return { content: plainContent(file.handle, file.size), close: () => void file.handle.close() }
}

async function keyIdIn(path: string): Promise<string | null> {
  const file = await open(path, 'r')
  try {
    const header = Buffer.alloc(HEADER_BYTES)
    await file.read(header, 0, header.length, 0)
    return keyIdOf(header)
  } finally {
    await file.close()
  }
}

/** Writes one transcript, as it is stored, piece by piece. Resolves to 0; throws ConfigurationError where it does not open. */
export async function openOne(
  config: Configuration,
  fullName: string,
  audit: CommandAudit,
  write: (bytes: Buffer) => Promise<void>,
): Promise<number> {
  const { folder, called } = placeOf(config)
  const opener = config.keys === undefined ? null : vaultOf(ringOf(config)).opener
  const name = parseTranscriptPath(pathOf(fullName))
  const file = name === null ? null : await openTranscript(folder, name, { opener, servesPlain: true })
  const isThere = file !== null && file !== 'damaged'
  const reason = file === 'damaged' ? 'open: does not open' : 'open'
  audit.record({ event: 'sensitive_read', outcome: isThere ? 'success' : 'failure', object: called(fullName), reason })
  await audit.written()
  if (file === 'damaged') {
    throw new ConfigurationError([`${fullName}: does not open: damaged, exchanged, or its key is not in the ring`])
  }
  if (file === null) throw new ConfigurationError([`${fullName}: no such transcript`])
  try {
    for (let at = 0; at < file.content.size; at += 65_536) {
      const piece = await file.content.read(at, Math.min(65_536, file.content.size - at))
      if (piece === null)
        throw new ConfigurationError([`${fullName}: is damaged at byte ${at}; what came before is genuine`])
      await write(piece)
    }
    return 0
  } finally {
    file.close()
  }
}

/** Resolves to the number of files that could not be removed. */
export async function purge(config: Configuration, isDryRun: boolean, audit: CommandAudit, say: Say): Promise<number> {
  const { folder, keepDays, called } = placeOf(config)
  if (keepDays === null) {
    throw new ConfigurationError(['listeners.transcripts.source.keepDays: is not set, so nothing is ever due'])
  }
  const { removed, failed, isDone } = await purgeTranscripts({
    folder,
    keepMs: keepDays * DAY_MS,
    now: Date.now(),
    isDryRun,
    called,
    record: (event) => audit.record(event),
    written: async () => {
      await audit.written()
      return true
    },
  })
  if (!isDone) throw new ConfigurationError([BUSY])
  for (const name of removed) say.done(`${isDryRun ? 'would remove' : 'removed'} ${name}`)
  for (const name of failed) say.problem(`${name}: could not be removed`)
  return failed.length
}

const BUSY = 'the folder of transcripts is being changed by another process; try again'

/** One writer of the folder at a time; what a crash left behind goes first. */
async function alone(folder: string, audit: CommandAudit, work: (lock: FileLock) => Promise<number>): Promise<number> {
  await purgeTranscripts({
    folder,
    keepMs: null,
    now: Date.now(),
    isDryRun: false,
    called: (name) => name,
    record: (event) => audit.record(event),
    written: async () => true,
  })
  const lock = FileLock.take(join(folder, FOLDER_LOCK))
  if (lock === null) throw new ConfigurationError([BUSY])
  try {
    return await work(lock)
  } finally {
    lock.release()
  }
}

function sourceOf(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    throw new ConfigurationError([`${path}: ${reasonOf(error)}`])
  }
}

async function* sourceFiles(from: string): AsyncGenerator<{ readonly name: string; readonly path: string }> {
  if (!statSync(from).isDirectory()) {
    yield { name: basename(from), path: from }
    return
  }
  const all: StoredTranscript[] = []
  for await (const each of walkTranscripts(from, MOST_ENTRIES, { isWhole: true, leftovers: [] })) all.push(each)
  for (const each of all) if (!each.isSealed) yield each
}
