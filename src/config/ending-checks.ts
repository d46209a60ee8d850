/** Checks how a route ends: one of service, redirect and respond, and settings that go with it. It routes nothing. */
import { makeTranslation, PATH_PATTERN } from '../http/path-pattern.ts'
import type { SettingPath } from './document.ts'
import { type Findings, membersOf, textOf } from './findings.ts'

type Members = ReturnType<typeof membersOf>

const ENDINGS = ['service', 'redirect', 'respond'] as const
/** What makes sense where a service answers, only. */
const OF_SERVICES = [
  ...['rewrite', 'messages', 'answers', 'hide', 'sealed', 'sealLinks', 'webSocket', 'socket', 'socketIo', 'cookies'],
  ...['internalIn'],
] as const
/** Of single answers, or settled for the whole route. */
const NOT_FIXED: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'proxy-connection'],
  ...['content-length', 'content-type', 'content-encoding', 'content-range', 'date', 'x-request-id', 'location'],
])

export function checkEnding(route: Members, i: number, findings: Findings): void {
  const here = ['routes', i]
  const given = ENDINGS.filter((key) => route[key] !== undefined)
  if (given.length === 0) {
    findings.wrong(here, 'says not who answers; write "service", "redirect" or "respond"')
  } else if (given.length > 1) {
    findings.wrongKey([...here, given[1]!], `stands beside "${given[0]}"; a route has one of both`)
  }
  if (route.service === undefined && given.length > 0) {
    for (const key of OF_SERVICES) {
      if (route[key] !== undefined && route[key] !== false) {
        findings.wrongKey([...here, key], `has no effect: no service answers, but "${given[0]}"`)
      }
    }
  }
  const path = textOf(route.path)
  if (path !== null && PATH_PATTERN.test(path)) {
    checkTarget(textOf(route.rewrite), path, [...here, 'rewrite'], findings)
    const { redirect } = route
    const to = textOf(redirect) ?? textOf(membersOf(redirect).to)
    const at = textOf(redirect) === null ? [...here, 'redirect', 'to'] : [...here, 'redirect']
    checkTarget(to === null ? null : to.replace(/^https?:\/\/[^/]+/, ''), path, at, findings)
    if (to === path) findings.mismatch(at, 'leads to itself')
  }
  checkFixed(membersOf(route.respond), [...here, 'respond'], findings)
}

function checkTarget(to: string | null, path: string, at: SettingPath, findings: Findings): void {
  if (to === null || !PATH_PATTERN.test(to) || makeTranslation(path, to) !== null) return
  findings.mismatch(at, `uses a "{name}" or "*" that ${JSON.stringify(path)} does not have`)
}

function checkFixed(respond: Members, at: SettingPath, findings: Findings): void {
  const { status, text, file, headers } = respond
  if (text !== undefined && file !== undefined)
    findings.wrongKey([...at, 'file'], 'stands beside "text"; one is enough')
  if ((status === 204 || status === 304) && (text !== undefined || file !== undefined)) {
    findings.mismatch([...at, 'status'], `is ${status}, which has no body`)
  }
  for (const name of Object.keys(membersOf(headers))) {
    if (NOT_FIXED.has(name.toLowerCase())) {
      findings.wrongKey([...at, 'headers', name], 'is settled by the gateway; for a redirect write "redirect"')
    }
  }
}
