/**
 * Checks that names lead somewhere and that everything named is used. It reads the tree as it was written, so that it
 * speaks also where other settings are wrong.
 */

import type { SettingPath } from './document.ts'
import { type Findings, listOf, membersOf, textOf, textsOf } from './findings.ts'
import { suggestion } from './suggestion.ts'

const NAME = /^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/
/** What stands among the limits and is none. */
const NO_LIMITS: ReadonlyMap<string, string> = new Map([
  ['store', 'where counts live'],
  ['fields', 'what clients are told of limits'],
  ['bans', 'what holds for bans'],
])

export function checkReferences(root: unknown, findings: Findings): void {
  const top = membersOf(root)
  checkKeys(top, findings)
  const services = new Named('service', Object.keys(membersOf(top.services)), 'services')
  const messages = new Named('set of message rules', Object.keys(membersOf(top.messages)), 'messages')
  const limits = new Named(
    'limit',
    Object.keys(membersOf(top.limits)).filter((key) => !NO_LIMITS.has(key)),
    'limits',
  )

  for (const [i, each] of listOf(top.routes).entries()) {
    const route = membersOf(each)
    services.use(route.service, ['routes', i, 'service'], findings)
    messages.use(route.messages, ['routes', i, 'messages'], findings)
    messages.use(route.answers, ['routes', i, 'answers'], findings)
    for (const [k, name] of textsOf(route.limits)) {
      limits.use(name, ['routes', i, 'limits', k], findings)
      if (isByEvent(membersOf(top.limits)[name])) {
        findings.mismatch(
          ['routes', i, 'limits', k],
          `counts by event, which requests have not; name it in "socket": { "messageLimits": [${JSON.stringify(name)}] }`,
        )
      }
    }
    for (const [k, name] of textsOf(membersOf(route.socket).messageLimits)) {
      limits.use(name, ['routes', i, 'socket', 'messageLimits', k], findings)
    }
  }
  checkUserLimits(top, findings)
  checkFieldLimits(top, findings)
  const transcripts = membersOf(membersOf(top.listeners).transcripts)
  services.use(membersOf(transcripts.source).service, ['listeners', 'transcripts', 'source', 'service'], findings)
  for (const [k, name] of textsOf(transcripts.limits)) {
    limits.use(name, ['listeners', 'transcripts', 'limits', k], findings)
  }
  for (const [listener, each] of Object.entries(membersOf(top.listeners))) {
    for (const [k, name] of textsOf(membersOf(membersOf(each).tokens).limits)) {
      limits.use(name, ['listeners', listener, 'tokens', 'limits', k], findings)
    }
  }
  for (const named of [services, messages, limits]) named.warnOfUnused(findings)
  checkMessageRules(top, findings)
}

const isByEvent = (limit: unknown): boolean => countsBy(limit, 'event')

function countsBy(limit: unknown, what: string): boolean {
  const { by } = membersOf(limit)
  const isMeant = (part: unknown): boolean => part === what || (typeof part === 'string' && part.startsWith(`${what} `))
  return isMeant(by) || textsOf(by).some(([, part]) => isMeant(part))
}

/** Where no body is looked into, they would count nobody. */
function checkFieldLimits(top: ReturnType<typeof membersOf>, findings: Findings): void {
  const limits = membersOf(top.limits)
  const check = (names: unknown, path: SettingPath): void => {
    for (const [k, name] of textsOf(names)) {
      if (!countsBy(limits[name], 'field')) continue
      findings.mismatch([...path, k], 'counts by a field of the body, which is looked into for "routes[].limits" only')
    }
  }
  for (const [i, each] of listOf(top.routes).entries()) {
    check(membersOf(membersOf(each).socket).messageLimits, ['routes', i, 'socket', 'messageLimits'])
  }
  for (const [name, each] of Object.entries(membersOf(top.listeners))) {
    check(membersOf(membersOf(each).tokens).limits, ['listeners', name, 'tokens', 'limits'])
    if (name === 'transcripts') check(membersOf(each).limits, ['listeners', name, 'limits'])
  }
}

