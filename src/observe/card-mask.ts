/** Masks what could be a payment card number in a path before it is logged. Errs towards masking; knows no issuer. */

/** 13 to 19 digits, alone or with one separator between them. */
const CANDIDATE = /(?<!\d)\d(?:(?:[ ._+-]|%20|%2D|%2E)?\d){12,18}(?!\d)/gi
const SEPARATORS = /%20|%2D|%2E|\D/gi
const THIRTEEN_DIGITS = /\d(?:\D{0,3}\d){12}/

/** The path with every run that passes the Luhn check (ISO/IEC 7812-1) replaced by `[card]`. */
export function maskCards(path: string): string {
  // Most paths hold no such run: one look decides.
  if (!THIRTEEN_DIGITS.test(path)) return path
  return path.replace(CANDIDATE, (found) => (passesLuhn(found.replace(SEPARATORS, '')) ? '[card]' : found))
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
