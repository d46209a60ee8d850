/**
 * The grammar of field lines that HTTP/1.x requests, responses and trailers share (RFC 9112, 5), strictly. Knows no first
 * line and no socket.
 */
import { type HeaderList, TOKEN } from './headers.ts'

/** A control character, a CR or LF that is not part of CRLF, or a line that begins with white space (obs-fold). */
export const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n|\n[ \t]/

const KNOWN_NAMES = new Map<string, string>()
const MAX_KNOWN_NAMES = 512

/**
 * Reads lines up to `end`, each with its CRLF, out of a text that FORBIDDEN does not match.
 *
 * @param at Where the first name begins.
 * @returns Lower-case names and trimmed values in order; null where a line is malformed; 'too-many' over `maxFields`.
 */
export function parseFieldLines(
  text: string,
  at: number,
  end: number,
  maxFields: number,
): HeaderList | 'too-many' | null {
  const fields: HeaderList = []
  let from = at
  while (from < end) {
    const colon = text.indexOf(':', from)
    const eol = text.indexOf('\r\n', from)
    if (eol === -1 || colon === -1 || colon > eol) return null
    const name = lowerName(text.slice(from, colon))
    if (name === null) return null
    if (fields.length >= maxFields * 2) return 'too-many'
    fields.push(name, trimOws(text, colon + 1, eol))
    from = eol + 2
  }
  return fields
}

/** The lower-case name, or null where it is not a token. Spellings seen before are not checked again; the memory is bounded. */
function lowerName(name: string): string | null {
  const known = KNOWN_NAMES.get(name)
  if (known !== undefined) return known
  if (!TOKEN.test(name)) return null
  const lower = name.toLowerCase()
  if (KNOWN_NAMES.size < MAX_KNOWN_NAMES && name.length <= 64) KNOWN_NAMES.set(name, lower)
  return lower
}

/** The text between two places without spaces and tabs around it (RFC 9112, 5.1). */
function trimOws(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isOws(text.charCodeAt(start))) start++
  while (end > start && isOws(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isOws = (code: number): boolean => code === 0x20 || code === 0x09
