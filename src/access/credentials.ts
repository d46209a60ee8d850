/** Reads the credentials of Basic authentication (RFC 7617) out of a header list. It knows no accounts and logs nothing. */
import { countHeader, getHeader, type HeaderList } from '../http/headers.ts'
import { MAX_USER_NAME_LENGTH } from './account.ts'
import { MAX_PASSWORD_BYTES } from './passwords.ts'

export interface Credentials {
  readonly user: string
  readonly password: string
}

/** `repeated`: more than one Authorization field; `malformed`: one that is not acceptable Basic. */
export type CredentialsProblem = 'missing' | 'repeated' | 'malformed'

// A user name of four-byte characters, the colon, the longest password, as base64, after "Basic ".
const MOST_LENGTH = 16 + Math.ceil((MAX_USER_NAME_LENGTH * 4 + 1 + MAX_PASSWORD_BYTES) / 3) * 4
const BASIC = /^basic {1,4}([A-Za-z0-9+/]+={0,2})$/i
const CONTROL = /[\x00-\x1f\x7f-\x9f]/

/** User and password, NFC-normalised (RFC 7617, 2.1); a string says why there are none. */
export function readCredentials(headers: HeaderList): Credentials | CredentialsProblem {
  if (countHeader(headers, 'authorization') > 1) return 'repeated'
  const value = getHeader(headers, 'authorization')
  if (value === null) return 'missing'
  if (value.length > MOST_LENGTH) return 'malformed'
  const found = BASIC.exec(value)
  if (found === null) return 'malformed'
  const bytes = Buffer.from(found[1]!, 'base64')
  // One spelling per credential: what does not encode back is not base64.
  if (bytes.toString('base64') !== found[1]) return 'malformed'
  const text = decodeUtf8(bytes)
  if (text === null || CONTROL.test(text)) return 'malformed'
  const colon = text.indexOf(':')
  if (colon <= 0 || colon === text.length - 1) return 'malformed'
  const user = text.slice(0, colon).normalize('NFC')
  const password = text.slice(colon + 1).normalize('NFC')
  if (user.length > MAX_USER_NAME_LENGTH || Buffer.byteLength(password) > MAX_PASSWORD_BYTES) return 'malformed'
  return { user, password }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeUtf8(bytes: Buffer): string | null {
  try {
    return decoder.decode(bytes)
  } catch {
    return null
  }
}
