/** What the admin listener answers: health and numbers, and actions at run time. It only finds who answers a path. */
import type { BanBook } from '../exchange/ban-book.ts'
import type { AuditLog, Responder } from '../exchange/contracts.ts'
import { answerBans, BANS_PATH } from './bans.ts'
import { type HealthSources, makeHealth } from './health.ts'

export interface AdminSources extends HealthSources {
  readonly bans: BanBook
  readonly audit: AuditLog
}

export function makeAdmin(sources: AdminSources): Responder {
  const health = makeHealth(sources)
  return (x) => (x.path === BANS_PATH ? answerBans(x, sources.bans, sources.audit) : health(x))
}
