/** Checks what the forward proxy of one service means beside its other settings. It reads the tree as it was written. */
import type { SettingPath } from './document.ts'
import { type Findings, membersOf, textOf } from './findings.ts'

const LOOPBACK = /^(?:localhost|127\.[\d.]+|\[::1\])$/

/** `endpoints` are the places in the list and their URLs. */
export function checkProxy(
  service: Readonly<Record<string, unknown>>,
  endpoints: readonly (readonly [number, string])[],
  path: SettingPath,
  findings: Findings,
): void {
  if (service.proxy === undefined) return
  for (const [i, text] of endpoints) {
    if (text.startsWith('unix:')) {
      findings.mismatch(
        [...path, 'endpoints', i],
        'is a Unix socket, to which no proxy leads; make it a service of its own',
      )
    }
  }
  if (service.dns !== undefined) {
    findings.mismatch(
      [...path, 'dns'],
      'cannot stand beside "proxy", which looks names up itself (SRV records it does not know); remove "dns" and write every endpoint as a URL with its name and port',
    )
  }
  const proxy = membersOf(service.proxy)
  const text = textOf(proxy.url) ?? ''
  if (!URL.canParse(text)) return
  const { protocol, hostname } = new URL(text)
  if (proxy.ca !== undefined && protocol === 'http:') {
    findings.warn([...path, 'proxy', 'ca'], 'has no effect: the URL of the proxy is not https')
  }
  if (proxy.auth !== undefined && protocol === 'http:' && !LOOPBACK.test(hostname)) {
    findings.warn(
      [...path, 'proxy', 'auth'],
      'goes over the network in clear text; write an https URL where the proxy speaks TLS',
    )
  }
}
