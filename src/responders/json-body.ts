/** Bodies of JSON, as responders read and send them. It knows no member. */
import type { Exchange } from '../exchange/exchange.ts'

/** The members of a JSON object; null for anything else, broken JSON and lists included. */
export function readMembers(text: string): Readonly<Record<string, unknown>> | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null
}

/** Not to be stored by anybody. */
export function sendJson(x: Exchange, status: number, value: unknown): void {
  const headers = ['content-type', 'application/json', 'cache-control', 'no-store']
  x.respond(status, headers, Buffer.from(`${JSON.stringify(value)}\n`))
}
