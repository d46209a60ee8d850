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
