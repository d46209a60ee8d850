/**
 * Patterns of paths: words, `{name}` for any one segment, and `*` at the end for all that follows. Matched segment by
 * segment, so that no path makes it slow. It knows no route.
 */

/** Whole segments only. */
export const PATH_PATTERN =
  /^\/(?:(?:\{[A-Za-z]\w{0,63}\}|[^\s?#*%\\{}/]*)\/)*(?:\*|\{[A-Za-z]\w{0,63}\}|[^\s?#*%\\{}/]*)$/

/** The segments behind the first slash; `*` may be the last. */
export function segmentsOf(pattern: string): string[] {
  return pattern.slice(1).split('/')
}

export const isVariable = (segment: string): boolean => segment.startsWith('{')

/** Names of the segments that may be anything, in their order. */
export function variableNames(pattern: string): string[] {
  return segmentsOf(pattern)
    .filter(isVariable)
    .map((segment) => segment.slice(1, -1))
}

/** Equal for patterns that match the same paths: what a segment is called does not matter. */
export function samePaths(pattern: string): string {
  return pattern.replace(/\{\w+\}/g, '{}')
}

/** Null where the path is not what was expected. */
export type Translation = (path: string) => string | null

interface Piece {
  /** '' where the segment at `at` of the path is taken. */
  readonly word: string
  readonly at: number
}

/**
 * What stands for the path in another pattern that uses names, and `*`, of this one: `/chats/{id}/*` as `/v2/rooms/{id}/*`. Null
 * where the other one asks for what this one does not have.
 */
export function makeTranslation(from: string, to: string): Translation | null {
  const expected = segmentsOf(from)
  const takesRest = expected.at(-1) === '*'
  const pieces: Piece[] = []
  for (const segment of segmentsOf(to)) {
    const at = isVariable(segment) || segment === '*' ? expected.indexOf(segment) : -1
    if (at === -1 && (isVariable(segment) || segment === '*')) return null
    pieces.push({ word: at === -1 ? segment : '', at })
  }
  return (path) => {
    const found = segmentsOf(path)
    if (takesRest ? found.length < expected.length : found.length !== expected.length) return null
    for (const [i, segment] of expected.entries()) {
      if (segment === '*') continue
      if (isVariable(segment) ? found[i] === '' : found[i] !== segment) return null
    }
    let out = ''
    for (const { word, at } of pieces) {
      out += `/${at === -1 ? word : expected[at] === '*' ? found.slice(at).join('/') : found[at]}`
    }
    return out
  }
}
