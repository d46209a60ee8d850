/** Reads one cookie out of a header list, and takes it away. It knows no meaning of any cookie. */
import type { HeaderList } from '../http/headers.ts'

/** The value of a cookie; null where there is none, more than one, or one longer than `most` characters. */
export function cookieIn(headers: HeaderList, name: string, most: number): string | null {
  let found: string | null = null
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'cookie') continue
    for (const pair of pairsOf(headers[i + 1]!)) {
      if (!pair.startsWith(`${name}=`)) continue
      if (found !== null) return null
      found = pair.slice(name.length + 1)
    }
  }
  return found === null || found.length > most ? null : found
}

/** The fields without that cookie: a service behind must not learn it. */
export function withoutCookie(headers: HeaderList, name: string): HeaderList {
  const kept: HeaderList = []
  for (let i = 0; i < headers.length; i += 2) {
    let value = headers[i + 1]!
    if (headers[i] === 'cookie' && value.includes(name)) {
      value = pairsOf(value)
        .filter((pair) => !pair.startsWith(`${name}=`))
        .join('; ')
      if (value === '') continue
    }
    kept.push(headers[i]!, value)
  }
  return kept
}

/** True where a request brings that cookie, good or not. */
export function hasCookie(headers: HeaderList, name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === 'cookie' && headers[i + 1]!.includes(`${name}=`)) return true
  }
  return false
}

function pairsOf(cookie: string): string[] {
  return cookie.split(';').map((pair) => pair.trim())
}
