/** Reads the list that a service gives, in the shape that the gateway itself gives one. What leads out of this host leads nowhere. */
import type { ListFilter } from './transcripts-filter.ts'
import type { ShownList } from './transcripts-page.ts'

const MOST_LISTED = 1000
const MOST_NAME = 1024
/** A path of this host: no other origin, no script. */
const PATH = /^\/(?![/\\])[^\s\\]{0,2048}$/

/** Null for what is no list. */
export function listOf(value: unknown, filter: ListFilter): ShownList | null {
  if (!isObject(value) || !Array.isArray(value.transcripts)) return null
  const transcripts: ShownList['transcripts'][number][] = []
  for (const each of value.transcripts.slice(0, MOST_LISTED)) {
    if (!isObject(each) || typeof each.name !== 'string') return null
    const name = each.name.slice(0, MOST_NAME).toWellFormed()
    const path = typeof each.path === 'string' && PATH.test(each.path) ? each.path : null
    const channel = typeof each.channel === 'string' ? each.channel.slice(0, 100).toWellFormed() : ''
    const dateMs = typeof each.date === 'string' ? Date.parse(each.date) : 0
    transcripts.push({ name, path, channel, folded: '', dateMs: Number.isNaN(dateMs) ? 0 : dateMs })
  }
  const channels = [...new Set(transcripts.map(({ channel }) => channel))].filter((channel) => channel !== '').sort()
  const total = typeof value.total === 'number' ? Math.max(value.total, transcripts.length) : value.transcripts.length
  return { transcripts, channels, total, isWhole: value.isWhole !== false, filter }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
