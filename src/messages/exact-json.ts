/**
 * JSON that keeps the digits of numbers no double can hold (ids of 64 bits), for documents that are written again. It
 * knows no rule. (Source text access, ECMAScript 2026; the compiler's library has no declaration for it yet.)
 */

interface SourceAccess {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown
  rawJSON(text: string): object
  isRawJSON(value: unknown): boolean
}
const json = JSON as unknown as SourceAccess

/** True where a number in the text may not survive parsing and writing. May say so of digits in strings. */
export function hasLongNumber(text: string): boolean {
  return /\d[\d.]{14}|\d[eE]/.test(text)
}

/** Parses valid JSON; a number that would be written differently becomes an opaque value that JSON.stringify writes as it came. */
export function parseExact(text: string): unknown {
  return json.parse(text, keepDigits)
}

/** True for the opaque values of `parseExact`. */
export const isExactNumber: (value: unknown) => boolean = json.isRawJSON

/** The digits of a whole number as a service would read it; null for other numbers and other values. */
export function wholeDigits(value: unknown): string | null {
  const written = isExactNumber(value) ? (value as { readonly rawJSON: string }).rawJSON : value
  if (typeof written === 'string') {
    if (/^\d+$/.test(written)) return written
    return Number.isSafeInteger(Number(written)) ? String(Number(written)) : null
  }
  return typeof written === 'number' && Number.isSafeInteger(written) ? String(written) : null
}

function keepDigits(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined || String(value) === context.source) return value
  return json.rawJSON(context.source)
}
