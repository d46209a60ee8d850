/**
 * The small path language that says where text stands in JSON: `$.text`, `$.parts[*].body`, `$..caption`, `$[0].text`.
 * Text in, segments or a sentence out; it knows no document and walks none.
 */

export type FieldSegment =
  /** `.name` or `["name"]`: this key of an object. */
  | { readonly kind: 'key'; readonly name: string }
  /** `[3]`: this element of an array. */
  | { readonly kind: 'index'; readonly index: number }
  /** `[*]` or `.*`: every element of an array, every value of an object. */
  | { readonly kind: 'every' }
  /** `..name`: this key at any depth, the starting value included. */
  | { readonly kind: 'deep'; readonly name: string }

/** Characters. */
const MAX_LENGTH = 256
const MAX_SEGMENTS = 16
/** Each `..` visits a whole subtree: two of them can already visit it once per level. */
const MAX_DEEP = 2

const NAME = /[\p{L}\p{N}_$-]+/uy
const INDEX = /\[(\d{1,6})\]/y
const QUOTED = /\["((?:[^"\\\x00-\x1f]|\\["\\])*)"\]/y
const EXAMPLES = 'write for example "$.text", "$.parts[*].body", "$..caption" or "$[0].text"'

/** The segments of a path (none for `$`, the whole value), or a sentence that says what is wrong with it. */
export function parseFieldPath(text: string): FieldSegment[] | string {
  if (text.length > MAX_LENGTH) return `is a field path of more than ${MAX_LENGTH} characters`
  if (!text.startsWith('$')) return `is not a field path, which starts with "$"; ${EXAMPLES}`
  const segments: FieldSegment[] = []
  let at = 1
  let deep = 0
  while (at < text.length) {
    const read = readSegment(text, at)
    if (typeof read === 'string') return read
    segments.push(read.segment)
    at = read.end
    if (segments.length > MAX_SEGMENTS) return `is a field path of more than ${MAX_SEGMENTS} steps`
    if (read.segment.kind === 'deep' && ++deep > MAX_DEEP) return `is a field path with more than ${MAX_DEEP} ".."`
  }
  return segments
}

interface Read {
  readonly segment: FieldSegment
  readonly end: number
}

function readSegment(text: string, at: number): Read | string {
  if (text[at] === '[') return readBracket(text, at)
  if (text[at] !== '.') return `is not a field path: "." or "[" is expected at character ${at + 1}; ${EXAMPLES}`
  const isDeep = text[at + 1] === '.'
  const start = at + (isDeep ? 2 : 1)
  if (!isDeep && text[start] === '*') return { segment: { kind: 'every' }, end: start + 1 }
  const name = match(NAME, text, start)
  if (name === null) {
    return `is not a field path: a name is expected at character ${start + 1}; ${EXAMPLES}`
  }
  return { segment: { kind: isDeep ? 'deep' : 'key', name: name[0] }, end: start + name[0].length }
}

function readBracket(text: string, at: number): Read | string {
  if (text.startsWith('[*]', at)) return { segment: { kind: 'every' }, end: at + 3 }
  const index = match(INDEX, text, at)
  if (index !== null) return { segment: { kind: 'index', index: Number(index[1]) }, end: at + index[0].length }
  const quoted = match(QUOTED, text, at)
  if (quoted !== null) {
    const name = quoted[1]!.replace(/\\(["\\])/g, '$1')
    return { segment: { kind: 'key', name }, end: at + quoted[0].length }
  }
  return `is not a field path: "[*]", a number in brackets or a quoted name in brackets is expected at character ${at + 1}`
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}
