/** What the admin listener answers: health and numbers, and actions at run time. It only finds who answers a path. */
import type { BanBook } from '../exchange/ban-book.ts'
import type { AuditLog, Responder } from '../exchange/contracts.ts'
import type { Maintenance } from '../exchange/maintenance.ts'
import type { ServiceBook } from '../exchange/service-book.ts'
import type { StatusBook } from '../exchange/status-view.ts'
import { answerBans, BANS_PATH } from './bans.ts'
import { type HealthSources, makeHealth } from './health.ts'
import { answerMaintenance, MAINTENANCE_PATH } from './maintenance.ts'
import { answerRenewal, RENEW_PATH, type Renewals } from './renewals.ts'
import { answerServices, isServicesPath } from './services.ts'
import { answerStatus, isStatusPath } from './status.ts'

export interface AdminSources extends HealthSources {
  readonly bans: BanBook
  readonly maintenance: Maintenance
  readonly services: ServiceBook
  readonly renewals: Renewals
  readonly audit: AuditLog
  readonly status: StatusBook
}

export function makeAdmin(sources: AdminSources): Responder {
  const health = makeHealth(sources)
  return (x) => {
    if (x.path === BANS_PATH) answerBans(x, sources.bans, sources.audit)
    else if (x.path === RENEW_PATH) answerRenewal(x, sources.renewals, sources.audit)
    else if (isServicesPath(x.path)) answerServices(x, sources.services, sources.audit)
    else if (x.path === MAINTENANCE_PATH) answerMaintenance(x, sources.maintenance, sources.audit)
    else if (isStatusPath(x.path)) answerStatus(x, sources.status)
    else health(x)
  }
}
