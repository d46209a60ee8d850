/**
 * Answers from a folder of transcripts: the list, a file, a range of it, or a conversation as a page. Every look is in the
 * audit log before its first byte leaves. It knows nothing of accounts beyond the name of who is signed in.
 */
import { realpathSync, statSync } from 'node:fs'
import { ConfigurationError, Failure } from '../errors.ts'
import type { AuditLog, Responder } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { HeaderList } from '../http/headers.ts'
import { readRange } from './byte-range.ts'
import { PAGE_POLICY, prefersPage } from './page.ts'
import { FileSender, type OpenTranscript, openTranscript, readWhole } from './transcripts-file.ts'
import { Lister } from './transcripts-list.ts'
import { maskTranscript } from './transcripts-mask.ts'
import { conversationPage, listPage } from './transcripts-page.ts'
import { parseTranscriptPath, pathOf, type TranscriptKind, type TranscriptName } from './transcripts-path.ts'

export interface TranscriptsOptions {
  /** Relative to the working directory, or absolute. */
  readonly folder: string
  readonly audit: AuditLog
  /** Serve without a signed-in user: only where the configuration says `"auth": "none"`. */
  readonly allowAnonymous?: boolean
}

/** Entries of a list. */
const MOST_LISTED = 1000
const MOST_SEARCH_LENGTH = 100
/** Bytes of a JSON transcript up to which it is shown as a page; a larger one is served as data. */
const MOST_PAGE_BYTES = 1_048_576

const TYPES: Readonly<Record<TranscriptKind, string>> = {
  json: 'application/json',
  html: 'text/html; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
}

/** What a customer once wrote is in there: an origin of its own, no script, no form, nothing loaded. */
const STORED_HTML_POLICY =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The responder of a folder. Throws ConfigurationError where the folder is not there. */
export function makeTranscripts(options: TranscriptsOptions): Responder {
  const folder = realFolder(options.folder)
  const lister = new Lister(folder)
  const allowAnonymous = options.allowAnonymous ?? false

  function answerTranscripts(x: Exchange): void {
    if (x.user === '' && !allowAnonymous) return x.refuse('sign-in-required')
    if (x.method !== 'GET' && x.method !== 'HEAD') return x.refuse('wrong-method')
    const sent = x.path === '/' ? sendList(x) : sendTranscript(x, parseTranscriptPath(x.path))
    sent.catch((error) => x.fail(new Failure('internal', 'transcripts', error)))
  }

  async function sendList(x: Exchange): Promise<void> {
    const search = (new URLSearchParams(x.query).get('q') ?? '').slice(0, MOST_SEARCH_LENGTH).toWellFormed().trim()
    const { transcripts, isWhole } = await lister.list()
    if (x.finished) return
    const wanted = search.normalize('NFC').toLowerCase()
    const found = wanted === '' ? transcripts : transcripts.filter(({ folded }) => folded.includes(wanted))
    const shown = found.slice(0, MOST_LISTED)
    record(x, '/', 'success', `${shown.length} names`)
    if (prefersPage(x.headers)) {
      const body = listPage({ transcripts: shown, total: found.length, isWhole, search })
      return x.respond(200, pageHeaders(), body)
    }
    const list = shown.map(({ name, dateMs }) => ({
      name,
      path: pathOf(name),
      date: dateMs === 0 ? null : new Date(dateMs).toISOString(),
    }))
    const body = { transcripts: list, total: found.length, isWhole }
    x.respond(200, dataHeaders('json'), Buffer.from(`${JSON.stringify(body)}\n`))
  }

  async function sendTranscript(x: Exchange, name: TranscriptName | null): Promise<void> {
    if (name === null) return refuse(x, '-', 'not the name of a transcript')
    const file = await openTranscript(folder, name.segments)
    if (file === null) return refuse(x, name.name, 'no such transcript')
    if (x.finished) return closeQuietly(file)
    if (name.kind === 'json' && file.size <= MOST_PAGE_BYTES && prefersPage(x.headers) && !asksForData(x.query)) {
      return sendConversation(x, name, file)
    }
    sendFile(x, name, file)
  }

  async function sendConversation(x: Exchange, name: TranscriptName, file: OpenTranscript): Promise<void> {
    const stored = await readWhole(file)
    if (x.finished) return
    if (stored === null) return x.refuse('internal', 'transcript became shorter while it was read')
    const bytes = maskTranscript(stored, 'json')
    record(x, name.name, 'success', 'page')
    const page = conversationPage(name.name, parseJson(bytes))
    if (page === null) x.respond(200, dataHeaders('json'), bytes)
    else x.respond(200, pageHeaders(), page)
  }

  function sendFile(x: Exchange, name: TranscriptName, file: OpenTranscript): void {
    // RFC 9110, 14.2: a range is asked for by GET only.
    const range = x.method === 'GET' ? readRange(x.headers, file.size) : null
    if (range === 'unsatisfiable') {
      closeQuietly(file)
      record(x, name.name, 'failure', 'range')
      x.answerHeaders.push('content-range', `bytes */${file.size}`)
      return x.refuse('range-not-satisfiable')
    }
    try {
      record(x, name.name, 'success', range === null ? '' : `bytes ${range.first}-${range.last}`)
    } catch (error) {
      closeQuietly(file)
      throw error
    }
    const headers = dataHeaders(name.kind)
    headers.push('accept-ranges', 'bytes')
    if (range === null) {
      headers.push('content-length', String(file.size))
    } else {
      headers.push('content-length', String(range.last - range.first + 1))
      headers.push('content-range', `bytes ${range.first}-${range.last}/${file.size}`)
    }
    x.respondHead(range === null ? 200 : 206, headers)
    if (x.method === 'HEAD') {
      closeQuietly(file)
      return x.sendEnd(null)
    }
    new FileSender(x, file, name.kind, range).start()
  }

  function refuse(x: Exchange, object: string, reason: string): void {
    record(x, object, 'failure', reason)
    x.refuse('not-found')
  }

  function record(x: Exchange, object: string, outcome: 'success' | 'failure', reason: string): void {
    const line = { event: 'sensitive_read', outcome, user: x.user, address: x.clientAddress, requestId: x.id, object }
    options.audit.record(reason === '' ? line : { ...line, reason })
  }

  return answerTranscripts
}

function pageHeaders(): HeaderList {
  return [
    ['content-type', 'text/html; charset=utf-8'],
    ['content-security-policy', PAGE_POLICY],
    ['cache-control', 'no-store'],
    ['vary', 'accept'],
  ].flat()
}

function dataHeaders(kind: TranscriptKind): HeaderList {
  const headers: HeaderList = ['content-type', TYPES[kind], 'cache-control', 'no-store', 'vary', 'accept']
  if (kind === 'html') headers.push('content-security-policy', STORED_HTML_POLICY)
  return headers
}

function asksForData(query: string): boolean {
  return query !== '' && new URLSearchParams(query).has('raw')
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return null
  }
}

function realFolder(folder: string): string {
  try {
    const real = realpathSync(folder)
    if (statSync(real).isDirectory()) return real
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new ConfigurationError([`${folder}: the folder of transcripts cannot be read (${code})`])
  }
  throw new ConfigurationError([`${folder}: the folder of transcripts is not a folder`])
}

function closeQuietly(file: OpenTranscript): void {
  file.handle.close().catch(ignore)
}

function ignore(): void {}
