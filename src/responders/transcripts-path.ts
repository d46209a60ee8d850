/**
 * From a request's path to the name of a transcript below the folder, or nothing. It touches no disk: what it lets
 * through is a plain relative name, what the disk makes of it is judged where the file is opened.
 */

/** A stored transcript, as a request names it. */
export interface TranscriptName {
  /** Relative to the folder, with `/` between the segments. */
  readonly name: string
  readonly segments: readonly string[]
  readonly kind: TranscriptKind
}

export type TranscriptKind = 'json' | 'html' | 'txt'

/** What a sealed file's name ends in, behind its kind. */
export const SEALED_ENDING = '.sealed'
/** Of whoever changes the folder. */
export const FOLDER_LOCK = '.portcullis.lock'
/** Names of files that are not complete, or not wanted any more. */
export const LEFTOVER = /^\.portcullis-[0-9a-f]{16}\.tmp$/
export const MOST_DEPTH = 8
const MOST_LENGTH = 1024
const MOST_SEGMENT_BYTES = 255
// Control, format (bidi overrides, zero-width), surrogate, private and line-separating characters; backslash; what shells,
// Windows shares and archive tools read as more than a name.
const UNFIT = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}/\\:*?"<>|]/u
const KIND = /[^.]\.(json|html|txt)$/

/**
 * The name behind a path that vet normalised, decoded exactly once. Null for everything else: malformed escapes and
 * UTF-8, encoded slashes, dot segments, dotfiles, control characters, other kinds of file, too deep or too long.
 */
export function parseTranscriptPath(path: string): TranscriptName | null {
  if (path.length > MOST_LENGTH * 3 || path.charCodeAt(0) !== 47) return null
  const segments: string[] = []
  for (const raw of path.slice(1).split('/')) {
    const segment = decodeOnce(raw)
    if (segment === null || !isFitSegment(segment) || segments.length === MOST_DEPTH) return null
    segments.push(segment)
  }
  const kind = kindOf(segments.at(-1)!)
  const name = segments.join('/')
  return kind === null || name.length > MOST_LENGTH ? null : { name, segments, kind }
}

/** True for a name of a file or folder that may be seen: neither hidden nor hostile. */
export function isFitSegment(segment: string): boolean {
  if (segment === '' || segment.startsWith('.') || segment.endsWith('.') || segment.trim() !== segment) return false
  return !UNFIT.test(segment) && Buffer.byteLength(segment) <= MOST_SEGMENT_BYTES
}

/** The kind by the ending, lower case only; null where it is none of ours. */
export function kindOf(fileName: string): TranscriptKind | null {
  const found = KIND.exec(fileName)
  return found === null ? null : (found[1] as TranscriptKind)
}

/** The path of a name, for links. */
export function pathOf(name: string): string {
  return `/${name.split('/').map(encodeURIComponent).join('/')}`
}

function decodeOnce(raw: string): string | null {
  try {
    return decodeURIComponent(raw)
  } catch {
    return null
  }
}
