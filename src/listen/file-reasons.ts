/** Why a file cannot be read, in words. It knows no file. */

/** System errors by what a person can act on; their own text repeats the path. */
export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'it does not exist'
  if (code === 'EACCES' || code === 'ERR_ACCESS_DENIED') return 'the gateway has no right to read it'
  if (code === 'EISDIR') return 'it is a folder'
  return message
}
