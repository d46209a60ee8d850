/** Masks what could be a payment card number in a path before it is logged. Errs towards masking; knows no issuer, only dates. */

/** 13 to 19 digits, alone or with one separator between them. */
const CANDIDATE = /(?<!\d)\d(?:(?:[ ._+-]|%20|%2D|%2E)?\d){12,18}(?!\d)/gi
const SEPARATORS = /%20|%2D|%2E|\D/gi
/** A date at the start, as file names often have it: no issuer's numbers begin so. */
const DATE = /^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])/
const THIRTEEN_DIGITS = /\d(?:\D{0,3}\d){12}/

/** The path with every run that passes the Luhn check (ISO/IEC 7812-1) replaced by `[card]`. */
export function maskCards(path: string): string {
  // Most paths hold no such run: one look decides.
  if (!THIRTEEN_DIGITS.test(path)) return path
  return path.replace(CANDIDATE, (found) => (isCard(found.replace(SEPARATORS, '')) ? '[card]' : found))
}

function isCard(digits: string): boolean {
  return !DATE.test(digits) && passesLuhn(digits)
}

function passesLuhn(digits: string): boolean {
  let sum = 0
  let isDoubled = false
  for (let i = digits.length - 1; i >= 0; i--) {
    const digit = digits.charCodeAt(i) - 48
    const value = isDoubled ? digit * 2 : digit
    sum += value > 9 ? value - 9 : value
    isDoubled = !isDoubled
  }
  return sum % 10 === 0
}
