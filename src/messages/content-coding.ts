/**
 * Decodes a body that came compressed (RFC 9110, 8.4), bounded in bytes and in growth. It knows header fields and bytes,
 * no rule.
 */
import { brotliDecompressSync, constants, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib'
import { countHeader, getHeader, type HeaderList } from '../http/headers.ts'

export type Coding = 'identity' | 'gzip' | 'deflate' | 'br' | 'zstd'

/** Bytes that one byte may become. Text seldom reaches a tenth of it; a bomb wants a thousand. */
const MAX_GROWTH = 200
const MIN_ALLOWED = 4096
/** Memory that a zstd stream may ask for: 2^21 bytes. */
const ZSTD_WINDOW = 21

const CODINGS: ReadonlySet<string> = new Set(['identity', 'gzip', 'deflate', 'br', 'zstd'])

/** The one coding of a body; null where there are several, or one that nobody here decodes. */
export function bodyCoding(headers: HeaderList): Coding | null {
  const count = countHeader(headers, 'content-encoding')
  if (count === 0) return 'identity'
  const value = getHeader(headers, 'content-encoding')!.trim().toLowerCase()
  return count === 1 && CODINGS.has(value) ? (value as Coding) : null
}

/**
 * The decoded body. `too-large` where it is over `maxBytes` or grows beyond reason, null where it is broken. What stands
 * behind the end of a stream is dropped with it: only what is returned goes on.
 */
export function decodeBody(coding: Coding, body: Buffer, maxBytes: number): Buffer | 'too-large' | null {
  if (coding === 'identity') return body
  const maxOutputLength = Math.max(1, Math.min(maxBytes, Math.max(MIN_ALLOWED, body.length * MAX_GROWTH)))
  try {
    switch (coding) {
      case 'gzip':
        return gunzipSync(body, { maxOutputLength })
      case 'deflate':
        return inflateSync(body, { maxOutputLength })
      case 'br':
        return brotliDecompressSync(body, { maxOutputLength })
      case 'zstd':
        return zstdDecompressSync(body, {
          maxOutputLength,
          params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW },
        })
    }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too-large' : null
  }
}