/** Where nobody signs in, all would be one user. */
function checkUserLimits(top: ReturnType<typeof membersOf>, findings: Findings): void {
  const limits = membersOf(top.limits)
  const check = (names: unknown, path: SettingPath): void => {
    for (const [k, name] of textsOf(names)) {
      if (!countsBy(limits[name], 'user')) continue
      findings.mismatch([...path, k], 'counts by user, but nobody signs in here; count by "address" or a header')
    }
  }
  for (const [i, each] of listOf(top.routes).entries()) {
    const route = membersOf(each)
    if (route.signIn !== undefined) continue
    check(route.limits, ['routes', i, 'limits'])
    check(membersOf(route.socket).messageLimits, ['routes', i, 'socket', 'messageLimits'])
  }
  for (const [name, each] of Object.entries(membersOf(top.listeners))) {
    check(membersOf(membersOf(each).tokens).limits, ['listeners', name, 'tokens', 'limits'])
  }
  const { auth, limits: named } = membersOf(membersOf(top.listeners).transcripts)
  if (auth === 'none') check(named, ['listeners', 'transcripts', 'limits'])
}

/** Names of one kind, and which of them are used. */
class Named {
  readonly #what: string
  readonly #names: ReadonlySet<string>
  readonly #section: string
  readonly #used = new Set<string>()

  constructor(what: string, names: readonly string[], section: string) {
    this.#what = what
    this.#names = new Set(names)
    this.#section = section
  }

  use(value: unknown, path: SettingPath, findings: Findings): void {
    const name = textOf(value)
    if (name === null) return
    this.#used.add(name)
    if (this.#names.has(name)) return
    if (this.#section === 'limits' && NO_LIMITS.has(name)) {
      return findings.mismatch(path, `"${name}" is ${NO_LIMITS.get(name)} and no limit; name another one`)
    }
    if (!NAME.test(name)) return
    const none = this.#names.size === 0 ? `; "${this.#section}" has none` : ''
    findings.mismatch(path, `no ${this.#what} named ${JSON.stringify(name)}${suggestion(name, this.#names, none)}`)
  }

  warnOfUnused(findings: Findings): void {
    for (const name of this.#names) {
      if (!this.#used.has(name)) findings.warn([this.#section, name], `this ${this.#what} is used nowhere`)
    }
  }
}

/** Names that the declaration leaves open because they stand beside fixed ones. */
function checkKeys(top: ReturnType<typeof membersOf>, findings: Findings): void {
  for (const section of ['listeners', 'limits']) {
    for (const key of Object.keys(membersOf(top[section]))) {
      if (!NAME.test(key)) {
        findings.wrongKey([section, key], 'is not a name; use letters, digits, "-" and "_", starting with a letter')
      }
    }
  }
}

function checkMessageRules(top: ReturnType<typeof membersOf>, findings: Findings): void {
  for (const [name, each] of Object.entries(membersOf(top.messages))) {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) continue
    const rules = membersOf(each)
    const events = membersOf(rules.events)
    if (rules.otherEvents === 'pass' && isEmpty(rules.events)) {
      findings.warn(['messages', name, 'otherEvents'], 'lets every socket.io event pass as it is: "events" names none')
    }
    checkKeptTags(rules, ['messages', name], findings)
    for (const [event, paths] of Object.entries(events)) {
      for (const [i, text] of textsOf(paths)) {
        if (!/^\$(?:\.(?!\.|\*)|\["|$)/.test(text)) continue
        const path = ['messages', name, 'events', event, i]
        findings.wrong(path, 'must start at one of the event\'s arguments; write for example "$[0].text"')
      }
    }
  }
}

function checkKeptTags(rules: ReturnType<typeof membersOf>, path: SettingPath, findings: Findings): void {
  if (rules.html === 'allow' && rules.allowTags === undefined) {
    findings.mismatch(
      [...path, 'html'],
      'needs "allowTags" beside it: the elements that may stay, for example ["b", "i"]',
    )
  }
  if (rules.html !== 'allow' && rules.allowTags !== undefined) {
    findings.mismatch([...path, 'allowTags'], 'has no effect; it needs "html": "allow"')
  }
}

/** Not there, or there and empty; a value of another kind is a mistake told elsewhere. */
function isEmpty(value: unknown): boolean {
  if (value === undefined) return true
  if (Array.isArray(value)) return value.length === 0
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}
