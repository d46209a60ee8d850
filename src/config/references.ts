/**
 * Checks that names lead somewhere and that everything named is used. It reads the tree as it was written, so that it
 * speaks also where other settings are wrong.
 */

import type { SettingPath } from './document.ts'
import { type Findings, listOf, membersOf, textOf, textsOf } from './findings.ts'
import { checkLimitPlaces, checkLimits, limitPlaces } from './limit-places.ts'
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
  }
  const transcripts = membersOf(membersOf(top.listeners).transcripts)
  services.use(membersOf(transcripts.source).service, ['listeners', 'transcripts', 'source', 'service'], findings)
  const places = limitPlaces(top)
  for (const { name, path } of places) limits.use(name, path, findings)
  checkLimitPlaces(top, places, findings)
  checkLimits(top, findings)
  for (const named of [services, messages, limits]) named.warnOfUnused(findings)
  checkMessageRules(top, findings)
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
