/**
 * The status page: tables that read without colours and without scripts; one small script brings them up to date. Everything that
 * comes from elsewhere is escaped. It knows no gateway.
 */
import type { EndpointView, ServiceView } from '../exchange/service-book.ts'
import {
  type CertificateView,
  type LimitView,
  LONGEST_MS,
  type MinuteView,
  type Shown,
  type StatusView,
} from '../exchange/status-view.ts'
import { escapeHtml, hashOf, makeDocument, PAGE_LOOK } from './page.ts'

const LOOK = `${PAGE_LOOK}
:root{--good:#13692f;--warn:#7a4b00}@media (prefers-color-scheme:dark){:root{--good:#7fdc9a;--warn:#ffc56b}}
header,main,footer{max-width:72rem}section{margin:0 0 1.5rem}h2{font-size:1.15rem;margin:0 0 .5rem}.state{font-weight:600;white-space:nowrap}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}td.number,th.number{text-align:end;white-space:nowrap}
ul.facts{list-style:none;margin:0;padding:.75rem 1rem;display:flex;flex-wrap:wrap;gap:.25rem 2rem}ul.facts b{font-size:1.15rem}
[hidden]{display:none}.card:focus-visible{outline:3px solid var(--mark)}header button{padding:.1rem .6rem;min-height:1.75rem}`

/** Asks for the page again and takes over what changed; nothing happens where it is paused, hidden or not answered. */
const SCRIPT = `(()=>{const b=document.getElementById('live'),n=document.getElementById('note');let on=true;b.hidden=false
b.addEventListener('click',()=>{on=!on;b.textContent=on?'Pause updates':'Go on with updates'})
setInterval(async()=>{if(!on||document.hidden)return
try{const a=await fetch('/',{cache:'no-store'});if(!a.ok)throw 0
for(const s of new DOMParser().parseFromString(await a.text(),'text/html').querySelectorAll('section[id]')){const o=document.getElementById(s.id);if(o&&o.outerHTML!==s.outerHTML)o.replaceWith(s)}
n.textContent=''}catch{n.textContent='The gateway does not answer: what stands here is old.'}},10000)})()`

/** Content-Security-Policy of the page: its own style and script, by their hashes, and questions to its own origin. */
export const STATUS_POLICY = `default-src 'none'; style-src ${hashOf(LOOK)}; script-src ${hashOf(SCRIPT)}; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'`

export function statusPage(view: StatusView): Buffer {
  const lead = `<p class="soft"><a href="/">Look again</a> · <a href="/status">Data (JSON)</a> · <a href="/metrics">Metrics</a> <button type="button" id="live" hidden>Pause updates</button> <span id="note" role="status"></span></p>`
  const main = [
    section('now', 'Now', overview(view)),
    section('listeners', 'Listeners', listeners(view)),
    section('services', 'Services', services(view.services)),
    section('limits', 'Limits', limits(view)),
    section('bans', 'Bans', bans(view)),
    section('certificates', 'Certificates', certificates(view.certificates)),
  ].join('\n')
  const script = `<script>${SCRIPT}</script>`
  return makeDocument({ title: 'portcullis status', look: LOOK, lead, main, footer: 'Times are UTC.', script })
}

const section = (id: string, title: string, body: string): string =>
  `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${body}</section>`

const text = (value: string): string => `<bdi>${escapeHtml(value.slice(0, 300).toWellFormed())}</bdi>`
const number = (value: number): string => `<td class="number">${value}</td>`
type Mood = 'good' | 'warn' | 'bad'
const SIGNS: Readonly<Record<Mood, string>> = { good: '✓', warn: '▲', bad: '✕' }
/** A word, a sign and a colour: any one of them is enough. */
const state = (mood: Mood, word: string): string =>
  `<span class="state ${mood}"><span aria-hidden="true">${SIGNS[mood]}</span> ${escapeHtml(word)}</span>`

/** On narrow screens a table scrolls by itself, with the keyboard too. */
function table(
  about: string,
  caption: string,
  heads: readonly string[],
  rows: readonly string[],
  none: string,
): string {
  if (rows.length === 0) return `<p>${none}</p>`
  const head = heads
    .map((each) =>
      each.startsWith('#') ? `<th scope="col" class="number">${each.slice(1)}</th>` : `<th scope="col">${each}</th>`,
    )
    .join('')
  return `<div class="card" role="group" aria-label="${about}" tabindex="0"><table><caption>${caption}</caption><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

const captionOf = <T>({ total, shown }: Shown<T>, what: string, order: string): string =>
  shown.length < total
    ? `${shown.length} of ${total} ${what}s: ${order}.`
    : `${total} ${what}${total === 1 ? '' : 's'}.`

function overview(view: StatusView): string {
  const reasons = view.reasons.map((each) => `<li>${text(each)}</li>`).join('')
  const why = reasons === '' ? '' : `<ul aria-label="Why it is not ready">${reasons}</ul>`
  const { lastMinute } = view
  const classes = Object.entries(lastMinute.byStatus).map(([name, count]) => `${count} × ${name}`)
  const facts = [
    `${state(view.ready ? 'good' : 'bad', view.ready ? 'ready' : 'not ready')}`,
    `version <b>${text(view.version)}</b>`,
    `up for <b>${duration(view.uptimeSeconds)}</b>`,
    `<b>${view.connections}</b> connections`,
    `<b>${view.webSockets}</b> WebSockets`,
    `<b>${lastMinute.perSecond}</b> requests a second`,
    ...latencies(lastMinute),
  ]
  const minute =
    classes.length === 0 ? 'No request in the last minute.' : `Answers in the last minute: ${classes.join(', ')}.`
  const list = facts.map((each) => `<li>${each}</li>`).join('')
  return `<div class="card"><ul class="facts">${list}</ul></div>${why}<p class="soft">${minute} As of ${time(view.at)}.</p>`
}

function latencies({ p50, p95, p99 }: MinuteView): string[] {
  const parts = [
    ['half', p50],
    ['95 %', p95],
    ['99 %', p99],
  ] as const
  return parts.flatMap(([part, ms]) => (ms === null ? [] : [`${part} within <b>${milliseconds(ms)}</b>`]))
}

const milliseconds = (ms: number): string => (ms > LONGEST_MS ? `over ${LONGEST_MS / 1000} s` : `${ms} ms`)

function duration(seconds: number): string {
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor(seconds / 3600) % 24
  const minutes = Math.floor(seconds / 60) % 60
  if (days > 0) return `${days} d ${hours} h`
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${seconds} s`
}

