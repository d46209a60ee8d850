/** Checks what the settings of DNS mean for one service. It reads the tree as it was written and asks nobody. */
import { isIP } from 'node:net'
import type { SettingPath } from './document.ts'
import { type Findings, membersOf } from './findings.ts'

/** `endpoints` are the places in the list and their URLs. */
export function checkNames(
  service: Readonly<Record<string, unknown>>,
  endpoints: readonly (readonly [number, string])[],
  path: SettingPath,
  findings: Findings,
): void {
  // Beside a proxy that is a mistake of its own.
  if (service.dns === undefined || service.proxy !== undefined) return
  const isSrv = membersOf(service.dns).records === 'srv'
  const urls = endpoints.filter(([, text]) => URL.canParse(text))
  if (urls.length > 0 && urls.every(([, text]) => isAddress(text))) {
    findings.warn([...path, 'dns'], 'has no effect: no endpoint is a name')
  }
  if (service.sticky !== undefined && membersOf(service.sticky).key === undefined) {
    findings.mismatch([...path, 'sticky'], 'needs a "key" beside "dns": what DNS finds has no position of its own')
  }
  if (!isSrv) return
  for (const [i, text] of urls) {
    if (isAddress(text)) findings.mismatch([...path, 'endpoints', i], 'is an address; "records": "srv" needs a name')
    else if (/:\d*\/?$/.test(text))
      findings.mismatch([...path, 'endpoints', i], 'has a port; SRV records say the ports')
  }
  // A name that DNS gives proves nothing: whoever forges answers has a certificate for a name of their own.
  if (urls.some(([, text]) => text.startsWith('https:')) && membersOf(service.tls).serverName === undefined) {
    findings.mismatch(
      [...path, 'dns', 'records'],
      'is "srv" for https endpoints; write in "tls" the "serverName" that their certificates must bear',
    )
  }
}

/** So is a Unix socket, as far as DNS is concerned. */
function isAddress(url: string): boolean {
  return url.startsWith('unix:') || isIP(new URL(url).hostname.replace(/^\[|\]$/g, '')) !== 0
}
