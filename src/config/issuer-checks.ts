/** Checks that issuers are there where they are named, and make sense by themselves. It reads the tree as it was written. */
import type { SettingPath } from './document.ts'
import { type Findings, listOf, membersOf, textOf } from './findings.ts'
import { suggestion } from './suggestion.ts'

type Members = ReturnType<typeof membersOf>

export function checkIssuers(root: unknown, findings: Findings): void {
  const top = membersOf(root)
  const names = Object.keys(membersOf(top.issuers))
  const used = new Set<string>()
  const use = (value: unknown, path: SettingPath): void => {
    const name = textOf(value)
    if (name === null) return
    used.add(name)
    if (names.includes(name)) return
    const none = names.length === 0 ? '; "issuers" has none' : ''
    findings.mismatch(path, `no issuer named ${JSON.stringify(name)}${suggestion(name, names, none)}`)
  }
  for (const [i, each] of listOf(top.routes).entries()) {
    const { signIn, webSocket } = membersOf(each)
    const path = ['routes', i, 'signIn']
    if (textOf(signIn) !== null) use(signIn, path)
    else {
      const settings = membersOf(signIn)
      use(settings.oidc, [...path, 'oidc'])
      checkPlace(membersOf(settings.alsoIn), webSocket === true, [...path, 'alsoIn'], findings)
    }
  }
  const transcripts = membersOf(membersOf(top.listeners).transcripts)
  use(membersOf(transcripts.oidc).issuer, ['listeners', 'transcripts', 'oidc', 'issuer'])
  for (const [name, each] of Object.entries(membersOf(top.issuers))) {
    if (!used.has(name)) findings.warn(['issuers', name], 'this issuer is used nowhere')
    checkIssuer(membersOf(each), ['issuers', name], findings)
  }
}

function checkPlace(place: Members, hasSockets: boolean, path: SettingPath, findings: Findings): void {
  if (place.query !== undefined) {
    findings.warn(
      [...path, 'query'],
      'puts tokens into URLs, which proxies and browsers write down; prefer a subprotocol',
    )
  }
  if ((place.query !== undefined || place.subprotocol !== undefined) && !hasSockets) {
    findings.mismatch(path, 'is for WebSocket handshakes; the route has no "webSocket": true')
  }
  const cookie = textOf(place.cookie)
  if (cookie !== null && !cookie.startsWith('__Host-')) {
    findings.warn([...path, 'cookie'], 'does not begin with "__Host-", so that another subdomain could set it')
  }
}

function checkIssuer(issuer: Members, path: SettingPath, findings: Findings): void {
  if (membersOf(issuer.keys).file === undefined) return
  for (const setting of ['ca', 'refresh', 'refetch', 'maxAge']) {
    if (issuer[setting] !== undefined) {
      findings.mismatch([...path, setting], 'has no effect: the keys come from a file, and nothing is fetched')
    }
  }
}
