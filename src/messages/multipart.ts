/**
 * Bodies of type multipart/form-data (RFC 7578) as browsers write them, strictly: what another parser could take apart in
 * another way is refused. Text fields are cleaned by name as those of a form are; files are refused, or pass unread. It
 * knows no exchange.
 */
import { isUtf8 } from 'node:buffer'
import { CONTROL, cleanField, isForbiddenName } from './forms.ts'
import { AGAINST_RULE, type Cleaned, cleanDocument, type MessageRules, type Refused, UNREADABLE } from './rules.ts'

export type CleanedBytes = { readonly outcome: 'same' | 'changed'; readonly bytes: Buffer } | Refused | 'too-large'

const MAX_PARTS = 100
const MAX_HEADER_BYTES = 2048
const MAX_HEADER_LINES = 4

/** One name, in quotes, without escapes but those of browsers (`%22`); then perhaps the name of a file. */
const DISPOSITION = /^form-data; ?name="([^"\\\x00-\x1f\x7f]{1,256})"(?:; ?filename="([^"\\\x00-\x1f\x7f]{0,512})")?$/i
const TEXT_TYPE = /^text\/plain(?:; ?charset="?utf-?8"?)?$/i
const JSON_TYPE = /^application\/json(?:; ?charset="?utf-?8"?)?$/i
const TYPE = /^[A-Za-z0-9.+-]+\/[A-Za-z0-9.+-]+(?:; ?[\x20-\x7e]*)?$/
const ENCODING = /^(?:7bit|8bit|binary)$/i

interface Part {
  readonly name: string
  /** Null for a field. */
  readonly fileName: string | null
  readonly type: string
  /** Where its value stands in the body. */
  readonly start: number
  readonly end: number
  /** Content-Length within the head, to be left out where the value changes: start and end; -1 for none. */
  readonly lengthStart: number
  readonly lengthEnd: number
}

/** Cleans the text fields. Each is bounded by `rules.maxBytes`. */
export function cleanMultipart(rules: MessageRules, body: Buffer, boundary: string): CleanedBytes {
  // One character per byte: offsets are those of the body.
  const text = body.toString('latin1')
  const parts = readParts(text, `--${boundary}`)
  if (parts === null) return UNREADABLE
  const seen = new Set<string>()
  const pieces: Buffer[] = []
  let from = 0
  for (const part of parts) {
    const { fileName, start, end } = part
    const name = utf8Of(part.name)
    if (name === null || isForbiddenName(name)) return UNREADABLE
    if (fileName !== null) {
      const refused = judgeFile(rules, name, fileName, end - start)
      if (refused !== null) return refused
      continue
    }
    if (seen.has(name) && !name.endsWith('[]')) return UNREADABLE
    seen.add(name)
    if (end - start > rules.maxBytes) return 'too-large'
    const bytes = body.subarray(start, end)
    if (!isUtf8(bytes)) return UNREADABLE
    const value = bytes.toString()
    const cleaned = cleanValue(rules, name, value, part.type)
    if (cleaned.outcome === 'refused') return cleaned
    if (cleaned.outcome === 'same') continue
    // Where tags stood between its halves, a boundary may have grown together.
    if (cleaned.text.includes(`--${boundary}`)) return UNREADABLE
    if (part.lengthStart !== -1) {
      pieces.push(body.subarray(from, part.lengthStart))
      from = part.lengthEnd
    }
    pieces.push(body.subarray(from, start), Buffer.from(cleaned.text))
    from = end
  }
  if (from === 0) return { outcome: 'same', bytes: body }
  pieces.push(body.subarray(from))
  return { outcome: 'changed', bytes: Buffer.concat(pieces) }
}

function judgeFile(rules: MessageRules, name: string, fileName: string, bytes: number): CleanedBytes | null {
  const shown = utf8Of(fileName)
  if (shown === null) return UNREADABLE
  // A form with a file field that was left empty.
  if (bytes === 0 && fileName === '') return null
  if (!rules.passesFiles) return UNREADABLE
  if (rules.visit(name) !== name || rules.visit(shown) !== shown) return AGAINST_RULE
  return null
}

function cleanValue(rules: MessageRules, name: string, value: string, type: string): Cleaned {
  if (type !== '' && JSON_TYPE.test(type)) return rules.visit(name) === name ? cleanDocument(rules, value) : UNREADABLE
  if (type !== '' && !TEXT_TYPE.test(type)) return UNREADABLE
  return CONTROL.test(value) ? UNREADABLE : cleanField(rules, name, value)
}

/** Null where the body is not exactly parts, one after the other, and the closing delimiter. */
function readParts(text: string, delimiter: string): Part[] | null {
  const parts: Part[] = []
  if (!text.startsWith(`${delimiter}\r\n`)) return null
  let at = delimiter.length + 2
  for (;;) {
    if (parts.length === MAX_PARTS) return null
    const next = text.indexOf(delimiter, at)
    // Anywhere else than on a line of its own a lenient parser might see it all the same.
    if (next === -1 || next < at + 2 || text[next - 1] !== '\n' || text[next - 2] !== '\r') return null
    const part = readPart(text, at, next - 2)
    if (part === null) return null
    parts.push(part)
    at = next + delimiter.length
    if (text.startsWith('\r\n', at)) at += 2
    else if (text.startsWith('--', at)) return at + 2 === text.length || text.slice(at + 2) === '\r\n' ? parts : null
    else return null
  }
}

function readPart(text: string, from: number, end: number): Part | null {
  const headEnd = text.indexOf('\r\n\r\n', from)
  if (headEnd === -1 || headEnd + 4 > end || headEnd - from > MAX_HEADER_BYTES) return null
  const start = headEnd + 4
  let name: string | null = null
  let fileName: string | null = null
  let type = ''
  let lengthStart = -1
  let lengthEnd = -1
  const seen = new Set<string>()
  let at = from
  for (const line of text.slice(from, headEnd).split('\r\n', MAX_HEADER_LINES + 1)) {
    const colon = line.indexOf(':')
    const field = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, '')
    if (colon === -1 || /[\r\n\x00]/.test(line) || seen.has(field)) return null
    seen.add(field)
    if (field === 'content-disposition') {
      const found = DISPOSITION.exec(value)
      if (found === null) return null
      name = found[1]!
      fileName = found[2] ?? null
    } else if (field === 'content-type') {
      if (!TYPE.test(value)) return null
      type = value
    } else if (field === 'content-transfer-encoding') {
      if (!ENCODING.test(value)) return null
    } else if (field === 'content-length') {
      if (value !== String(end - start)) return null
      lengthStart = at
      lengthEnd = at + line.length + 2
    } else return null
    at += line.length + 2
  }
  if (name === null || seen.size > MAX_HEADER_LINES) return null
  return { name, fileName, type, start, end, lengthStart, lengthEnd }
}

function utf8Of(latin1: string): string | null {
  const bytes = Buffer.from(latin1, 'latin1')
  return isUtf8(bytes) ? bytes.toString() : null
}
