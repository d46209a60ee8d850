/** Checks what compression means together with the rest of a route. It knows no answer. */
import { type Findings, listOf, membersOf, textOf } from './findings.ts'

/** What makes the answers of a route those of one person. */
const PERSONAL = [
  ['signIn', 'whoever comes here signs in'],
  ['sealed', 'the URL itself is a credential'],
  ['socketIo', 'session ids of socket.io are credentials'],
] as const

export function checkCompression(root: unknown, findings: Findings): void {
  const top = membersOf(root)
  let isUsed = false
  for (const [i, each] of listOf(top.routes).entries()) {
    const route = membersOf(each)
    const mode = textOf(route.compression)
    if (mode === null || mode === 'off') continue
    isUsed = true
    const at = ['routes', i, 'compression']
    if (route.redirect !== undefined) findings.wrongKey(at, 'has no effect: a redirect has no body')
    if (route.service === undefined) continue
    if (mode === 'all') {
      findings.warn(
        at,
        'is "all": the length of answers that hold secrets beside text of others tells the secrets (BREACH)',
      )
    }
    if (mode !== 'public') continue
    for (const [key, reason] of PERSONAL) {
      if (route[key] === undefined || route[key] === false) continue
      findings.mismatch(at, `is "public", and with "${key}" nothing here is: ${reason}; leave it out`)
    }
    if (listOf(route.allow).length > 0) {
      findings.warn(at, 'is "public", and "allow" lets some addresses in only: what they are shown may be a secret')
    }
  }
  if (top.compression !== undefined && !isUsed) {
    findings.warn(['compression'], 'has no effect: no route has "compression"')
  }
}
