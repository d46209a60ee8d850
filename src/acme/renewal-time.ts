/** When a certificate is renewed and when a failed order is tried again: arithmetic only. It knows no clock. */
import type { X509Certificate } from 'node:crypto'

const MINUTE_MS = 60_000
const LONGEST_PAUSE_MS = 12 * 3_600_000

/** A span that an authority suggests (RFC 9773, 4.2), epoch milliseconds. */
export interface RenewalWindow {
  readonly start: number
  readonly end: number
}

/**
 * Two thirds of the life, or a moment in the window that the authority suggests. `share` (0 to 1) spreads nodes and
 * certificates: over the window, or over a twentieth of the life before two thirds of it.
 */
export function renewalTime(leaf: X509Certificate, window: RenewalWindow | null, share: number): number {
  if (window !== null) return window.start + (window.end - window.start) * share
  const from = leaf.validFromDate.getTime()
  const life = leaf.validToDate.getTime() - from
  return from + (life * 2) / 3 - (life / 20) * share
}

/**
 * Milliseconds from a failure to the next try: a minute, four, sixteen, up to twelve hours, with a quarter of spread; never
 * before the authority wants it.
 */
export function pauseAfter(failures: number, retryAfterMs: number, share: number): number {
  const pause = Math.min(MINUTE_MS * 4 ** Math.min(failures - 1, 10), LONGEST_PAUSE_MS)
  return Math.max(pause * (1 + share / 4), retryAfterMs)
}

/** What an authority answers; null where it makes no sense. */
export function windowOf(value: unknown): RenewalWindow | null {
  const { start, end } = ((value as { suggestedWindow?: unknown })?.suggestedWindow ?? {}) as Partial<
    Record<string, unknown>
  >
  const window = { start: Date.parse(String(start)), end: Date.parse(String(end)) }
  return window.end > window.start ? window : null
}
