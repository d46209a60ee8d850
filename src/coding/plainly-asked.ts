/** How a service is asked whose answers are compressed here. It knows no answer. */
import { strongTags } from '../http/entity-tags.ts'
import type { HeaderList } from '../http/headers.ts'

/**
 * The fields of a request, for an answer that is not compressed: so that no service does behind our back what is refused here.
 * If-Match compares strong tags alone (RFC 9110, 13.1.1), and the client knows them as the weak ones that we made of them.
 */
export function plainlyAsked(headers: HeaderList): HeaderList {
  const out: HeaderList = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const value = headers[i + 1]!
    if (name === 'if-match') out.push(name, strongTags(value))
    else if (name !== 'accept-encoding') out.push(name, value)
  }
  out.push('accept-encoding', 'identity')
  return out
}
