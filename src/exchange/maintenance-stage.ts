/** The stage that answers 503 while a route is under maintenance. It knows neither who switches nor the page. */
import { DONE, GO, type Stage } from './contracts.ts'
import type { Maintenance } from './maintenance.ts'

export interface MaintenanceRules {
  readonly retryAfterSeconds: number
  readonly isExempt: (address: string) => boolean
}

export function makeMaintenanceStage(book: Maintenance, route: string, rules: MaintenanceRules): Stage {
  const retryAfter = String(rules.retryAfterSeconds)
  return function checkMaintenance(x) {
    if (!book.isClosed(route) || rules.isExempt(x.clientAddress)) return GO
    x.answerHeaders.push('retry-after', retryAfter)
    x.refuse('maintenance')
    return DONE
  }
}
