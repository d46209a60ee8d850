/** Where limits are named, and what they can count by there. It reads the tree as it was written. */
import type { SettingPath } from './document.ts'
import { type Findings, listOf, membersOf, textsOf } from './findings.ts'

/** One name of a limit, where it stands. */
export interface LimitPlace {
  readonly path: SettingPath
  readonly name: string
  /** Whether the place knows who signed in, which event a message is, what stands in the body. */
  readonly hasUser: boolean
  readonly hasEvent: boolean
  readonly hasField: boolean
}

type Members = ReturnType<typeof membersOf>
type Knows = Pick<LimitPlace, 'hasUser' | 'hasEvent' | 'hasField'>

const NOTHING: Knows = { hasUser: false, hasEvent: false, hasField: false }

export function limitPlaces(top: Members): LimitPlace[] {
  const places: LimitPlace[] = []
  const add = (names: unknown, path: SettingPath, knows: Partial<Knows> = {}): void => {
    for (const [k, name] of textsOf(names)) places.push({ ...NOTHING, ...knows, path: [...path, k], name })
  }
  for (const [i, each] of listOf(top.routes).entries()) {
    const { limits, socket, signIn } = membersOf(each)
    const hasUser = signIn !== undefined
    add(limits, ['routes', i, 'limits'], { hasUser, hasField: true })
    add(membersOf(socket).messageLimits, ['routes', i, 'socket', 'messageLimits'], { hasUser, hasEvent: true })
  }
  for (const [name, each] of Object.entries(membersOf(top.listeners))) {
    const { limits, tokens, auth } = membersOf(each)
    add(limits, ['listeners', name, 'limits'], { hasUser: name === 'transcripts' && auth !== 'none' })
    add(membersOf(tokens).limits, ['listeners', name, 'tokens', 'limits'])
  }
  return places
}

/** What a limit cannot count by where it is named. */
export function checkLimitPlaces(top: Members, places: readonly LimitPlace[], findings: Findings): void {
  const limits = membersOf(top.limits)
  for (const { path, name, hasUser, hasEvent, hasField } of places) {
    const limit = limits[name]
    if (!hasEvent && countsBy(limit, 'event')) {
      findings.mismatch(
        path,
        `counts by event, which requests have not; name it in "socket": { "messageLimits": [${JSON.stringify(name)}] }`,
      )
    }
    if (!hasUser && countsBy(limit, 'user')) {
      findings.mismatch(path, 'counts by user, but nobody signs in here; count by "address" or a header')
    }
    if (!hasField && countsBy(limit, 'field')) {
      findings.mismatch(path, 'counts by a field of the body, which is looked into for "routes[].limits" only')
    }
  }
}

/** What has no effect in a limit. */
export function checkLimits(top: Members, findings: Findings): void {
  for (const [name, each] of Object.entries(membersOf(top.limits))) {
    const { dryRun, dryRunShown } = membersOf(each)
    if (dryRunShown === true && dryRun !== true) {
      findings.mismatch(['limits', name, 'dryRunShown'], 'has no effect; it needs "dryRun": true')
    }
  }
}

function countsBy(limit: unknown, what: string): boolean {
  const { by } = membersOf(limit)
  const isMeant = (part: unknown): boolean => part === what || (typeof part === 'string' && part.startsWith(`${what} `))
  return isMeant(by) || textsOf(by).some(([, part]) => isMeant(part))
}
