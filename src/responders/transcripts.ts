/**
 * Answers from a folder of transcripts: the list, a file, a range of it, or a conversation as a page. Every look is in the
 * audit log before its first byte leaves. It knows nothing of accounts beyond the name of who is signed in.
 */
import { realpathSync, statSync } from 'node:fs'
import { ConfigurationError, Failure } from '../errors.ts'
import type { ReadPermissions } from '../exchange/access-contracts.ts'
import type { AuditLog, Responder } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { NameTokens } from '../exchange/sealed.ts'
import type { HeaderList } from '../http/headers.ts'
import { accountFooter } from './account-html.ts'
import { readRange } from './byte-range.ts'
import { PAGE_POLICY, prefersPage } from './page.ts'
import { ReadableTranscripts } from './readable-transcripts.ts'
import { type AtRest, type OpenTranscript, openTranscript } from './transcripts-file.ts'
import { matching, readFilter } from './transcripts-filter.ts'
import { Lister } from './transcripts-list.ts'
import { conversationPage, listPage } from './transcripts-page.ts'
import { parseTranscriptPath, pathOf, type TranscriptKind, type TranscriptName } from './transcripts-path.ts'
import { readMasked, TranscriptSender } from './transcripts-sender.ts'

export interface TranscriptsOptions {
  /** Relative to the working directory, or absolute. */
  readonly folder: string
  readonly audit: AuditLog
  /** What roles allow. */
  readonly permissions: ReadPermissions
  /** Serve without a signed-in user: only where the configuration says `"auth": "none"`. */
  readonly allowAnonymous?: boolean
  /** Default: plain files only. */
  readonly atRest?: AtRest
  /** Names stand in URLs as tokens only; null: as they are. */
  readonly nameTokens?: NameTokens | null
}

