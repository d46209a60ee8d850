/** The pages that people see of the transcripts: the list, and one conversation. Everything foreign in them is escaped. */
import { escapeHtml, makePage } from './page.ts'
import { isFiltered, type ListFilter } from './transcripts-filter.ts'
import type { ListedTranscript } from './transcripts-list.ts'

export interface ShownList {
  /** `path` is null where nothing leads to it. */
  readonly transcripts: readonly (ListedTranscript & { readonly path: string | null })[]
  readonly channels: readonly string[]
  /** How many match in all. */
  readonly total: number
  readonly isWhole: boolean
  readonly filter: ListFilter
}

/** `footer`: what `accountFooter` made. */
export function listPage(list: ShownList, footer: string): Buffer {
  const form = searchForm(list)
  const rows = list.transcripts.map(row).join('')
  const table =
    rows === ''
      ? '<p>No transcript found.</p>'
      : `<div class="card"><table><caption>${caption(list)}</caption><thead><tr><th scope="col">Transcript</th><th scope="col">Channel</th><th scope="col">When (UTC)</th></tr></thead><tbody>${rows}</tbody></table></div>`
  return makePage(
    'Transcripts',
    '<p class="soft">Conversations with customers, newest first.</p>',
    form + table,
    footer,
  )
}

function searchForm({ channels, filter }: ShownList): string {
  const back = isFiltered(filter) ? ' <a href="/">Show all</a>' : ''
  const day = (name: 'from' | 'to', label: string): string =>
    `<div><label for="${name}">${label}</label><input id="${name}" name="${name}" type="date" value="${filter[name]}"></div>`
  // One that was asked for and is gone is still what is asked for.
  const known = filter.channel === '' || channels.includes(filter.channel) ? channels : [...channels, filter.channel]
  const options = known
    .map((each) => {
      const text = escapeHtml(each)
      return `<option value="${text}"${each === filter.channel ? ' selected' : ''}>${text}</option>`
    })
    .join('')
  const select =
    options === ''
      ? ''
      : `<div><label for="channel">Channel</label><select id="channel" name="channel"><option value="">All</option>${options}</select></div>`
  return `<form action="/" method="get" role="search" aria-label="Transcripts"><div><label for="q">Part of the name</label><input id="q" name="q" type="search" maxlength="100" value="${escapeHtml(filter.search)}"></div>${select}${day('from', 'From (UTC)')}${day('to', 'To, included')}<button>Search</button>${back}</form>`
}

function caption(list: ShownList): string {
  const shown = list.transcripts.length
  const count =
    shown < list.total ? `The newest ${shown} of ${list.total}; search to find the others.` : `${shown} found.`
  return list.isWhole ? count : `${count} The folder holds more than is looked at.`
}

function row(each: ShownList['transcripts'][number]): string {
  const name = `<bdi>${escapeHtml(each.name)}</bdi>`
  const link = each.path === null ? name : `<a href="${escapeHtml(each.path)}">${name}</a>`
  return `<tr><td>${link}</td><td><bdi>${escapeHtml(each.channel)}</bdi></td><td class="when">${time(each.dateMs)}</td></tr>`
}

function time(ms: number): string {
  if (ms === 0) return ''
  const iso = new Date(ms).toISOString()
  return `<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')}</time>`
}

// Far more than a conversation has; a page must not grow without bound.
const MOST_MESSAGES = 5000
const MOST_PARTICIPANTS = 50

/** A transcript of the shape in docs/transcripts.md as a conversation to read; null where the value is of another shape. */
export function conversationPage(name: string, path: string, value: unknown, footer: string): Buffer | null {
  if (!isObject(value) || !Array.isArray(value.messages)) return null
  const roles = new Map<string, string>()
  const people = Array.isArray(value.participants) ? value.participants.slice(0, MOST_PARTICIPANTS) : []
  for (const each of people) if (isObject(each)) roles.set(textOf(each.name), textOf(each.role))
  const items: string[] = []
  for (const each of value.messages.slice(0, MOST_MESSAGES)) {
    if (!isObject(each) || typeof each.text !== 'string') return null
    items.push(message(each, roles))
  }
  const left = value.messages.length - items.length
  const more = left > 0 ? `<p>${left} further messages are in the data.</p>` : ''
  const talk = items.length === 0 ? '<p>Nothing was said.</p>' : `<ol class="talk">${items.join('')}</ol>`
  return makePage(textOf(value.id).slice(0, 200) || name, facts(path, value, roles), talk + more, footer)
}

function facts(path: string, value: Record<string, unknown>, roles: ReadonlyMap<string, string>): string {
  const people = [...roles].map(([who, role]) => (role === '' ? who : `${who} (${role})`)).join(', ')
  const entries = [
    ['Started', readableTime(value.startedAt)],
    ['Channel', textOf(value.channel)],
    ['People', people],
  ]
  const list = entries
    .filter(([, text]) => text !== '')
    .map(([term, text]) => `<dt>${term}</dt><dd><bdi>${escapeHtml(text!)}</bdi></dd>`)
    .join('')
  return `<dl>${list}</dl><p class="soft"><a href="/">All transcripts</a> · <a href="${escapeHtml(path)}?raw">Data (JSON)</a> · <a href="${escapeHtml(path)}?download">Download</a></p>`
}

function message(each: Record<string, unknown>, roles: ReadonlyMap<string, string>): string {
  const who = textOf(each.from)
  const at = readableTime(each.at)
  const when = at === '' ? '' : ` <span class="soft">${escapeHtml(at)}</span>`
  return `<li class="${classOf(roles.get(who) ?? who)}"><span class="who"><bdi>${escapeHtml(who)}</bdi></span>${when}<p dir="auto">${escapeHtml(textOf(each.text))}</p></li>`
}

function classOf(role: string): string {
  if (role === 'agent' || role === 'bot' || role === 'supervisor') return 'staff'
  return role === 'system' ? 'note' : 'guest'
}

/** What a page may say of a field: a number or a string, well-formed. */
function textOf(value: unknown): string {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' ? value.toWellFormed() : ''
}

function readableTime(value: unknown): string {
  const text = textOf(value)
  const found = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(text)
  return found === null ? text : `${found[1]} ${found[2]} ${found[3] === 'Z' ? 'UTC' : found[3]}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
