/**
 * Checks what routes and services mean: no two routes may want the same request, WebSocket needs GET. It reads the tree
 * as it was written and routes nothing.
 */
import { PATH_PATTERN, variableNames } from '../http/path-pattern.ts'
import type { SettingPath } from './document.ts'
import { checkEnding } from './ending-checks.ts'
import { type Findings, listOf, membersOf, textOf } from './findings.ts'
import { checkNames } from './name-checks.ts'
import { checkProxy } from './proxy-checks.ts'
import { RouteTies, repeatedNames } from './route-ties.ts'

type Members = ReturnType<typeof membersOf>

export function checkRoutes(root: unknown, findings: Findings): void {
  const top = membersOf(root)
  const named = new Map<string, number>()
  const ties = new RouteTies(listOf(top.routes), findings)
  /** Sets of rules that some socket.io route uses. */
  const spokenBy = new Set<string>()
  for (const [i, each] of listOf(top.routes).entries()) {
    const route = membersOf(each)
    const name = textOf(route.name)
    if (name !== null) {
      const first = named.get(name)
      if (first === undefined) named.set(name, i)
      else findings.mismatch(['routes', i, 'name'], `is the name of routes[${first}] too`)
    }
    ties.add(route, i)
    checkPath(route, i, findings)
    checkEnding(route, i, findings)
    if (route.webSocket === true && Array.isArray(route.methods) && !route.methods.includes('GET')) {
      findings.wrong(['routes', i, 'methods'], 'lacks "GET", with which every WebSocket begins')
    }
    if (route.socket !== undefined && route.webSocket !== true && route.socketIo !== true) {
      findings.warn(['routes', i, 'socket'], 'has no effect: the route has no "webSocket": true')
    }
    checkHeaderNames(route, i, findings)
    checkHide(route.hide, ['routes', i, 'hide'], findings)
    for (const rules of [textOf(route.messages), textOf(route.answers)]) {
      if (rules !== null && route.socketIo === true) spokenBy.add(rules)
    }
  }
  ties.finish()
  for (const [name, each] of Object.entries(membersOf(top.messages))) {
    if (membersOf(each).events !== undefined && !spokenBy.has(name)) {
      findings.warn(['messages', name, 'events'], 'has no effect: no route with these rules has "socketIo": true')
    }
  }
  for (const [name, each] of Object.entries(membersOf(top.services))) checkService(name, membersOf(each), findings)
}

function checkHide(hide: unknown, path: readonly (string | number)[], findings: Findings): void {
  if (Array.isArray(hide)) {
    for (const [i, wish] of hide.entries()) checkHide(wish, [...path, i], findings)
    return
  }
  const { mode, key } = membersOf(hide)
  if (mode === 'hash' && key === undefined) {
    findings.mismatch([...path, 'mode'], 'is "hash", which needs a "key" beside it')
  }
}

function checkPath(route: Members, i: number, findings: Findings): void {
  const path = textOf(route.path)
  if (path === null || !PATH_PATTERN.test(path)) return
  for (const name of new Set(repeatedNames(variableNames(path)))) {
    findings.wrong(['routes', i, 'path'], `has {${name}} twice; give each segment a name of its own`)
  }
}

function checkHeaderNames(route: Members, i: number, findings: Findings): void {
  const seen = new Set<string>()
  for (const name of Object.keys(membersOf(membersOf(route.headers).set))) {
    if (seen.has(name.toLowerCase())) {
      findings.wrongKey(['routes', i, 'headers', 'set', name], 'is given twice; upper and lower case are the same')
    }
    seen.add(name.toLowerCase())
  }
}

function checkService(name: string, service: Members, findings: Findings): void {
  const path = ['services', name]
  const tls = membersOf(service.tls)
  for (const [one, other] of [
    ['cert', 'key'],
    ['key', 'cert'],
  ] as const) {
    if (tls[one] !== undefined && tls[other] === undefined) {
      findings.mismatch([...path, 'tls', one], `needs "${other}" beside it`)
    }
  }
  const endpoints = listOf(service.endpoints).flatMap((each, i): [number, string][] => {
    const text = textOf(each) ?? textOf(membersOf(each).url)
    return text === null ? [] : [[i, text]]
  })
  if (Object.keys(tls).length > 0 && endpoints.length > 0 && !endpoints.some(([, text]) => text.startsWith('https:'))) {
    findings.warn([...path, 'tls'], 'has no effect: no endpoint is an https URL')
  }
  const seen = new Set<string>()
  for (const [i, text] of endpoints) {
    if (service.protocol === 'h2' && text.startsWith('http:')) {
      findings.mismatch([...path, 'endpoints', i], 'is plain HTTP; "protocol": "h2" needs https endpoints')
    }
    if (service.protocol === 'h2' && text.startsWith('unix:')) {
      findings.mismatch([...path, 'endpoints', i], 'is a Unix socket, which speaks "http/1.1" only')
    }
    if (seen.has(text)) findings.warn([...path, 'endpoints', i], 'is listed twice')
    seen.add(text)
  }
  checkHealth(membersOf(service.health), [...path, 'health'], findings)
  checkNames(service, endpoints, path, findings)
  checkProxy(service, endpoints, path, findings)
  const isAlone = endpoints.length === 1 && service.dns === undefined
  checkSticky(membersOf(service.sticky), isAlone, [...path, 'sticky'], findings)
}

function checkHealth(health: Members, path: SettingPath, findings: Findings): void {
  const kind = textOf(health.kind)
  const idle = kind === 'tcp' ? ['path', 'host', 'status', 'body'] : kind === 'websocket' ? ['status', 'body'] : []
  for (const key of idle) {
    if (health[key] !== undefined) findings.wrongKey([...path, key], `has no effect on a "${kind}" check`)
  }
}

function checkSticky(sticky: Members, isAlone: boolean, path: SettingPath, findings: Findings): void {
  const cookie = textOf(sticky.cookie)
  if (sticky.by === 'socket.io') {
    for (const key of ['cookie', 'sameSite']) {
      if (sticky[key] !== undefined) findings.mismatch([...path, key], 'is for "by": "cookie"; socket.io needs none')
    }
  } else if (cookie !== null && !cookie.startsWith('__Host-')) {
    findings.warn([...path, 'cookie'], 'does not begin with "__Host-", so that another subdomain could set it')
  }
  if (sticky.by !== undefined && isAlone) findings.warn(path, 'has no effect: there is one endpoint')
}
