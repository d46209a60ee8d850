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

const NUMBER = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
/** More digits before the point than any number of use. */
const MAX_DIGITS = 1000

/** The digits before the point of a number, as a service would read them; null for other values, and beyond reason. */
export function wholeDigits(value: unknown): string | null {
  const written = isExactNumber(value) ? (value as { readonly rawJSON: string }).rawJSON : value
  const found = NUMBER.exec(typeof written === 'number' ? String(written) : typeof written === 'string' ? written : '')
  if (found === null) return null
  const [, whole, fraction = '', exponent = '0'] = found
  const digits = whole! + fraction
  const point = whole!.length + Number(exponent)
  if (point <= 0 || point > MAX_DIGITS) return point > 0 && Number(digits) !== 0 ? null : '0'
  return digits
    .slice(0, point)
    .padEnd(point, '0')
    .replace(/^0+(?=\d)/, '')
}

function keepDigits(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined || String(value) === context.source) return value
  return json.rawJSON(context.source)
}
