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

function keepDigits(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined || String(value) === context.source) return value
  return json.rawJSON(context.source)
}
