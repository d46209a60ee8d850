/**
 * Header profiles: turns a route's `headers` setting into the edits that every answer of the route gets, from the lists of
 * the OWASP Secure Headers Project. It knows no answer and no route.
 *
 * Left out of OWASP's list on purpose: Clear-Site-Data (it would sign the customer out with every answer; a service sends
 * it at logout, and it passes), and, where the listener speaks plain HTTP, Strict-Transport-Security (RFC 6797, 7.2) and
 * the directive `upgrade-insecure-requests`. X-XSS-Protection is never set, as OWASP asks, and never let through.
 */
import type { HeadersConfig } from '../config/shape.ts'
import added from '../data/owasp-headers-add.json' with { type: 'json' }
import removed from '../data/owasp-headers-remove.json' with { type: 'json' }
import { type HeaderList, HOP_BY_HOP } from '../http/headers.ts'
import type { HeaderEdits } from './contracts.ts'
import { CROSS_ORIGIN_FIELDS } from './cross-origin.ts'

type Profile = HeadersConfig['profile']

interface ProfileHeaders {
  /** What the gateway says, whatever the service says. */
  readonly set: ReadonlyMap<string, string>
  /** What the gateway says where the service says nothing. */
  readonly fallback: ReadonlyMap<string, string>
}

const HSTS = 'strict-transport-security'
const CSP = 'content-security-policy'
const CACHE = 'cache-control'
/** What tells users apart. */
const BY_USER = 'authorization, cookie'
const NOT_SHARED = /(?:^|[\s,])(?:no-store|private)(?:$|[\s,])/i

const OWASP: ReadonlyMap<string, string> = new Map(
  added.headers
    .map(({ name, value }) => [name.toLowerCase(), value] as const)
    .filter(([name]) => name !== 'clear-site-data'),
)

/** The OWASP removal list, lower case. No setting lets one of these through. */
const OWASP_REMOVED: ReadonlySet<string> = new Set(removed.headers.map((name) => name.toLowerCase()))

/** What else tells of the inside, steers another proxy, or leads clients past this one. */
const INTERNAL: readonly string[] = [
  'alt-svc',
  'forwarded',
  'public-key-pins',
  'server-timing',
  'via',
  'x-accel-buffering',
  'x-accel-charset',
  'x-accel-expires',
  'x-accel-limit-rate',
  'x-accel-redirect',
  'x-backend',
  'x-backend-server',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-server',
  'x-real-ip',
  'x-request-id',
  'x-sendfile',
  'x-served-by',
  'x-upstream',
  'x-xss-protection',
]

/** Fields that describe one message: set or removed on every answer alike, they would make it unreadable. */
const PER_MESSAGE: ReadonlySet<string> = new Set([
  'content-length',
  'content-type',
  'content-encoding',
  'content-range',
])

/** What only the data path may say. */
const RESERVED: ReadonlySet<string> = new Set(['x-request-id', 'set-cookie', 'location', 'date'])

const PROFILES: Readonly<Record<Profile, ProfileHeaders>> = {
  api: profile({ [CSP]: "default-src 'none'; frame-ancestors 'none'" }),
  page: profile({}),
  // The framing page decides by frame-ancestors; X-Frame-Options knows no list and would forbid what that allows.
  embed: profile({ 'cross-origin-resource-policy': 'cross-origin' }, [], ['x-frame-options']),
  asset: profile({}, [CACHE]),
  // The responder of stored transcripts says a stricter policy (`sandbox`) where it serves HTML that others wrote.
  transcript: profile(
    {
      [CSP]:
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    },
    [CSP],
  ),
}

function profile(
  changes: Readonly<Record<string, string>>,
  fallbacks: readonly string[] = [],
  without: readonly string[] = [],
): ProfileHeaders {
  const set = new Map([...OWASP, ...Object.entries(changes)])
  for (const name of without) set.delete(name)
  const fallback = new Map<string, string>()
  for (const name of fallbacks) {
    fallback.set(name, set.get(name)!)
    set.delete(name)
  }
  return { set, fallback }
}

/** One result for equal settings: ten thousand routes share a handful of edits. Emptied when full, so it is bounded. */
const compiled = new Map<string, HeaderEdits>()
const MOST_COMPILED = 256

/**
 * The edits for a route. `secure` says that its listener speaks TLS, `byRole` that its answers differ by who asks: no shared
 * cache may keep them, and one that does all the same must tell users apart (RFC 9111, 4.1), `crossOrigin` that the gateway says
 * who may read them. A pure function of its arguments; the result is shared and frozen. Check the setting with `headerProblems` first.
 */
export function compileEdits(config: HeadersConfig, secure: boolean, byRole = false, crossOrigin = false): HeaderEdits {
  const key = JSON.stringify([config, secure, byRole, crossOrigin])
  const known = compiled.get(key)
  if (known !== undefined) return known
  if (compiled.size >= MOST_COMPILED) compiled.clear()
  const edits = build(config, secure, byRole, crossOrigin)
  compiled.set(key, edits)
  return edits
}

