/**
 * Tells when files change: by folder events, and by a slow poll where events are missing (network drives, exhausted inotify
 * watches). It compares what the files are, not what the events say, so it is right about editors that rename and about
 * secrets that swap symbolic links. It knows nothing of what the files mean.
 */
import { type BigIntStats, type FSWatcher, realpathSync, statSync, watch } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

export interface FileWatch {
  /** Watches these paths from now on, and no others. Call it before reading the files: then no change is missed. */
  update(paths: readonly string[]): void
  close(): void
}

/** Milliseconds between two looks without an event. */
const POLL_MS = 2000
/** Files for which one look in that time costs little; of more, a look comes as much later. */
const EASY_FILES = 500
/** Files that are looked at together: thousands at once would hold up everybody else's. */
const BATCH = 128
/** A file that is being replaced is away for a moment; after so many debounce times its absence is the news. */
const ABSENCE_DEBOUNCES = 8

const ABSENT = 'absent'

/**
 * Calls `onChange` when one of the files is another one than before (its real path, inode, size, or modification time) and
 * has stayed the same for `debounceMs` milliseconds. Several changes at once are one call. The watch keeps no process alive.
 */
export function watchFiles(paths: readonly string[], onChange: () => void, debounceMs = 250): FileWatch {
  const files = new WatchedFiles(onChange, debounceMs)
  files.update(paths)
  return files
}

class WatchedFiles implements FileWatch {
  readonly #onChange: () => void
  readonly #debounceMs: number
  #poll: NodeJS.Timeout
  /** Path to the signature that was last told. */
  #known: Map<string, string> = new Map()
  /** The signatures that differ from the known ones, joined; '' while nothing does. */
  #pending = ''
  #pendingSince = 0
  #timer: NodeJS.Timeout | null = null
  #looking = false
  #lookAgain = false
  #closed = false
  /** Folder to its watcher. */
  readonly #folders: Map<string, WatchedFolder> = new Map()

  constructor(onChange: () => void, debounceMs: number) {
    this.#onChange = onChange
    this.#debounceMs = debounceMs
    this.#poll = this.#pollEvery(0)
  }

  update(paths: readonly string[]): void {
    if (this.#closed) return
    const wanted = [...new Set(paths.map((path) => resolve(path)))]
    const seen = observeNow(wanted)
    this.#known = new Map(wanted.map((path, index) => [path, this.#known.get(path) ?? seen.signatures[index]!]))
    this.#watchFolders(seen.folders)
    clearInterval(this.#poll)
    this.#poll = this.#pollEvery(wanted.length)
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#poll)
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    for (const folder of this.#folders.values()) folder.watcher.close()
    this.#folders.clear()
  }

  #pollEvery(files: number): NodeJS.Timeout {
    return setInterval(() => this.#look(), POLL_MS * Math.max(1, Math.ceil(files / EASY_FILES))).unref()
  }

  readonly #onEvent = (): void => {
    this.#lookIn(this.#debounceMs)
  }

  #lookIn(waitMs: number): void {
    if (this.#closed || this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#look()
    }, waitMs)
    this.#timer.unref()
  }

