/**
 * Checks what listeners mean together and to the outside: addresses that clash, who can reach them, whose TLS settings
 * they share. It reads the tree as it was written and opens nothing.
 */

import { checkAcme, checkSharedAcme } from './acme-checks.ts'
import { addressText, clashes, isLoopback, parseAddress, type SocketAddress } from './addresses.ts'
import type { SettingPath } from './document.ts'
import { type Findings, listOf, membersOf, textOf, textsOf } from './findings.ts'
import { suggestion } from './suggestion.ts'
import { checkSharedTickets } from './ticket-checks.ts'
import { TLS_SETTINGS } from './tls-shape.ts'

type Members = ReturnType<typeof membersOf>
const ADMIN_DEFAULT = '127.0.0.1:9900'

export function checkListeners(root: unknown, findings: Findings): void {
  const top = membersOf(root)
  if (typeof top.listeners !== 'object' || top.listeners === null) return
  const listeners = membersOf(top.listeners)
  const names = Object.keys(listeners)
  if (!names.some((name) => name !== 'admin')) {
    findings.mismatch(
      ['listeners'],
      'has no listener that serves anybody; write for example "public": { "address": "0.0.0.0:8443", ... }',
    )
  }
  checkClashes(listeners, findings)
  checkSharedAcme(top, findings)
  checkSharedTickets(top, findings)
  for (const name of names) {
    if (name === 'admin') checkAdmin(membersOf(listeners.admin), findings)
    else checkListener(name, listeners, findings)
  }
  if (listeners.transcripts !== undefined) checkTranscripts(membersOf(listeners.transcripts), findings)
  checkProfiles(top, listeners, findings)
}

const addressOf = (value: unknown): SocketAddress | null => parseAddress(textOf(value) ?? '')
const isOpen = (listener: Members): boolean => {
  const address = addressOf(listener.address)
  return address !== null && !isLoopback(address.host)
}

function checkClashes(listeners: Members, findings: Findings): void {
  const taken: { address: SocketAddress; path: string }[] = []
  const take = (text: unknown, path: SettingPath): void => {
    const address = addressOf(text)
    if (address === null) return
    const clash = taken.find((each) => clashes(each.address, address))
    if (clash === undefined) taken.push({ address, path: path.join('.') })
    else findings.mismatch(path, `${addressText(address)} is taken by ${clash.path} (${addressText(clash.address)})`)
  }
  for (const [name, each] of Object.entries(listeners)) {
    const listener = membersOf(each)
    take(listener.address, ['listeners', name, 'address'])
    if (name !== 'admin') take(listener.redirectFrom, ['listeners', name, 'redirectFrom'])
  }
  if (listeners.admin === undefined) {
    const admin = parseAddress(ADMIN_DEFAULT)!
    const clash = taken.find((each) => clashes(each.address, admin))
    if (clash !== undefined) {
      findings.mismatch(
        clash.path.split('.'),
        `${addressText(clash.address)} is taken by the admin listener; give "admin" another address`,
      )
    }
  }
}

function checkAdmin(admin: Members, findings: Findings): void {
  if (isOpen(admin)) {
    findings.wrong(
      ['listeners', 'admin', 'address'],
      'must be on loopback, for example "127.0.0.1:9900"; health and metrics are for this machine only',
    )
  }
}

function checkListener(name: string, listeners: Members, findings: Findings): void {
  const listener = membersOf(listeners[name])
  const path = ['listeners', name]
  checkTls(name, listeners, findings)
  checkAcme(listener, path, findings)
  if (isOpen(listener)) {
    if (listener.hosts === undefined) {
      findings.mismatch(path, 'names no "hosts"; only a listener on loopback may serve every Host')
    } else if (Array.isArray(listener.hosts) && listener.hosts.length === 0) {
      findings.wrong([...path, 'hosts'], 'is empty; only a listener on loopback may serve every Host')
    }
  }
  if (listener.redirectPort !== undefined && listener.redirectFrom === undefined) {
    findings.warn([...path, 'redirectPort'], 'has no effect without "redirectFrom"')
  }
  for (const [i, block] of textsOf(listener.trustedProxies)) {
    if (/\/0$/.test(block))
      findings.warn(
        [...path, 'trustedProxies', i],
        'trusts everybody: any client can then choose the address that limits and logs see',
      )
  }
  checkProxies(listener, path, findings)
}

function checkProxies(listener: Members, path: SettingPath, findings: Findings): void {
  const trusted = textsOf(listener.trustedProxies).map(([, block]) => block)
  if (listener.forwardedBy !== undefined && trusted.length === 0) {
    findings.warn([...path, 'forwardedBy'], 'has no effect without "trustedProxies"')
  }
  for (const [i, block] of textsOf(membersOf(listener.proxyProtocol).from)) {
    const place = [...path, 'proxyProtocol', 'from', i]
    if (/\/0$/.test(block)) {
      findings.warn(
        place,
        'lets everybody send the header: any client can then choose the address that limits and logs see',
      )
    } else if (trusted.includes(block)) {
      findings.warn(
        place,
        'is in "trustedProxies" too: where its header names no client, what clients write into forwarding fields is believed',
      )
    }
  }
}