function build(config: HeadersConfig, secure: boolean, byRole: boolean, crossOrigin: boolean): HeaderEdits {
  const base = PROFILES[config.profile]
  const set = new Map(base.set)
  const fallback = new Map(base.fallback)
  if (config.profile === 'embed' && config.frameAncestors.length > 0) {
    set.set(CSP, set.get(CSP)!.replace("frame-ancestors 'none'", `frame-ancestors ${config.frameAncestors.join(' ')}`))
  }
  if (!secure) for (const each of [set, fallback]) withoutUpgrade(each)
  for (const [name, value] of Object.entries(config.set)) {
    fallback.delete(name)
    set.set(name, value)
  }
  for (const name of config.keep) {
    const value = set.get(name)
    if (value !== undefined) fallback.set(name, value)
    set.delete(name)
  }
  for (const name of config.remove) {
    set.delete(name)
    fallback.delete(name)
  }
  if (byRole) {
    if (!NOT_SHARED.test(set.get(CACHE) ?? '')) set.set(CACHE, OWASP.get(CACHE)!)
    fallback.delete(CACHE)
  }
  const drop = new Set([...OWASP_REMOVED, ...HOP_BY_HOP, ...INTERNAL, ...set.keys(), ...config.remove])
  if (config.profile === 'embed') drop.add('x-frame-options')
  if (crossOrigin) for (const name of CROSS_ORIGIN_FIELDS) drop.add(name)
  // A kept name that stood in `drop` would be lost both ways: removed, and not filled in.
  for (const name of fallback.keys()) if (!OWASP_REMOVED.has(name)) drop.delete(name)
  if (!secure) {
    set.delete(HSTS)
    fallback.delete(HSTS)
    drop.add(HSTS)
  }
  // Beside what the service and the route say: the lines of a list are one list.
  const own = [...set]
  if (byRole) own.push(['vary', BY_USER])
  if (crossOrigin) own.push(['vary', 'origin'])
  const setLines = own.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Object.freeze({ drop, set: flat(own), setLines, fallback: flat(fallback) })
}

/** On plain HTTP the browser would look for scripts and styles at an HTTPS port that is not there. */
function withoutUpgrade(headers: Map<string, string>): void {
  const policy = headers.get(CSP)
  if (policy !== undefined) headers.set(CSP, policy.replace(/;\s*upgrade-insecure-requests/, ''))
}

function flat(headers: Iterable<readonly [string, string]>): HeaderList {
  return Object.freeze([...headers].flat()) as HeaderList
}

/**
 * What contradicts itself in a `headers` setting, one line for a person each, beginning with the key; empty where it is
 * sound.
 */
export function headerProblems(config: HeadersConfig): string[] {
  const problems: string[] = []
  const { set, fallback } = PROFILES[config.profile]
  for (const [name, value] of Object.entries(config.set)) {
    if (OWASP_REMOVED.has(name)) {
      problems.push(`set: "${name}" reveals what runs behind (OWASP removal list) and is never sent`)
    } else if (HOP_BY_HOP.has(name) || PER_MESSAGE.has(name) || RESERVED.has(name)) {
      problems.push(`set: "${name}" belongs to the single answer and cannot be set for a whole route`)
    }
    if (value.trim() === '') problems.push(`set: "${name}" is empty; to leave a header out, name it in "remove"`)
    if (config.remove.includes(name)) problems.push(`remove: "${name}" is also in "set"`)
  }
  for (const name of config.remove) {
    if (PER_MESSAGE.has(name)) problems.push(`remove: "${name}" belongs to the single answer, which needs it`)
  }
  for (const name of config.keep) {
    if (config.remove.includes(name)) problems.push(`keep: "${name}" is also in "remove"`)
    if (!set.has(name) && !fallback.has(name) && !(name in config.set)) {
      problems.push(`keep: "${name}" is not a header of the profile "${config.profile}"; the gateway does not set it`)
    }
  }
  problems.push(...framingProblems(config))
  return problems
}

function framingProblems(config: HeadersConfig): string[] {
  const framed = config.frameAncestors.length > 0
  const ownPolicy = CSP in config.set
  if (config.profile !== 'embed') {
    return framed ? [`frameAncestors: only the profile "embed" may be framed, this is "${config.profile}"`] : []
  }
  if (framed && ownPolicy) return [`frameAncestors: "set" replaces the whole ${CSP}; write frame-ancestors there`]
  if (framed && config.remove.includes(CSP)) return [`frameAncestors: "remove" leaves out the ${CSP} that says it`]
  if (!framed && !ownPolicy) {
    return [
      'frameAncestors: the profile "embed" needs the origins that may frame the page, for example ["https://www.example.com"]',
    ]
  }
  return []
}
