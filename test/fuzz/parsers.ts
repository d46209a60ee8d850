/**
 * The gateway's parsers against llhttp, strict: what ours accept, llhttp accepts, and takes for the same. Where llhttp
 * differs by intention of one side, the difference is named here and nowhere else.
 */
import { METHODS } from 'node:http'
import { readRequests } from './llhttp.ts'
import { type OwnRequest, readOwn } from './own-reading.ts'
import { Chance } from './random.ts'
import { makeRequestCase } from './request-grammar.ts'

const KNOWN_METHODS = new Set(METHODS)

/** What is wrong with a case; ''. */
export async function judgeParsers(bytes: Buffer): Promise<string> {
  const own = readOwn([bytes])
  const apart = readOwn(new Chance(bytes.length).split(bytes))
  if (summary(own.requests) !== summary(apart.requests)) return 'read otherwise in pieces'
  if (own.requests.length === 0) return ''
  const other = await readRequests(bytes, 'strict')
  for (const [i, request] of own.requests.entries()) {
    // llhttp knows a list of methods, the gateway any token: its routes have the list (405).
    // After CONNECT llhttp reads no more; the gateway refuses it and closes.
    if (!KNOWN_METHODS.has(request.method) || request.method === 'CONNECT') return ''
    const read = other.requests[i]
    if (read === undefined) {
      // A head that nobody will act upon: the body after it was refused, or never came.
      if (!request.isWhole) return ''
      return `request ${i} (${request.method} ${request.target}) is none for llhttp: ${other.error}`
    }
    // Stricter by intention: what llhttp lets into chunk extensions and trailers, other readers may not.
    if (!request.isWhole && own.refused !== '') return ''
    const wrong = differs(request, read)
    if (wrong !== '') return `request ${i}: ${wrong} (${other.error})`
  }
  return ''
}

/** Of a body that ended in a mistake, how much was handed over is a matter of pieces. */
function summary(requests: readonly OwnRequest[]): string {
  return JSON.stringify(requests.map((each) => (each.isWhole ? each : { ...each, body: null })))
}

function differs(own: OwnRequest, read: Awaited<ReturnType<typeof readRequests>>['requests'][number]): string {
  if (own.method !== read.method) return `method ${own.method} and ${read.method}`
  if (own.target !== read.url) return `target ${own.target} and ${read.url}`
  const headers = read.rawHeaders.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text.replace(/[\t ]+$/, '')))
  if (own.headers.join('\n') !== headers.join('\n'))
    return `fields ${JSON.stringify(own.headers)} and ${JSON.stringify(headers)}`
  if (!own.isWhole) return read.isWhole ? 'a body that is whole for llhttp only' : ''
  if (!read.isWhole) return 'a body that is whole for the gateway only'
  return own.body.equals(read.body) ? '' : `body ${own.body.toString('latin1')} and ${read.body.toString('latin1')}`
}

/** Legal cases must be read whole. */
export async function runParserSeed(seed: number): Promise<{ bytes: Buffer; wrong: string }> {
  const made = makeRequestCase(new Chance(seed), `s${seed}`)
  const wrong = await judgeParsers(made.bytes)
  if (wrong !== '' || !made.isLegal) return { bytes: made.bytes, wrong }
  const { requests, refused } = readOwn([made.bytes])
  const isRead = requests.length === made.requests && requests.every(({ isWhole }) => isWhole)
  return {
    bytes: made.bytes,
    wrong: isRead ? '' : `legal, and read as ${requests.length} of ${made.requests}, ${refused}`,
  }
}