/** Follows the name to the listener with TLS settings of its own; null where that leads nowhere. */
function checkTls(name: string, listeners: Members, findings: Findings): void {
  const path = ['listeners', name, 'tls']
  const listener = membersOf(listeners[name])
  const given = listener.tls
  let settings = given
  if (typeof given === 'string') {
    const others = Object.keys(listeners).filter((each) => each !== name && each !== 'admin')
    if (given === name)
      return findings.mismatch(path, 'names itself; write TLS settings or the name of another listener')
    if (!others.includes(given)) {
      const otherwise = given === 'admin' ? '; "admin" speaks plain HTTP' : ''
      return findings.mismatch(
        path,
        `no listener named ${JSON.stringify(given)} to share TLS settings with${suggestion(given, others, otherwise)}`,
      )
    }
    settings = membersOf(listeners[given]).tls
    if (typeof settings === 'string') {
      return findings.mismatch(
        path,
        `listener ${JSON.stringify(given)} shares the settings of ${JSON.stringify(settings)}; name the listener that has settings of its own`,
      )
    }
  }
  if (!isOpen(listener) || (settings !== undefined && (typeof settings !== 'object' || settings === null))) return
  const tls = membersOf(settings)
  // A key that is misspelt is told already; it may have meant the certificates.
  if (Object.keys(tls).some((key) => !TLS_SETTINGS.has(key))) return
  const hasNone = tls.certificates === undefined || (Array.isArray(tls.certificates) && tls.certificates.length === 0)
  if (hasNone && tls.selfSigned !== true && tls.acme === undefined) {
    findings.mismatch(
      given === undefined ? ['listeners', name] : path,
      'has no certificate; write "certificates", or "acme" to order one, or "selfSigned": true for one that no client trusts',
    )
  }
}

function checkTranscripts(transcripts: Members, findings: Findings): void {
  const path = ['listeners', 'transcripts']
  if (transcripts.auth === 'none') {
    if (isOpen(transcripts))
      findings.wrong([...path, 'auth'], 'may be "none" on loopback only; write "signIn" with an accounts file')
    if (transcripts.oidc !== undefined)
      findings.mismatch([...path, 'auth'], 'is "none", but "oidc" is given; leave one of them out')
    if (transcripts.signIn !== undefined)
      findings.mismatch([...path, 'auth'], 'is "none", but "signIn" is given; leave one of them out')
  } else if (transcripts.oidc !== undefined) {
    if (transcripts.signIn !== undefined)
      findings.mismatch([...path, 'oidc'], 'is given beside "signIn"; leave one of them out')
  } else if (transcripts.signIn === undefined && Object.keys(transcripts).length > 0) {
    findings.mismatch(
      path,
      'has no "signIn", so nobody could read; write "signIn": { "accounts": "config/accounts.json" }',
    )
  }
  checkRoles(transcripts, path, findings)
}

/** Roles are for who signs in; and without one nobody may read. */
function checkRoles(transcripts: Members, path: SettingPath, findings: Findings): void {
  if (transcripts.auth === 'none') {
    if (transcripts.roles !== undefined) findings.warn([...path, 'roles'], 'has no effect where nobody signs in')
    return
  }
  const roles = Object.keys(membersOf(transcripts.roles))
  if (transcripts.oidc !== undefined && transcripts.roles === undefined) {
    findings.mismatch(path, 'has no "roles", so nobody may read anything; name roles as the issuer does')
  }
  if (transcripts.signIn !== undefined && roles.length === 0) {
    findings.mismatch(
      path,
      'has no "roles", so nobody may read anything; for everybody who signs in to read everything, write "roles": { "reader": { "read": [{ "paths": ["**"] }] } } and, in "signIn", "defaultRoles": ["reader"]',
    )
  }
  for (const [i, role] of textsOf(membersOf(transcripts.signIn).defaultRoles)) {
    if (roles.length > 0 && !roles.includes(role)) {
      findings.wrong(
        [...path, 'signIn', 'defaultRoles', i],
        `no role named ${JSON.stringify(role)}${suggestion(role, roles)}`,
      )
    }
  }
}

function checkProfiles(top: Members, listeners: Members, findings: Findings): void {
  if (!Array.isArray(top.routes)) return
  const routes = listOf(top.routes).map(membersOf)
  const hosts: string[] = []
  let servesAnyHost = false
  for (const [name, each] of Object.entries(listeners)) {
    if (name === 'admin' || name === 'transcripts') continue
    const listener = membersOf(each)
    const named = textsOf(listener.hosts).map(([, host]) => host)
    hosts.push(...named)
    servesAnyHost ||= named.length === 0
    const profile = listener.profile ?? 'internet'
    const exposed = routes.filter((route) => profile === 'internal' || listOf(route.profiles).includes(profile))
    if (exposed.length > 0) continue
    findings.warn(
      ['listeners', name],
      `no route names the profile ${JSON.stringify(profile)}, so this listener answers 404 to everything`,
    )
  }
  if (servesAnyHost) return
  for (const [i, route] of routes.entries()) {
    for (const [k, host] of textsOf(route.hosts)) {
      if (!hosts.some((each) => covers(each, host))) {
        findings.warn(['routes', i, 'hosts', k], `no listener serves this host${suggestion(host, hosts)}`)
      }
    }
  }
}

/** `*.example.com` covers every name under it. */
function covers(pattern: string, host: string): boolean {
  return pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)))
}
