/** Readable units of the configuration file: "64 KB", "5 minutes", "120 per minute". Pure: text in, numbers out. */

const DURATIONS: Readonly<Record<string, number>> = {
  ...{ ms: 1, millisecond: 1, milliseconds: 1 },
  ...{ s: 1000, second: 1000, seconds: 1000 },
  ...{ m: 60_000, minute: 60_000, minutes: 60_000 },
  ...{ h: 3_600_000, hour: 3_600_000, hours: 3_600_000 },
  ...{ d: 86_400_000, day: 86_400_000, days: 86_400_000 },
}
const SIZES: Record<string, number> = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 }

export const DURATION_PATTERN = /^(\d{1,9}(?:\.\d{1,3})?) ?(ms|milliseconds?|s|seconds?|m|minutes?|h|hours?|d|days?)$/
export const SIZE_PATTERN = /^(\d{1,9}(?:\.\d{1,3})?) ?(B|KB|MB|GB)$/
export const RATE_PATTERN = /^(\d{1,9}) (?:per|\/) ?(?:(\d{1,5}) )?(s|seconds?|m|minutes?|h|hours?|d|days?)$/

export interface Rate {
  readonly points: number
  /** Milliseconds. */
  readonly windowMs: number
}

/** Milliseconds, or NaN where the text is not a duration. */
export function parseDuration(text: string): number {
  const found = DURATION_PATTERN.exec(text)
  return found === null ? Number.NaN : Math.round(Number(found[1]) * DURATIONS[found[2]!]!)
}

/** Bytes (1 KB is 1024), or NaN where the text is not a size. */
export function parseSize(text: string): number {
  const found = SIZE_PATTERN.exec(text)
  return found === null ? Number.NaN : Math.round(Number(found[1]) * SIZES[found[2]!]!)
}

/** Points and window ("30 per 10 seconds" too), or null where the text is not a rate. */
export function parseRate(text: string): Rate | null {
  const found = RATE_PATTERN.exec(text)
  if (found === null) return null
  return { points: Number(found[1]), windowMs: Number(found[2] ?? 1) * DURATIONS[found[3]!]! }
}
