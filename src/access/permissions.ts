/**
 * Which transcripts roles may read: rules over the path, the channel, the date and attributes, decided from facts. What no
 * rule of a role allows is not allowed. It knows no request and opens no file.
 */
import type { RolesConfig } from '../config/access-shape.ts'
import type { Principal, ReadPermissions, TranscriptFacts } from '../exchange/access-contracts.ts'

const DAY_MS = 86_400_000
/** In a rule, the attribute of who reads: `{ "team": "$team" }`. */
const OWN = '$'

type ReadRule = RolesConfig[string]['read'][number]

interface CompiledRule {
  readonly paths: readonly RegExp[]
  readonly channels: ReadonlySet<string> | null
  /** Milliseconds since 1970; both inclusive. */
  readonly fromMs: number
  readonly untilMs: number
  readonly maxAgeMs: number
  readonly attributes: readonly (readonly [name: string, value: string])[]
}

/** `now`: milliseconds since 1970. */
export function compilePermissions(roles: RolesConfig, now: () => number = Date.now): ReadPermissions {
  const rules = new Map(Object.entries(roles).map(([name, { read }]) => [name, read.map(compileRule)]))
  const rulesOf = (principal: Principal | null): CompiledRule[] =>
    principal?.roles.flatMap((role) => rules.get(role) ?? []) ?? []
  return {
    mayRead: (principal, transcript) =>
      principal !== null && rulesOf(principal).some((rule) => allows(rule, principal, transcript, now())),
    needsAttributes: (principal) => rulesOf(principal).some((rule) => rule.attributes.length > 0),
  }
}

function compileRule(rule: ReadRule): CompiledRule {
  return {
    paths: rule.paths.map(globPattern),
    channels: rule.channels === undefined ? null : new Set(rule.channels),
    fromMs: rule.from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(`${rule.from}T00:00:00Z`),
    untilMs: rule.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(`${rule.until}T00:00:00Z`) + DAY_MS - 1,
    maxAgeMs: rule.days === undefined ? Number.POSITIVE_INFINITY : rule.days * DAY_MS,
    attributes: Object.entries(rule.attributes ?? {}),
  }
}

/** `*` within one segment, `**` across them; everything else is itself. Case matters, as on the disk. */
function globPattern(glob: string): RegExp {
  const pattern = glob
    .normalize('NFC')
    .split(/(\*\*\/|\*\*|\*|\?)/)
    .map((part) => WILD[part] ?? part.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
    .join('')
  return new RegExp(`^${pattern}$`, 'u')
}

const WILD: Readonly<Record<string, string>> = { '**/': '(?:[^/]+/)*', '**': '.*', '*': '[^/]*', '?': '[^/]' }

function allows(rule: CompiledRule, principal: Principal, transcript: TranscriptFacts, now: number): boolean {
  const name = transcript.name.normalize('NFC')
  if (!rule.paths.some((path) => path.test(name))) return false
  if (rule.channels !== null && !(transcript.channel !== null && rule.channels.has(transcript.channel))) return false
  return (
    isInTime(rule, transcript.dateMs, now) && rule.attributes.every((each) => hasAttribute(each, principal, transcript))
  )
}

function isInTime(rule: CompiledRule, dateMs: number, now: number): boolean {
  const isBounded = rule.fromMs > Number.NEGATIVE_INFINITY || rule.untilMs < Number.POSITIVE_INFINITY
  const isAged = rule.maxAgeMs < Number.POSITIVE_INFINITY
  if (dateMs === 0) return !isBounded && !isAged
  return dateMs >= rule.fromMs && dateMs <= rule.untilMs && now - dateMs <= rule.maxAgeMs
}

function hasAttribute(
  [name, wanted]: readonly [string, string],
  principal: Principal,
  transcript: TranscriptFacts,
): boolean {
  const value = wanted.startsWith(OWN) ? ownValue(principal.attributes, wanted.slice(OWN.length)) : wanted
  return value !== null && ownValue(transcript.attributes ?? {}, name) === value
}

function ownValue(attributes: Readonly<Record<string, string>>, name: string): string | null {
  return Object.hasOwn(attributes, name) ? attributes[name]! : null
}
