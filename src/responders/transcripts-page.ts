/** The pages that people see of the transcripts: the list, and one conversation. Everything foreign in them is escaped. */
import { escapeHtml, makePage } from './page.ts'
import type { ListedTranscript } from './transcripts-list.ts'
import { pathOf } from './transcripts-path.ts'

export interface ShownList {
  readonly transcripts: readonly ListedTranscript[]
  /** How many match in all. */
  readonly total: number
  readonly isWhole: boolean
  /** What was searched for; '' for everything. */
  readonly search: string
}

export function listPage(list: ShownList): Buffer {
  const search = escapeHtml(list.search)
  const back = list.search === '' ? '' : ' <a href="/">Show all</a>'
  const form = `<form action="/" method="get" role="search"><div><label for="q">Find by name or date</label><input id="q" name="q" type="search" maxlength="100" value="${search}"></div><button>Search</button>${back}</form>`
  const rows = list.transcripts.map(row).join('')
  const table =
    rows === ''
      ? '<p>No transcript found.</p>'
      : `<div class="card"><table><caption>${caption(list)}</caption><thead><tr><th scope="col">Transcript</th><th scope="col">When (UTC)</th></tr></thead><tbody>${rows}</tbody></table></div>`
  return makePage('Transcripts', '<p class="soft">Conversations with customers, newest first.</p>', form + table)
}

function caption(list: ShownList): string {
  const shown = list.transcripts.length
  const count =
    shown < list.total ? `The newest ${shown} of ${list.total}; search to find the others.` : `${shown} found.`
  return list.isWhole ? count : `${count} The folder holds more than is looked at.`
}

function row(each: ListedTranscript): string {
  return `<tr><td><a href="${escapeHtml(pathOf(each.name))}"><bdi>${escapeHtml(each.name)}</bdi></a></td><td class="when">${time(each.dateMs)}</td></tr>`
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
export function conversationPage(name: string, value: unknown): Buffer | null {
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
  return makePage(textOf(value.id).slice(0, 200) || name, facts(name, value, roles), talk + more)
}

function facts(name: string, value: Record<string, unknown>, roles: ReadonlyMap<string, string>): string {
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
  return `<dl>${list}</dl><p class="soft"><a href="/">All transcripts</a> · <a href="${escapeHtml(pathOf(name))}?raw">Data (JSON)</a></p>`
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
