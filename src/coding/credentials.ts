/** Whether a request brings something that only its sender knows: then its answer may hold secrets. It knows no answer. */
import type { Exchange } from '../exchange/exchange.ts'
import type { HeaderList } from '../http/headers.ts'

/** Names under which credentials travel, by the words in them. What is found by mistake goes uncompressed, and is none the worse. */
const FIELD = /auth|cookie|token|session|secret|credential|api-?key|csrf|xsrf|signature|jwt/
const PARAMETER =
  /[?&](?:[^=&]*(?:auth|token|session|secret|credential|api_?-?key|csrf|xsrf|passw|signature|jwt)[^=&]*|sid|sig|key|code|ticket)=/i

export function bringsCredentials(x: Exchange): boolean {
  if (x.principal !== null || x.user !== '' || x.peer.certificate !== null) return true
  return hasCredentialField(x.headers) || PARAMETER.test(x.query)
}

function hasCredentialField(headers: HeaderList): boolean {
  for (let i = 0; i < headers.length; i += 2) if (FIELD.test(headers[i]!)) return true
  return false
}
