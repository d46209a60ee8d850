/**
 * Which transcripts of a folder somebody may read. Where a rule asks for it, the attributes are read out of the transcript
 * itself, bounded and remembered. It decides nothing: the permissions do.
 */
import { join } from 'node:path'
import type { Principal, ReadPermissions } from '../exchange/access-contracts.ts'
import { type AtRest, type OpenTranscript, openTranscript } from './transcripts-file.ts'
import { channelOf, dateOf, type ListedTranscript } from './transcripts-list.ts'
import { parseTranscriptPath, pathOf, SEALED_ENDING, type TranscriptName } from './transcripts-path.ts'

type Attributes = Readonly<Record<string, string>> | null

/** Bytes of a JSON transcript that is looked into; a larger one has no attributes for the rules. */
const MOST_BYTES = 1_048_576
const MOST_ATTRIBUTES = 32
const MOST_VALUE_LENGTH = 128
/** Transcripts that are looked into for one list, at so many at once, and how many are remembered. */
const MOST_LOOKED_INTO = 5000
const AT_ONCE = 8
const MOST_REMEMBERED = 20_000
/** A file that is exchanged for another of the same name and size within this time may be judged by the one before. */
const REMEMBERED_MS = 10_000

export class ReadableTranscripts {
  readonly #folder: string
  readonly #atRest: AtRest
  readonly #permissions: ReadPermissions
  /** By name, for lists. The oldest entry is the first. */
  readonly #remembered = new Map<string, { readonly until: number; readonly attributes: Attributes }>()

  constructor(folder: string, atRest: AtRest, permissions: ReadPermissions) {
    this.#folder = folder
    this.#atRest = atRest
    this.#permissions = permissions
  }

  /** The part of a list that may be read, in its order. What was not looked into is not in it. */
  async among(principal: Principal | null, listed: readonly ListedTranscript[]): Promise<ListedTranscript[]> {
    const needsAttributes = this.#permissions.needsAttributes(principal)
    const looked = needsAttributes ? listed.slice(0, MOST_LOOKED_INTO) : listed
    const allowed: ListedTranscript[] = []
    for (let i = 0; i < looked.length; i += AT_ONCE) {
      const some = looked.slice(i, i + AT_ONCE)
      const found = needsAttributes ? await Promise.all(some.map(({ name }) => this.#attributesByName(name))) : []
      for (const [k, each] of some.entries()) {
        const { name, dateMs, channel } = each
        const facts = { name, dateMs, channel: channel === '' ? null : channel, attributes: found[k] ?? null }
        if (this.#permissions.mayRead(principal, facts)) allowed.push(each)
      }
    }
    return allowed
  }

  /** For an opened transcript, which stays open. It is looked into itself, whatever a list remembers. */
  async isReadable(principal: Principal | null, name: TranscriptName, file: OpenTranscript): Promise<boolean> {
    const path = join(this.#folder, ...name.segments) + (file.isSealed ? SEALED_ENDING : '')
    const dateMs = await dateOf({ name: name.name, path, isSealed: file.isSealed })
    const attributes = this.#permissions.needsAttributes(principal) ? await attributesOf(name, file) : null
    const channel = channelOf(name.name)
    const facts = { name: name.name, dateMs, channel: channel === '' ? null : channel, attributes }
    return this.#permissions.mayRead(principal, facts)
  }

  async #attributesByName(name: string): Promise<Attributes> {
    const now = performance.now()
    const known = this.#remembered.get(name)
    if (known !== undefined && known.until > now) return known.attributes
    const parsed = parseTranscriptPath(pathOf(name))
    const file = parsed?.kind === 'json' ? await openTranscript(this.#folder, parsed, this.#atRest) : null
    let attributes: Attributes = null
    if (parsed !== null && file !== null && file !== 'damaged') {
      try {
        attributes = await attributesOf(parsed, file)
      } finally {
        file.close()
      }
    }
    this.#remembered.delete(name)
    if (this.#remembered.size >= MOST_REMEMBERED) {
      const [oldest] = this.#remembered.keys()
      this.#remembered.delete(oldest!)
    }
    this.#remembered.set(name, { until: now + REMEMBERED_MS, attributes })
    return attributes
  }
}

/** `attributes` of the document itself: `{ "attributes": { "team": "north" } }`. */
async function attributesOf({ kind }: TranscriptName, { content }: OpenTranscript): Promise<Attributes> {
  if (kind !== 'json' || content.size > MOST_BYTES) return null
  const bytes = await content.read(0, content.size)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes ?? undefined))
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { attributes } = value as Record<string, unknown>
  if (typeof attributes !== 'object' || attributes === null || Array.isArray(attributes)) return null
  const entries = Object.entries(attributes).slice(0, MOST_ATTRIBUTES)
  return Object.fromEntries(
    entries.filter(
      (each): each is [string, string] => typeof each[1] === 'string' && each[1].length <= MOST_VALUE_LENGTH,
    ),
  )
}
