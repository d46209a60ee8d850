/**
 * Percent escapes (RFC 3986, 2.1) in a text, as a page shows them that decodes it once, or twice. One character at a time. It
 * knows no card.
 */

/** How often a text is decoded; 0: it is shown as it stands. */
export type Depth = 0 | 1 | 2

const ONCE = /%([0-9a-f]{2})/iy
/** The percent sign may have been escaped again. */
const TWICE = /%(?:25)?([0-9a-f]{2})/iy

export interface Unescaped {
  readonly code: number
  /** Behind the last of its escapes. */
  readonly end: number
}

/** How often decoding could change the text. Cheap where nothing is escaped. */
export function depthOf(text: string): Depth {
  if (!text.includes('%')) return 0
  if (/%25[0-9a-f]{2}/i.test(text)) return 2
  return /%[0-9a-f]{2}/i.test(text) ? 1 : 0
}

/** The code point that the escapes at a place stand for; null where there are none, or what they say is no UTF-8. */
export function unescapeAt(text: string, at: number, depth: Depth): Unescaped | null {
  const pattern = depth === 2 ? TWICE : ONCE
  const first = byteAt(text, at, pattern)
  return first === null || first.code < 0x80 ? first : sequence(text, first, pattern)
}

function byteAt(text: string, at: number, pattern: RegExp): Unescaped | null {
  pattern.lastIndex = at
  const found = pattern.exec(text)
  return found === null ? null : { code: Number.parseInt(found[1]!, 16), end: pattern.lastIndex }
}

/** RFC 3629, 4, but for the narrower ranges of second bytes: a digit written too long is still one for lax readers. */
function sequence(text: string, first: Unescaped, pattern: RegExp): Unescaped | null {
  const more = first.code >= 0xf0 ? 3 : first.code >= 0xe0 ? 2 : 1
  if (first.code < 0xc0 || first.code > 0xf7) return null
  let code = first.code & (0x3f >> more)
  let { end } = first
  for (let i = 0; i < more; i++) {
    const next = byteAt(text, end, pattern)
    if (next === null || (next.code & 0xc0) !== 0x80) return null
    code = (code << 6) | (next.code & 0x3f)
    end = next.end
  }
  return code > 0x10ffff ? null : { code, end }
}
