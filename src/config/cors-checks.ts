/** Checks what CORS means together with the rest of a route. It knows no request. */
import { type Findings, listOf, membersOf, textsOf } from './findings.ts'

export function checkCors(root: unknown, findings: Findings): void {
  for (const [i, each] of listOf(membersOf(root).routes).entries()) {
    const route = membersOf(each)
    if (route.cors === undefined) continue
    const at = ['routes', i, 'cors']
    for (const name of Object.keys(membersOf(membersOf(route.headers).set))) {
      if (/^access-control-/i.test(name)) {
        findings.wrongKey(['routes', i, 'headers', 'set', name], 'stands beside "cors", which says it')
      }
    }
    for (const [k, origin] of textsOf(membersOf(route.cors).origins)) {
      if (!origin.startsWith('http://') || /^http:\/\/(?:localhost|127\.|\[::1\])/.test(origin)) continue
      findings.warn([...at, 'origins', k], 'is plain HTTP: whoever is on the way of such a page can read what it reads')
    }
  }
}
