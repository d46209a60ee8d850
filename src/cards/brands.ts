/**
 * Which scheme a payment card number belongs to: issuer ranges and lengths, as the schemes publish them, and the check digit
 * (ISO/IEC 7812-1). Facts only; it knows no text.
 */

/** Every label that a metric may carry. */
export type CardBrand = (typeof ROWS)[number][0]

export interface CardMatch {
  readonly brand: CardBrand
  /** False: so many other numbers look alike that words about a card must stand near it. */
  readonly isSure: boolean
}

export const LEAST_DIGITS = 12
export const MOST_DIGITS = 19

/**
 * Brand, issuer ranges, lengths that stand for themselves, lengths that need words. The first row that fits counts, so
 * narrow ranges stand before those that hold them.
 */
const ROWS = [
  ['amex', '34 37', '15', ''],
  ['hipercard', '606282 637095 637568 637599-637600 637609 637612', '16 19', ''],
  ['hipercard', '384100 384140 384160', '16 19', ''],
  [
    'elo',
    '401178-401179 431274 438935 451416 457393 457631-457632 504175 506699-506778 509000-509999 627780 636297 636368 650031-650033 650035-650051 650405-650439 650485-650538 650541-650598 650700-650718 650720-650727 650901-650978 651652-651679 655000-655019 655021-655058',
    '16',
    '',
  ],
  ['verve', '506099-506198 507865-507964 650002-650027', '16 18 19', ''],
  ['visa', '4', '13 16 19', '18'],
  ['mir', '2200-2204', '16 17 18 19', ''],
  ['mastercard', '51-55 222100-272099', '16', ''],
  ['jcb', '3528-3589', '16 19', '17 18'],
  ['jcb', '2131 1800', '15', ''],
  ['rupay', '353 356 508 81 82', '16', ''],
  ['diners', '300-305 309 36 38 39', '14 16 19', '15 17 18'],
  ['discover', '6011 644-649 65', '16 19', '17 18'],
  ['unionpay', '62 810-817', '16 17 18 19', '14 15'],
  ['troy', '9792', '16', ''],
  ['ukrcard', '604001-604200', '16 17 18 19', ''],
  ['bancontact', '6703', '16 17', ''],
  [
    'maestro',
    '5018-5020 5038 5893 6304 6333 6334 6703 6705 6706 6709 6759 6761-6763 6767 6771 564182 633110',
    '12 13 14 15 16 17 18 19',
    '',
  ],
  ['uzcard', '8600 5614', '16', ''],
  ['humo', '9860', '16', ''],
  ['napas', '9704', '16 19', ''],
  ['other', '2205 286900 5610 9051 9112 9417 9804', '16', ''],
  ['other', '1946', '16', ''],
  ['other', '31', '', '19'],
  ['maestro', '50 56-58 60 61 63 66-69', '16', '12 13 14 15 17 18 19'],
  ['other', '94', '', '16'],
  ['uatp', '1', '', '15'],
] as const

interface Range {
  readonly low: number
  readonly high: number
  readonly brand: CardBrand
  readonly sure: ReadonlySet<number>
  readonly weak: ReadonlySet<number>
}

const BELOW_TWO = 10_000
/** First six digits to ranges, by the first two digits. */
const RANGES: readonly (readonly Range[])[] = compile()

function compile(): Range[][] {
  const byTwo: Range[][] = Array.from({ length: 100 }, () => [])
  const numbers = (list: string): ReadonlySet<number> => new Set(list === '' ? [] : list.split(' ').map(Number))
  for (const [brand, prefixes, sure, weak] of ROWS) {
    for (const prefix of prefixes.split(' ')) {
      const [from, to = from] = prefix.split('-') as [string, string?]
      const row = {
        low: Number(from.padEnd(6, '0')),
        high: Number(to.padEnd(6, '9')),
        brand,
        sure: numbers(sure),
        weak: numbers(weak),
      }
      const last = Math.floor(row.high / BELOW_TWO)
      for (let two = Math.floor(row.low / BELOW_TWO); two <= last; two++) byTwo[two]!.push(row)
    }
  }
  return byTwo
}

/** Lengths of numbers as bits, by the first digit. */
const LENGTHS = Array.from({ length: 10 }, (_, first) =>
  RANGES.slice(first * 10, first * 10 + 10)
    .flat()
    .flatMap(({ sure, weak }) => [...sure, ...weak])
    .reduce((bits, length) => bits | (1 << length), 0),
)

/** Cheap: false where no scheme has a number of this length that begins with this digit. */
export function mayBeCard(firstDigit: number, length: number): boolean {
  return ((LENGTHS[firstDigit]! >> length) & 1) === 1
}

/** The scheme of a number of ASCII digits that passes the check digit; null where it is no card's. */
export function cardOf(digits: string): CardMatch | null {
  const { length } = digits
  if (length < LEAST_DIGITS || length > MOST_DIGITS) return null
  let prefix = 0
  for (let i = 0; i < 6; i++) prefix = prefix * 10 + digits.charCodeAt(i) - 48
  for (const range of RANGES[Math.floor(prefix / BELOW_TWO)]!) {
    if (prefix < range.low || prefix > range.high) continue
    const isSure = range.sure.has(length)
    if (!isSure && !range.weak.has(length)) continue
    // A part of UnionPay's numbers has no check digit: then words have to tell.
    if (!passesLuhn(digits)) return range.brand === 'unionpay' && length >= 16 ? UNCHECKED : null
    if (allSame(digits)) return null
    return { brand: range.brand, isSure: isSure && !(length === 13 && passesEan(digits)) }
  }
  return null
}

const UNCHECKED: CardMatch = Object.freeze({ brand: 'unionpay', isSure: false })

/** ISO/IEC 7812-1, annex B. */
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

/** The check digit of article numbers (EAN-13), which share their length with the oldest Visa numbers. */
function passesEan(digits: string): boolean {
  let sum = 0
  for (let i = 0; i < digits.length; i++) sum += (digits.charCodeAt(i) - 48) * (i % 2 === 0 ? 1 : 3)
  return sum % 10 === 0
}

/** `4444 4444 4444 4444` and the like are nobody's. */
function allSame(digits: string): boolean {
  for (let i = 1; i < digits.length; i++) if (digits.charCodeAt(i) !== digits.charCodeAt(0)) return false
  return true
}
