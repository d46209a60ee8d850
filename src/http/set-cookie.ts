/** Set-Cookie (RFC 6265, 5.2), changed attribute by attribute as browsers read it. It knows no gateway. */

export interface CookieWishes {
  /** Host that the browser asked. */
  readonly host: string
  readonly isSecure: boolean
  /** Of cookies that say nothing. */
  readonly sameSite: string
  /** Names of cookies that scripts read. */
  readonly readable: ReadonlySet<string>
  /** The path for clients of one for the service; null where it is the same. */
  readonly publicPath: ((path: string) => string | null) | null
}

/** The same text where there is nothing to change. */
export function tidyCookie(value: string, wishes: CookieWishes): string {
  const parts = value.split(';')
  const name = parts[0]!.split('=', 1)[0]!.trim()
  const out = [parts[0]!]
  let isSecure = false
  let isHttpOnly = false
  let hasSameSite = false
  for (const part of parts.slice(1)) {
    const equals = part.indexOf('=')
    const key = (equals === -1 ? part : part.slice(0, equals)).trim().toLowerCase()
    const said = equals === -1 ? '' : part.slice(equals + 1).trim()
    if (key === 'secure') isSecure = true
    else if (key === 'httponly') isHttpOnly = true
    else if (key === 'samesite' && /^(?:strict|lax|none)$/i.test(said)) hasSameSite = true
    else if (key === 'samesite') continue
    // A browser refuses a cookie for a domain that it did not ask.
    else if (key === 'domain' && !covers(said, wishes.host)) continue
    else if (key === 'path' && wishes.publicPath !== null && !name.startsWith('__Host-')) {
      const path = publicCookiePath(said, wishes.publicPath)
      out.push(path === null ? part : ` Path=${path}`)
      continue
    }
    out.push(part)
  }
  if (!isSecure && wishes.isSecure) out.push(' Secure')
  if (!isHttpOnly && !wishes.readable.has(name)) out.push(' HttpOnly')
  if (!hasSameSite) out.push(` SameSite=${wishes.sameSite}`)
  return out.join(';')
}

function covers(domain: string, host: string): boolean {
  const name = domain.replace(/^\./, '').toLowerCase()
  return name === '' || name === host || host.endsWith(`.${name}`)
}

/** A cookie's path without a slash at its end covers what is under it, too. */
function publicCookiePath(path: string, publicPath: (path: string) => string | null): string | null {
  if (!path.startsWith('/')) return null
  return publicPath(path) ?? publicPath(`${path}/`)
}
