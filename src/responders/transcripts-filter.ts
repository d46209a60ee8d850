/** What of a list is asked for: words, a channel, days. Query in, the matching part of a list out; it knows no page. */
import type { ListedTranscript } from './transcripts-list.ts'

export interface ListFilter {
  /** As it was asked, for the form to show again. */
  readonly search: string
  readonly channel: string
  /** `YYYY-MM-DD`; '' for none, and for what is no date. */
  readonly from: string
  readonly to: string
}

const MOST_LENGTH = 100
const DAY = /^\d{4}-\d\d-\d\d$/
const DAY_MS = 86_400_000

export function readFilter(query: string): ListFilter {
  const asked = new URLSearchParams(query)
  const text = (name: string): string => (asked.get(name) ?? '').slice(0, MOST_LENGTH).toWellFormed().trim()
  const day = (name: string): string => (Number.isNaN(startOf(text(name))) ? '' : text(name))
  return { search: text('q'), channel: text('channel'), from: day('from'), to: day('to') }
}

export function isFiltered({ search, channel, from, to }: ListFilter): boolean {
  return search !== '' || channel !== '' || from !== '' || to !== ''
}

/** Days are UTC, the last one included. */
export function matching(list: readonly ListedTranscript[], filter: ListFilter): readonly ListedTranscript[] {
  if (!isFiltered(filter)) return list
  const wanted = filter.search.normalize('NFC').toLowerCase()
  const from = filter.from === '' ? Number.NEGATIVE_INFINITY : startOf(filter.from)
  const end = filter.to === '' ? Number.POSITIVE_INFINITY : startOf(filter.to) + DAY_MS
  return list.filter(
    ({ folded, channel, dateMs }) =>
      folded.includes(wanted) &&
      (filter.channel === '' || channel === filter.channel) &&
      dateMs >= from &&
      dateMs < end,
  )
}

/** Milliseconds since 1970; NaN for what is no day. */
function startOf(day: string): number {
  if (!DAY.test(day)) return Number.NaN
  const ms = Date.parse(`${day}T00:00:00Z`)
  // 31 February is no day.
  return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== day ? Number.NaN : ms
}