const time = (iso: string): string => `<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')}</time>`

function listeners({ listeners: all }: StatusView): string {
  const rows = all.map(
    ({ setting, address, isTls, connections }) =>
      `<tr><td>${text(setting)}</td><td>${text(address)}</td><td>${isTls ? 'TLS' : 'plain'}</td>${number(connections)}</tr>`,
  )
  return table(
    'Listeners',
    'Where clients come in, and the operator.',
    ['Setting', 'Address', 'Transport', '#Connections'],
    rows,
    'None is open.',
  )
}

function services(all: Shown<ServiceView>): string {
  const rows = all.shown.flatMap((service) => {
    const circuit = service.circuit === 'closed' ? state('good', 'closed') : state('bad', service.circuit)
    const { endpoints, name, waiting } = service
    const first = `<td>${text(name)}</td><td>${circuit}</td>${number(waiting)}`
    if (endpoints.length === 0)
      return [`<tr>${first}<td>${state('bad', 'no endpoint')}</td><td></td><td></td><td></td><td></td></tr>`]
    return endpoints.map((each) => `<tr>${first}${endpoint(each)}</tr>`)
  })
  const caption = captionOf(all, 'service', 'those in trouble first')
  const heads = ['Service', 'Circuit', '#Waiting', 'Endpoint', 'State', '#Weight', '#Requests', '#WebSockets']
  return table('Services', caption, heads, rows, 'No service is configured.')
}

const MOODS: Readonly<Record<EndpointView['state'], Mood>> = {
  in: 'good',
  warming: 'good',
  drained: 'warn',
  leaving: 'warn',
  ejected: 'bad',
  down: 'bad',
}

const endpoint = ({ name, state: how, weight, requests, sockets }: EndpointView): string =>
  `<td>${text(name)}</td><td>${state(MOODS[how], how)}</td>${number(weight)}${number(requests)}${number(sockets)}`

function limits({ limits: all }: StatusView): string {
  const store =
    all.store === 'memory'
      ? 'Counted in the memory of this process.'
      : `Shared through Redis, which is ${all.isStoreUp ? state('good', 'up') : state('bad', 'down')}.`
  const decisions = Object.entries(all.decisions).map(([name, count]) => `${escapeHtml(name)} ${count}`)
  const since = decisions.length === 0 ? '' : ` Decisions since the start: ${decisions.join(', ')}.`
  const rows = all.shown.map(
    ({ name, rule, refusals }) =>
      `<tr><td>${text(name)}</td><td>${text(rule)}</td><td>${refusalsOf(refusals)}</td></tr>`,
  )
  const caption = captionOf(all, 'limit', 'those that refused most')
  return `<p>${store}${since}</p>${table('Limits', caption, ['Limit', 'Rule', 'Refused since the start'], rows, 'No limit is configured.')}`
}

function refusalsOf(refusals: LimitView['refusals']): string {
  const parts = Object.entries(refusals).map(([kind, count]) => `${escapeHtml(kind)} ${count}`)
  return parts.length === 0 ? 'none' : parts.join(', ')
}

function bans({ bans: all }: StatusView): string {
  const rows = all.shown.map((ban) => {
    const end = ban.until === null ? 'taken back' : time(ban.until)
    return `<tr><td>${text(ban.subject)}</td><td>${end}</td><td>${text(ban.reason)}</td></tr>`
  })
  return table(
    'Bans',
    captionOf(all, 'ban', 'those that end first'),
    ['Subject', 'Until', 'Reason'],
    rows,
    'Nobody is banned.',
  )
}

const SOURCES: Readonly<Record<CertificateView['source'], string>> = {
  file: 'file',
  acme: 'ordered (ACME)',
  temporary: 'temporary, until one is ordered',
  'self-signed': 'self-signed',
}
const CERTIFICATE_MOODS: Readonly<Record<CertificateView['state'], Mood>> = {
  valid: 'good',
  'ends soon': 'warn',
  expired: 'bad',
}

function certificates(all: Shown<CertificateView>): string {
  const rows = all.shown.map((each) => {
    const more = each.nameCount > each.names.length ? ` and ${each.nameCount - each.names.length} more` : ''
    const names = each.names.map(text).join(', ') + more
    const source = `${SOURCES[each.source]}<br><span class="soft">${text(each.file)}</span>`
    const days = each.daysLeft < 0 ? `${-each.daysLeft} ago` : String(each.daysLeft)
    return `<tr><td>${names}</td><td>${text(each.listener)}</td><td>${text(each.issuer)}</td><td>${source}</td><td>${time(each.expiresAt)}</td><td class="number">${days}</td><td>${state(CERTIFICATE_MOODS[each.state], each.state)}</td></tr>`
  })
  const heads = ['Names', 'Listener', 'Issuer', 'Source', 'Ends', '#Days left', 'State']
  return table('Certificates', captionOf(all, 'certificate', 'those that end first'), heads, rows, 'None is served.')
}