/** Entries of a list. */
const MOST_LISTED = 1000
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
  const atRest = options.atRest ?? { opener: null, servesPlain: true }
  const lister = new Lister(folder, undefined, undefined, {
    servesPlain: atRest.servesPlain,
    servesSealed: atRest.opener !== null,
  })
  const readable = new ReadableTranscripts(folder, atRest, options.permissions)
  const allowAnonymous = options.allowAnonymous ?? false
  const nameTokens = options.nameTokens ?? null

  function answerTranscripts(x: Exchange): void {
    if (x.user === '' && !allowAnonymous) return x.refuse('sign-in-required')
    if (x.method !== 'GET' && x.method !== 'HEAD') return x.refuse('wrong-method')
    const sent = x.path === '/' ? sendList(x) : sendNamed(x)
    sent.catch((error) => x.fail(new Failure('internal', 'transcripts', error)))
  }

  async function sendList(x: Exchange): Promise<void> {
    const filter = readFilter(x.query)
    const { transcripts, channels, isWhole } = await lister.list()
    if (x.finished) return
    const found = await readable.among(x.principal, matching(transcripts, filter))
    if (x.finished) return
    const shown = found.slice(0, MOST_LISTED).map((each) => ({ ...each, path: linkOf(each.name) }))
    record(x, '/', 'success', `${shown.length} names`)
    if (prefersPage(x.headers)) {
      const body = listPage(
        { transcripts: shown, channels, total: found.length, isWhole, filter },
        accountFooter(x.principal),
      )
      return x.respond(200, pageHeaders(), body)
    }
    const list = shown.map(({ name, path, channel, dateMs }) => ({
      name,
      path,
      channel: channel === '' ? null : channel,
      date: dateMs === 0 ? null : new Date(dateMs).toISOString(),
    }))
    const body = { transcripts: list, total: found.length, isWhole }
    x.respond(200, dataHeaders('json'), Buffer.from(`${JSON.stringify(body)}\n`))
  }

  /** Null where the name is too long for a token: then nothing leads to it. */
  function linkOf(name: string): string | null {
    if (nameTokens === null) return pathOf(name)
    const token = nameTokens.seal(name)
    return token === null ? null : `/${token}`
  }

  function sendNamed(x: Exchange): Promise<void> {
    if (nameTokens === null) {
      const name = parseTranscriptPath(x.path)
      return sendTranscript(x, name, name?.name ?? '-')
    }
    const token = x.path.slice(1)
    const isToken = nameTokens.looksLikeToken(token)
    // A name in the clear must reach no log.
    if (!isToken) x.path = '/[not-a-token]'
    const reading = nameTokens.open(token)
    if (reading.kind === 'expired') {
      record(x, token, 'failure', 'expired')
      x.refuse('link-expired')
      return Promise.resolve()
    }
    const name = reading.kind === 'valid' ? parseTranscriptPath(pathOf(reading.value)) : null
    return sendTranscript(x, name, isToken ? token : '-')
  }

  /** `object`: what the audit log calls it. */
  async function sendTranscript(x: Exchange, name: TranscriptName | null, object: string): Promise<void> {
    if (name === null) return refuse(x, object, 'not the name of a transcript')
    const file = await openTranscript(folder, name, atRest)
    if (file === null) return refuse(x, object, 'no such transcript')
    if (file === 'damaged') {
      record(x, object, 'failure', 'sealed, and does not open: damaged, exchanged, or its key is not in the ring')
      return x.refuse('internal', 'a sealed transcript does not open')
    }
    try {
      if (!(await readable.isReadable(x.principal, name, file))) {
        file.close()
        record(x, object, 'failure', 'no role allows it', 'authz_fail')
        return x.refuse('not-found')
      }
      if (x.finished) return file.close()
      const isPage = name.kind === 'json' && file.content.size <= MOST_PAGE_BYTES && prefersPage(x.headers)
      if (isPage && !asks(x.query, 'raw') && !asks(x.query, 'download')) await sendConversation(x, name, object, file)
      else sendFile(x, name, object, file)
    } catch (error) {
      file.close()
      throw error
    }
  }

  async function sendConversation(
    x: Exchange,
    name: TranscriptName,
    object: string,
    file: OpenTranscript,
  ): Promise<void> {
    const bytes = await readMasked(file.content, 'json', 0, file.content.size)
    file.close()
    if (x.finished) return
    if (bytes === null) return x.refuse('internal', 'transcript could not be read to its end')
    record(x, object, 'success', 'page')
    const page = conversationPage(name.name, x.path, parseJson(bytes), accountFooter(x.principal))
    if (page === null) x.respond(200, dataHeaders('json'), bytes)
    else x.respond(200, pageHeaders(), page)
  }

  function sendFile(x: Exchange, name: TranscriptName, object: string, file: OpenTranscript): void {
    const { size } = file.content
    // RFC 9110, 14.2: a range is asked for by GET only.
    const range = x.method === 'GET' ? readRange(x.headers, size) : null
    if (range === 'unsatisfiable') {
      file.close()
      record(x, object, 'failure', 'range')
      x.answerHeaders.push('content-range', `bytes */${size}`)
      return x.refuse('range-not-satisfiable')
    }
    const isDownload = asks(x.query, 'download')
    const what = isDownload ? 'download' : ''
    record(x, object, 'success', range === null ? what : `${what} bytes ${range.first}-${range.last}`.trim())
    const headers = dataHeaders(name.kind)
    headers.push('accept-ranges', 'bytes')
    if (isDownload) headers.push('content-disposition', disposition(name))
    if (range === null) {
      headers.push('content-length', String(size))
    } else {
      headers.push('content-length', String(range.last - range.first + 1))
      headers.push('content-range', `bytes ${range.first}-${range.last}/${size}`)
    }
    x.respondHead(range === null ? 200 : 206, headers)
    if (x.method === 'HEAD') {
      file.close()
      return x.sendEnd(null)
    }
    new TranscriptSender(x, file, name.kind, range).start()
  }

  /** RFC 6266. Where names are hidden, a download bears none. */
  function disposition({ segments, kind }: TranscriptName): string {
    const base = nameTokens === null ? segments.at(-1)! : `transcript.${kind}`
    const plain = base.replace(/[^A-Za-z0-9._ -]/g, '_')
    const encoded = encodeURIComponent(base.toWellFormed()).replace(
      /['()*!]/g,
      (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`,
    )
    return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`
  }

  function refuse(x: Exchange, object: string, reason: string): void {
    record(x, object, 'failure', reason)
    x.refuse('not-found')
  }

  function record(
    x: Exchange,
    object: string,
    outcome: 'success' | 'failure',
    reason: string,
    event = 'sensitive_read',
  ): void {
    const line = { event, outcome, user: x.user, address: x.clientAddress, requestId: x.id, object }
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

function asks(query: string, name: 'raw' | 'download'): boolean {
  return query !== '' && new URLSearchParams(query).has(name)
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return null
  }
}

/** The folder itself may be a link. Throws ConfigurationError where it is none. */
export function realFolder(folder: string): string {
  try {
    const real = realpathSync(folder)
    if (statSync(real).isDirectory()) return real
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new ConfigurationError([`${folder}: the folder of transcripts cannot be read (${code})`])
  }
  throw new ConfigurationError([`${folder}: the folder of transcripts is not a folder`])
}
