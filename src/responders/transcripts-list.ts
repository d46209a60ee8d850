/**
 * What lies in the folder of transcripts: names, newest first, bounded in depth, number and work. It follows no link and
 * knows no request.
 */
import type { Dirent } from 'node:fs'
import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { isFitSegment, kindOf } from './transcripts-path.ts'

export interface ListedTranscript {
  /** Relative to the folder, with `/` between the segments. */
  readonly name: string
  /** Milliseconds since 1970: the date in the name, else the time of the last change; 0 where neither is known. */
  readonly dateMs: number
  /** The name as a search looks at it: NFC, lower case. */
  readonly folded: string
}

export interface Listing {
  /** Newest first. */
  readonly transcripts: readonly ListedTranscript[]
  /** False where the folder holds more than is looked at. */
  readonly isWhole: boolean
}

const MOST_DEPTH = 8
const MOST_ENTRIES = 100_000
/** Files that are asked for their time at once. */
const STATS_AT_ONCE = 16
const KEPT_MS = 3000

/** Lists one folder; many requests at once share one walk, and its result for a few seconds. */
export class Lister {
  readonly #folder: string
  readonly #mostEntries: number
  readonly #keptMs: number
  #running: Promise<Listing> | null = null

  constructor(folder: string, mostEntries: number = MOST_ENTRIES, keptMs: number = KEPT_MS) {
    this.#folder = folder
    this.#mostEntries = mostEntries
    this.#keptMs = keptMs
  }

  list(): Promise<Listing> {
    if (this.#running !== null) return this.#running
    const running = this.#walk()
    this.#running = running
    const forget = () => {
      if (this.#running === running) this.#running = null
    }
    running.then(() => (this.#keptMs === 0 ? forget() : setTimeout(forget, this.#keptMs).unref()), forget)
    return running
  }

  async #walk(): Promise<Listing> {
    const found: ListedTranscript[] = []
    const undated: string[] = []
    const folders: { name: string; depth: number }[] = [{ name: '', depth: 1 }]
    let left = this.#mostEntries
    let isWhole = true
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for await (const entry of entriesOf(join(this.#folder, folder.name))) {
        if (left-- <= 0) {
          isWhole = false
          folders.length = 0
          break
        }
        if (!isFitSegment(entry.name)) continue
        const name = folder.name === '' ? entry.name : `${folder.name}/${entry.name}`
        if (entry.isDirectory()) {
          if (folder.depth < MOST_DEPTH) folders.push({ name, depth: folder.depth + 1 })
        } else if (entry.isFile() && kindOf(entry.name) !== null) {
          const dateMs = dateInName(name)
          if (dateMs === null) undated.push(name)
          else found.push(listed(name, dateMs))
        }
      }
    }
    for (let i = 0; i < undated.length; i += STATS_AT_ONCE) {
      const names = undated.slice(i, i + STATS_AT_ONCE)
      found.push(...(await Promise.all(names.map((name) => this.#changed(name)))))
    }
    found.sort((a, b) => b.dateMs - a.dateMs || (a.name < b.name ? 1 : -1))
    return { transcripts: found, isWhole }
  }

  async #changed(name: string): Promise<ListedTranscript> {
    try {
      return listed(name, Math.trunc((await lstat(join(this.#folder, name))).mtimeMs))
    } catch {
      return listed(name, 0)
    }
  }
}

function listed(name: string, dateMs: number): ListedTranscript {
  return { name, dateMs, folded: name.normalize('NFC').toLowerCase() }
}

async function* entriesOf(path: string): AsyncGenerator<Dirent> {
  try {
    // The iterator closes the folder, also when it is left early.
    for await (const entry of await opendir(path, { bufferSize: 256 })) yield entry
  } catch {
    // A folder that cannot be read, or went away meanwhile, holds nothing.
  }
}

const DATE =
  /(?<!\d)(20\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?:[T_-]?([01]\d|2[0-3])[-.h]?([0-5]\d)(?:[-.]?([0-5]\d))?)?(?!\d)/

/** The first date (and time, UTC) in a name: `2026-11-01`, `20261101-1430`, `2026-11-01T14-30-00`. */
export function dateInName(name: string): number | null {
  const found = DATE.exec(name.slice(name.lastIndexOf('/') + 1)) ?? DATE.exec(name)
  if (found === null) return null
  const [, year, month, day, hour = '00', minute = '00', second = '00'] = found
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  // 31 February is no date.
  return Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day) ? null : date.getTime()
}
