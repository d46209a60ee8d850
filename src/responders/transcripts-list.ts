/**
 * What lies in the folder of transcripts: names, newest first, each with its date and channel. It opens no transcript and
 * knows no request.
 */
import { lstat } from 'node:fs/promises'
import type { AtRest } from './transcripts-file.ts'
import { type StoredTranscript, type Walk, walkTranscripts } from './transcripts-walk.ts'

export interface ListedTranscript {
  /** Relative to the folder, with `/` between the segments. */
  readonly name: string
  /** Milliseconds since 1970: the date in the name, else the time of the last change; 0 where neither is known. */
  readonly dateMs: number
  /** The first folder of the name that is no number; '' where there is none. */
  readonly channel: string
  /** The name as a search looks at it: NFC, lower case. */
  readonly folded: string
}

export interface Listing {
  /** Newest first. */
  readonly transcripts: readonly ListedTranscript[]
  /** In alphabetical order. */
  readonly channels: readonly string[]
  /** False where the folder holds more than is looked at. */
  readonly isWhole: boolean
}

const MOST_ENTRIES = 100_000
/** Files that are asked for their time at once. */
const STATS_AT_ONCE = 16
const KEPT_MS = 3000
const PLAIN: Pick<AtRest, 'servesPlain'> & { readonly servesSealed: boolean } = {
  servesPlain: true,
  servesSealed: false,
}

/** Lists one folder; many requests at once share one walk, and its result for a few seconds. */
export class Lister {
  readonly #folder: string
  readonly #mostEntries: number
  readonly #keptMs: number
  readonly #shows: typeof PLAIN
  #running: Promise<Listing> | null = null

  constructor(folder: string, mostEntries: number = MOST_ENTRIES, keptMs: number = KEPT_MS, shows = PLAIN) {
    this.#folder = folder
    this.#mostEntries = mostEntries
    this.#keptMs = keptMs
    this.#shows = shows
  }

  list(): Promise<Listing> {
    if (this.#running !== null) return this.#running
    const running = this.#look()
    this.#running = running
    const forget = () => {
      if (this.#running === running) this.#running = null
    }
    running.then(() => (this.#keptMs === 0 ? forget() : setTimeout(forget, this.#keptMs).unref()), forget)
    return running
  }

  async #look(): Promise<Listing> {
    const walk: Walk = { isWhole: true, leftovers: [] }
    const stored = new Map<string, StoredTranscript>()
    for await (const each of walkTranscripts(this.#folder, this.#mostEntries, walk)) {
      const { servesPlain, servesSealed } = this.#shows
      // A sealed one stands for a plain one of the same name.
      if (each.isSealed ? servesSealed : servesPlain && !stored.has(each.name)) stored.set(each.name, each)
    }
    const all = [...stored.values()]
    const found: ListedTranscript[] = []
    for (let i = 0; i < all.length; i += STATS_AT_ONCE) {
      found.push(...(await Promise.all(all.slice(i, i + STATS_AT_ONCE).map(listed))))
    }
    found.sort((a, b) => b.dateMs - a.dateMs || (a.name < b.name ? 1 : -1))
    const channels = [...new Set(found.map(({ channel }) => channel))].filter((channel) => channel !== '').sort()
    return { transcripts: found, channels, isWhole: walk.isWhole }
  }
}

async function listed(stored: StoredTranscript): Promise<ListedTranscript> {
  const { name } = stored
  return { name, dateMs: await dateOf(stored), channel: channelOf(name), folded: name.normalize('NFC').toLowerCase() }
}

/** The date in the name, else the time of the last change; 0 where neither is known. */
export async function dateOf({ name, path }: StoredTranscript): Promise<number> {
  const inName = dateInName(name)
  if (inName !== null) return inName
  try {
    return Math.trunc((await lstat(path)).mtimeMs)
  } catch {
    return 0
  }
}

/** `web/2026/11/a.json` is of the channel `web`, and so is `2026/web/a.json`. */
export function channelOf(name: string): string {
  const folders = name.split('/').slice(0, -1)
  return folders.find((each) => !/^\d+$/.test(each) && dateInName(each) === null) ?? ''
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