  /** One look at a time: a file system that hangs holds back the looks, not the process. */
  #look(): void {
    if (this.#closed) return
    if (this.#looking) {
      this.#lookAgain = true
      return
    }
    this.#looking = true
    const paths = [...this.#known.keys()]
    observe(paths).then((seen) => {
      this.#looking = false
      if (this.#closed) return
      this.#compare(paths, seen.signatures)
      this.#watchFolders(seen.folders)
      if (this.#lookAgain) {
        this.#lookAgain = false
        this.#lookIn(this.#debounceMs)
      }
    })
  }

  #compare(paths: readonly string[], signatures: readonly string[]): void {
    const changed: number[] = []
    for (const [index, path] of paths.entries()) {
      const known = this.#known.get(path)
      if (known !== undefined && known !== signatures[index]) changed.push(index)
    }
    const pending = changed.map((index) => `${paths[index]}\n${signatures[index]}`).join('\n')
    const now = performance.now()
    if (pending !== this.#pending) {
      this.#pending = pending
      this.#pendingSince = now
    }
    if (pending === '') return
    const absent = changed.some((index) => signatures[index] === ABSENT)
    const due = this.#pendingSince + this.#debounceMs * (absent ? ABSENCE_DEBOUNCES : 1)
    // A timer may fire a fraction early.
    if (now + 1 < due) return this.#lookIn(due - now)
    this.#pending = ''
    for (const index of changed) this.#known.set(paths[index]!, signatures[index]!)
    this.#onChange()
  }

  /** Folders come and go with the links that lead to them: compared anew at every look. */
  #watchFolders(wanted: ReadonlyMap<string, string>): void {
    for (const [folder, { watcher, inode }] of this.#folders) {
      if (wanted.get(folder) === inode) continue
      watcher.close()
      this.#folders.delete(folder)
    }
    for (const [folder, inode] of wanted) {
      if (inode !== ABSENT && !this.#folders.has(folder)) this.#watchFolder(folder, inode)
    }
  }

  #watchFolder(folder: string, inode: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, this.#onEvent)
      watcher.on('error', () => {
        // The poll goes on alone, and tries again with its next look.
        watcher.close()
        if (this.#folders.get(folder)?.watcher === watcher) this.#folders.delete(folder)
      })
      this.#folders.set(folder, { watcher, inode })
    } catch {
      // No watches left, or none on this file system: the poll sees the change, two seconds later.
    }
  }
}

interface WatchedFolder {
  readonly watcher: FSWatcher
  readonly inode: string
}

interface Observation {
  /** In the order of the paths. */
  readonly signatures: readonly string[]
  /** The folders where the paths stand and where their links lead to, with their inodes. */
  readonly folders: ReadonlyMap<string, string>
}

async function observe(paths: readonly string[]): Promise<Observation> {
  const files: Identity[] = []
  for (let at = 0; at < paths.length; at += BATCH) {
    files.push(...(await Promise.all(paths.slice(at, at + BATCH).map((path) => identify(path)))))
  }
  const folders = [...new Set(paths.flatMap((path, index) => foldersOf(path, files[index]!)))]
  const inodes = await Promise.all(folders.map((folder) => identify(folder)))
  return gather(files, folders, inodes)
}

/** The same at once: at start and after a reload, where nothing may slip in between. */
function observeNow(paths: readonly string[]): Observation {
  const files = paths.map((path) => identifyNow(path))
  const folders = [...new Set(paths.flatMap((path, index) => foldersOf(path, files[index]!)))]
  return gather(
    files,
    folders,
    folders.map((folder) => identifyNow(folder)),
  )
}

/** Where a path leads and what stands there; null where nothing does. */
type Identity = { readonly real: string; readonly stats: BigIntStats } | null

async function identify(path: string): Promise<Identity> {
  try {
    const real = await realpath(path)
    return { real, stats: await stat(real, { bigint: true }) }
  } catch {
    return null
  }
}

function identifyNow(path: string): Identity {
  try {
    const real = realpathSync(path)
    return { real, stats: statSync(real, { bigint: true }) }
  } catch {
    return null
  }
}

function foldersOf(path: string, identity: Identity): string[] {
  const own = dirname(path)
  if (identity === null) return [own]
  const real = dirname(identity.real)
  return real === own ? [own] : [own, real]
}

function gather(files: readonly Identity[], folders: readonly string[], inodes: readonly Identity[]): Observation {
  return {
    signatures: files.map((file) => {
      if (file === null) return ABSENT
      const { dev, ino, size, mtimeNs } = file.stats
      return `${file.real} ${dev} ${ino} ${size} ${mtimeNs}`
    }),
    folders: new Map(
      folders.map((folder, index) => {
        const identity = inodes[index] ?? null
        return [folder, identity === null ? ABSENT : `${identity.stats.dev} ${identity.stats.ino}`]
      }),
    ),
  }
}
