/** Answers of the admin listener: alive, ready, and the numbers. Knows neither what makes ready nor what is counted. */
import type { Responder } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'

export interface HealthSources {
  /** Whether new requests should come here, and the reasons where they should not (sentences without internal addresses). */
  readonly isReady: () => { readonly ready: boolean; readonly reasons: readonly string[] }
  /** The page for Prometheus, exposition format 0.0.4. */
  readonly metrics: { text(): string }
}

const JSON_TYPE = 'application/json'
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const LIVE = Buffer.from('{"status":"live"}\n')

/**
 * GET and HEAD of `/health/live` (200 while the process answers at all), `/health/ready` (200 or 503 with the reasons) and
 * `/metrics`; anything else is not found.
 */
export function makeHealth(sources: HealthSources): Responder {
  return (x) => {
    if (x.path !== '/health/live' && x.path !== '/health/ready' && x.path !== '/metrics') return x.refuse('not-found')
    if (x.method !== 'GET' && x.method !== 'HEAD') {
      return x.respond(405, ['allow', 'GET, HEAD', 'cache-control', 'no-store'], null)
    }
    if (x.path === '/health/live') return answer(x, 200, JSON_TYPE, LIVE)
    if (x.path === '/metrics') return answer(x, 200, METRICS_TYPE, Buffer.from(sources.metrics.text()))
    const { ready, reasons } = sources.isReady()
    const body = `${JSON.stringify({ status: ready ? 'ready' : 'not ready', reasons })}\n`
    answer(x, ready ? 200 : 503, JSON_TYPE, Buffer.from(body))
  }
}

function answer(x: Exchange, status: number, type: string, body: Buffer): void {
  x.respond(status, ['content-type', type, 'cache-control', 'no-store'], body)
}
