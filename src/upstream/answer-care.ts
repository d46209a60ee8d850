/**
 * What a service says of itself in the fields of its answers, towards clients: its own origin and paths as the public ones, cookies
 * with the attributes that they lack, and nothing of the inside. It knows no body.
 */
import type { Metrics } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { HeaderList } from '../http/headers.ts'
import { holdsInternalAddress, InternalNames } from '../http/internal-address.ts'
import type { Translation } from '../http/path-pattern.ts'
import { tidyCookie } from '../http/set-cookie.ts'

export interface CareRules {
  /** `host:port` and, where the port is usual, `host` of the endpoints. */
  readonly authorities: ReadonlySet<string>
  /** Host names of the inside. */
  readonly names: readonly string[]
  /** Lower-case names of fields that may carry what is internal. */
  readonly mayCarry: ReadonlySet<string>
  /** From the service's paths to those of clients; null where they are the same. */
  readonly publicPath: Translation | null
  readonly cookies: { readonly readable: readonly string[]; readonly sameSite: string }
}

const ABSOLUTE = /^(?:https?:)?\/\/([^/?#@\\\s]+)([/?#].*)?$/i
const REFRESH = /^(\s*[\d.]+\s*[;,]\s*url\s*=\s*["']?)([^"']*)(["']?\s*)$/i
const LINKS = /<([^<>]*)>/g
const REWRITTEN: ReadonlySet<string> = new Set(['location', 'content-location', 'refresh', 'link', 'set-cookie'])

export class AnswerCare {
  readonly #rules: CareRules
  readonly #names: InternalNames
  readonly #readable: ReadonlySet<string>
  readonly #sameSite: string
  readonly #metrics: Metrics

  constructor(rules: CareRules, metrics: Metrics) {
    this.#rules = rules
    this.#names = new InternalNames(['localhost', ...rules.names])
    this.#readable = new Set(rules.cookies.readable)
    this.#sameSite = `${rules.cookies.sameSite[0]!.toUpperCase()}${rules.cookies.sameSite.slice(1)}`
    this.#metrics = metrics
  }

  /** True where the fields pass as they are, whatever the request and the route. */
  isNeutral(headers: HeaderList): boolean {
    for (let i = 0; i < headers.length; i += 2) {
      if (REWRITTEN.has(headers[i]!) || this.#isInternal(headers[i + 1]!, '')) return false
    }
    return true
  }

  /** The same list where there is nothing to change. */
  tidy(x: Exchange, headers: HeaderList): HeaderList {
    let out: HeaderList | null = null
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i]!
      const value = headers[i + 1]!
      const shown = this.#shown(x, name, value)
      if (shown !== value) {
        out ??= headers.slice(0, i)
        this.#metrics.count('answer_fields_total', shown === null ? 'dropped' : 'rewritten')
      }
      if (out !== null && shown !== null) out.push(name, shown)
    }
    return out ?? headers
  }

  /** Null: the field does not leave. */
  #shown(x: Exchange, name: string, value: string): string | null {
    const shown = REWRITTEN.has(name) ? this.#rewritten(x, name, value) : value
    return this.#isInternal(shown, x.host) && !this.#rules.mayCarry.has(name) ? null : shown
  }

  /** What the client itself asked by is no secret to it. */
  #isInternal(value: string, host: string): boolean {
    const text = host === '' ? value : value.replaceAll(host, '')
    return holdsInternalAddress(text) || this.#names.isIn(text)
  }

  #rewritten(x: Exchange, name: string, value: string): string {
    if (name === 'link') return value.replace(LINKS, (_whole, url: string) => `<${this.#publicUrl(x, url)}>`)
    if (name === 'refresh') {
      return value.replace(
        REFRESH,
        (_all, head: string, url: string, tail: string) => head + this.#publicUrl(x, url) + tail,
      )
    }
    if (name !== 'set-cookie') return this.#publicUrl(x, value)
    return tidyCookie(value, {
      ...{ host: x.host, isSecure: x.scheme === 'https' },
      ...{ sameSite: this.#sameSite, readable: this.#readable, publicPath: this.#rules.publicPath },
    })
  }

  /** Only of what points to the service itself: by its own address, or by the host that it was asked for. */
  #publicUrl(x: Exchange, url: string): string {
    if (url.startsWith('/') && !url.startsWith('//')) return this.#publicReference(x, url)
    const found = ABSOLUTE.exec(url)
    if (found === null) return url
    const authority = found[1]!.toLowerCase()
    if (authority !== x.authority && !this.#rules.authorities.has(authority)) return url
    const rest = found[2] ?? '/'
    return `${x.scheme}://${x.authority}${rest.startsWith('/') ? this.#publicPath(rest) : `/${rest}`}`
  }

  #publicReference(x: Exchange, url: string): string {
    const path = this.#publicPath(url)
    // A prefix that was taken away may leave what browsers read as another host.
    return path !== url && /^\/[/\\\s]/.test(path) ? `${x.scheme}://${x.authority}${path}` : path
  }

  #publicPath(reference: string): string {
    const translate = this.#rules.publicPath
    if (translate === null) return reference
    const end = reference.search(/[?#]/)
    const path = translate(end === -1 ? reference : reference.slice(0, end))
    return path === null ? reference : path + (end === -1 ? '' : reference.slice(end))
  }
}
