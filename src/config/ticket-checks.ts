/** Checks what "tls.ticketSecret" means together with the store that nodes share. It opens nothing. */
import { type Findings, membersOf } from './findings.ts'

export function checkSharedTickets(top: ReturnType<typeof membersOf>, findings: Findings): void {
  const hasRedis = membersOf(membersOf(top.limits).store).redis !== undefined
  for (const [name, each] of Object.entries(membersOf(top.listeners))) {
    const { ticketSecret, clientCertificates } = membersOf(membersOf(each).tls)
    if (ticketSecret === undefined) continue
    const path = ['listeners', name, 'tls', 'ticketSecret']
    if (!hasRedis) {
      findings.mismatch(
        path,
        'seals what nodes share in Redis, and there is none; write "limits": { "store": { "redis": { "url": ... } } }, or leave it out: a process that is alone makes keys of its own',
      )
    } else if (clientCertificates !== undefined) {
      findings.warn(path, 'has no effect: no session is resumed where clients are asked for certificates')
    }
  }
}
