/**
 * Checks what keys and sealed identifiers mean together: kinds that exist, a ring where one is needed, tokens that stand where
 * their route does. It reads the tree as it was written and opens no ring.
 */
import { isLoopback, parseAddress } from './addresses.ts'
import type { SettingPath } from './document.ts'
import { type Findings, listOf, membersOf, textOf } from './findings.ts'
import { parseSealedPath } from './sealed-path.ts'
import { suggestion } from './suggestion.ts'

type Members = ReturnType<typeof membersOf>

export function checkKeys(root: unknown, findings: Findings): void {
  const top = membersOf(root)
  const kinds = Object.keys(membersOf(top.sealed))
  const hasRing = top.keys !== undefined
  const needsRing = (path: SettingPath): void => {
    if (!hasRing) findings.mismatch(path, 'needs a key ring; write "keys": { "ring": "config/keys.json" }')
  }
  const checkKind = (value: unknown, path: SettingPath): void => {
    const kind = textOf(value)
    if (kind === null || kinds.includes(kind)) return
    const none = kinds.length === 0 ? '; "sealed" has none' : ''
    findings.mismatch(path, `no sealed kind named ${JSON.stringify(kind)}${suggestion(kind, kinds, none)}`)
  }
  for (const [i, each] of listOf(top.routes).entries()) {
    const route = membersOf(each)
    if (route.sealed !== undefined) {
      const path = ['routes', i, 'sealed']
      needsRing(path)
      checkKind(membersOf(route.sealed).kind, [...path, 'kind'])
      checkPlace(route, path, findings)
    }
    if (route.sealLinks !== undefined) {
      needsRing(['routes', i, 'sealLinks'])
      if (route.socketIo === true) {
        findings.mismatch(['routes', i, 'sealLinks'], 'is for JSON and event streams; socket.io answers are not sealed')
      }
      for (const [k, rule] of listOf(route.sealLinks).entries()) {
        checkKind(membersOf(rule).kind, ['routes', i, 'sealLinks', k, 'kind'])
      }
    }
  }
  const here = ['listeners', 'transcripts', 'source']
  const source = membersOf(membersOf(membersOf(top.listeners).transcripts).source)
  if (source.sealedNames !== undefined) {
    needsRing([...here, 'sealedNames'])
    checkKind(source.sealedNames, [...here, 'sealedNames'])
  }
  if (source.sealed !== undefined) {
    needsRing([...here, 'sealed'])
    checkKind(membersOf(source.sealed).kind, [...here, 'sealed', 'kind'])
  }
  if (source.atRest === 'sealed' || source.atRest === 'mixed') needsRing([...here, 'atRest'])
  if (source.folder !== undefined && source.atRest === undefined && !hasRing) {
    findings.warn(
      [...here, 'folder'],
      'holds transcripts in the clear; seal them under a key ring ("keys"), or write "atRest": "plain" where the disk is encrypted',
    )
  }
  for (const [name, each] of Object.entries(membersOf(top.listeners))) {
    const listener = membersOf(each)
    if (name === 'admin' || listener.tokens === undefined) continue
    const path = ['listeners', name, 'tokens']
    needsRing(path)
    checkEndpoint(listener, path, kinds, findings)
  }
}

function checkPlace(route: Members, path: SettingPath, findings: Findings): void {
  const at = textOf(membersOf(membersOf(route.sealed).in).path)
  const routePath = textOf(route.path)
  if (at === null || routePath === null) return
  const place = parseSealedPath(at)
  if (typeof place === 'string') return
  const prefix = routePath.endsWith('/*') ? routePath.slice(0, -1) : null
  if (prefix !== null && place.before.startsWith(prefix)) return
  findings.mismatch(
    [...path, 'in', 'path'],
    `is not a place of this route, whose path is ${JSON.stringify(routePath)}; write "path": ${JSON.stringify(`${place.before}*`)} there`,
  )
}

function checkEndpoint(listener: Members, path: SettingPath, kinds: readonly string[], findings: Findings): void {
  if (kinds.length === 0) findings.mismatch(path, 'can make no token: "sealed" has no kind')
  if (listener.profile !== 'internal') {
    findings.mismatch(path, 'is for internal services; only a listener with "profile": "internal" may have it')
  }
  const address = parseAddress(textOf(listener.address) ?? '')
  if (address !== null && !isLoopback(address.host) && listOf(listener.allow).length === 0) {
    findings.mismatch(path, 'lets everybody make tokens; name the chat services in "allow"')
  }
}
