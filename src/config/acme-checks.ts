/** Checks what "tls.acme" means together with its listener and with the store that nodes share. It opens nothing. */
import type { SettingPath } from './document.ts'
import { type Findings, membersOf, textsOf } from './findings.ts'

type Members = ReturnType<typeof membersOf>

export function checkAcme(listener: Members, path: SettingPath, findings: Findings): void {
  const acme = membersOf(listener.tls).acme
  if (acme === undefined) return
  const { names, challenge, authorities, staging } = membersOf(acme)
  const at = [...path, 'tls', 'acme']
  if (challenge === 'http-01' && listener.redirectFrom === undefined) {
    findings.wrong(
      [...at, 'challenge'],
      'is "http-01", which is answered on plain HTTP; write "redirectFrom", or take "tls-alpn-01"',
    )
  }
  if (staging === true && authorities !== undefined) {
    findings.wrong([...at, 'staging'], 'is for Let\'s Encrypt; with "authorities" name the staging directory there')
  }
  const hosts = textsOf(listener.hosts).map(([, host]) => host)
  for (const [i, name] of textsOf(names)) {
    if (hosts.length > 0 && !hosts.some((host) => covers(host, name))) {
      findings.wrong([...at, 'names', i], 'is not among the "hosts" of this listener, so nobody could use it')
    }
  }
}

/** Nodes with a store in common order in common, or each would order for itself and run into the limits of the authority. */
export function checkSharedAcme(top: Members, findings: Findings): void {
  const hasRedis = membersOf(membersOf(top.limits).store).redis !== undefined
  const folders = new Map<string, string>()
  for (const [name, each] of Object.entries(membersOf(top.listeners))) {
    const acme = membersOf(membersOf(each).tls).acme
    if (acme === undefined) continue
    const path = ['listeners', name, 'tls', 'acme']
    const { sharedSecret, names, folder = '' } = membersOf(acme)
    if (hasRedis && sharedSecret === undefined) {
      findings.mismatch(
        path,
        'has no "sharedSecret", but nodes share Redis; write "sharedSecret": { "file": "path" }, so that one node orders for all',
      )
    }
    if (!hasRedis && sharedSecret !== undefined) {
      findings.warn([...path, 'sharedSecret'], 'has no effect without "limits.store.redis"')
    }
    const place = JSON.stringify([folder, textsOf(names)[0]?.[1]])
    const taken = folders.get(place)
    if (taken !== undefined) {
      findings.wrong(
        [...path, 'names', 0],
        `is the first name at listener ${JSON.stringify(taken)} too; share its settings with "tls": ${JSON.stringify(taken)}, or put another name first`,
      )
    }
    folders.set(place, name)
  }
}

/** `*.example.com` covers every name under it. */
function covers(pattern: string, name: string): boolean {
  return pattern === name || (pattern.startsWith('*.') && name.endsWith(pattern.slice(1)))
}
