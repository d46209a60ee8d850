/**
 * Where in a path a sealed token stands: `/customers/{token}/messages`, `/customers/{token}/*`. Text in, parts or a sentence
 * out; it knows no token.
 */

export interface SealedPath {
  /** Up to the token, with the slash before it. */
  readonly before: string
  /** Behind it: '' or a path. */
  readonly behind: string
  /** Anything may follow. */
  readonly isOpen: boolean
}

const MARK = '{token}'
const PLAIN = /^(?:\/[A-Za-z0-9\-._~!$&'()+,;=:@]+)*\/?$/
const EXAMPLE = 'write for example "/customers/{token}" or "/customers/{token}/*"'

export function parseSealedPath(text: string): SealedPath | string {
  const at = text.indexOf(MARK)
  if (at === -1 || text.indexOf(MARK, at + 1) !== -1) return `must have one "${MARK}"; ${EXAMPLE}`
  const before = text.slice(0, at)
  const isOpen = text.endsWith('/*')
  const behind = text.slice(at + MARK.length, isOpen ? -1 : undefined)
  if (!before.endsWith('/') || (behind !== '' && !behind.startsWith('/'))) {
    return `must have "${MARK}" as a whole segment; ${EXAMPLE}`
  }
  if (!PLAIN.test(before) || !PLAIN.test(behind)) return `is not a path; ${EXAMPLE}`
  return { before, behind, isOpen }
}

/** The segment of a path where the token should stand; null where the path is another one. */
export function segmentAt(place: SealedPath, path: string): string | null {
  if (!path.startsWith(place.before)) return null
  const start = place.before.length
  const end = path.indexOf('/', start)
  const segment = path.slice(start, end === -1 ? undefined : end)
  const rest = end === -1 ? '' : path.slice(end)
  if (place.isOpen ? !rest.startsWith(place.behind) : rest !== place.behind) return null
  return segment
}
