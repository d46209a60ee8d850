/**
 * Finds payment card numbers in plain digits: alone or in groups, next to one another, next to dates and codes. It knows
 * no script other than ASCII and does not change anything. Linear in the length.
 */
import { type CardBrand, type CardMatch, cardOf, LEAST_DIGITS, MOST_DIGITS, mayBeCard } from './brands.ts'
import { digitGroups } from './digit-groups.ts'
import { findSplit } from './split-numbers.ts'
import { CardWords, isLabelled, isPartOfMore } from './surroundings.ts'

export interface FoundCard {
  /** In the plain text: from the first digit to behind the last. */
  readonly start: number
  readonly end: number
  readonly brand: CardBrand
  /** Digits behind `end` that may belong to a longer reading of the number: nothing of them may be shown. */
  readonly tailEnd: number
}

/** How people group the digits of a card. */
const GROUPINGS = new Set(
  '4-4-4-4 4-4-4-4-1 4-4-4-4-2 4-4-4-4-3 4-4-4 4-4-4-1 4-4-4-2 4-4-4-3 4-6-5 4-6-4 4-5-6 4-5-5 6-10 6-13 6-12 6-11 8-8 8-11 8-10 8-4-4 4-4-8 4-8-4 4-12 12-4 4-11 4-10 6-9 6-8 10-6 5-5-5 5-5-5-1 5-5-6 5-5-5-4 4-3-3-3 3-3-3-3-3 3-3-3-3-3-1 3-3-3-3-3-3-1 3-3-3-3 6-6-4 6-6-3 6-4-6 6-4-4-2 6-6-2 4-4-4-4-4 5-6-5 4-4-5 4-4-6 4-4-7 7-9 7-8 4-4-3-4 4-4-4-2-2 2-4-4-4-2'
    .split(' ')
    .map((sizes) => sizes.split('-').reduce((shape, size) => addToShape(shape, Number(size)), 0)),
)
/** As many as the longest of them has. */
const MOST_IN_GROUPING = 7
const MOST_GROUPS = 19
/** What remains of a run behind a card: a date of expiry, and perhaps a code. */
const EXPIRY_REST = /^\D{1,4}(?:0?[1-9]|1[0-2])\D{0,4}(?:20)?[2-4]\d(?:\D{1,4}\d{3,4})?$/
/** Number, date, code with nothing between them. */
const GLUED_REST = /^(?:0[1-9]|1[0-2])(?:20)?[2-4]\d(?:\d{3,4})?$/

/** The sizes of groups, one after the other, in one number. None that counts is as large as 32. */
function addToShape(shape: number, size: number): number {
  return shape * 32 + size
}

/**
 * All cards, in the order of the text, none overlapping another. Without `heedsLabels` a word such as "order" before a
 * number does not make it another thing.
 */
export function findCards(text: string, heedsLabels = true): FoundCard[] {
  const found: FoundCard[] = []
  const { groups, runs } = digitGroups(text)
  const words = new CardWords(text)
  for (let i = 0; i + 1 < runs.length; i++) {
    const run = groups.slice(runs[i], runs[i + 1])
    if (holdsEnough(run)) new RunSearch(text, run, words, found, heedsLabels).search()
  }
  // Within one run nothing but separators stands between the groups.
  if (runs.length > 2) findSplit(text, groups, found)
  return found.sort((a, b) => a.start - b.start)
}

function holdsEnough(run: readonly number[]): boolean {
  let digits = 0
  for (let i = 0; i < run.length && digits < LEAST_DIGITS; i += 2) digits += run[i + 1]! - run[i]!
  return digits >= LEAST_DIGITS
}

interface CardWindow {
  /** The last group of the card, and that of its longest reading. */
  readonly best: number
  readonly longest: number
  readonly brand: CardBrand
  readonly isEven: boolean
}

class RunSearch {
  readonly #text: string
  /** Starts and ends, in turn. */
  readonly #groups: readonly number[]
  readonly #words: CardWords
  /** The digits of all groups, and where each group begins in them. */
  readonly #digits: string
  readonly #offsets: readonly number[]
  readonly #found: FoundCard[]
  readonly #heedsLabels: boolean

  constructor(text: string, groups: readonly number[], words: CardWords, found: FoundCard[], heedsLabels: boolean) {
    this.#text = text
    this.#groups = groups
    this.#words = words
    const whole = text.slice(groups[0], groups.at(-1))
    this.#digits = groups.length === 2 ? whole : whole.replace(/\D+/g, '')
    const offsets: number[] = []
    let offset = 0
    for (let i = 0; i < groups.length; i += 2) {
      offsets.push(offset)
      offset += groups[i + 1]! - groups[i]!
    }
    this.#offsets = offsets
    this.#found = found
    this.#heedsLabels = heedsLabels
  }

  search(): void {
    const count = this.#groups.length / 2
    if (this.#isPhone()) return
    let hasFound = false
    let freeFrom = 0
    for (let i = 0; i < count; ) {
      const next = this.#at(i, freeFrom)
      if (next === -1) {
        i++
        continue
      }
      hasFound = true
      freeFrom = next
      i = next
    }
    if (!hasFound && count > 1) this.#whole(count)
  }

  #start(i: number): number {
    return this.#groups[2 * i]!
  }

  #end(i: number): number {
    return this.#groups[2 * i + 1]!
  }

  #size(i: number): number {
    return this.#end(i) - this.#start(i)
  }

  #gap(i: number): string {
    return this.#text.slice(this.#end(i), this.#start(i + 1))
  }

  /** `+49 151 ...`: an international number has fifteen digits at most (ITU-T E.164). */
  #isPhone(): boolean {
    const start = this.#start(0)
    if (start === 0 || this.#text[start - 1] !== '+') return false
    let digits = 0
    for (let i = 0; i < this.#groups.length / 2 && digits < 16; i++) digits += this.#size(i)
    return digits < 14 || (digits < 16 && !this.#words.isNear(start, this.#groups.at(-1)!))
  }

  /** Looks for a card that begins with group `i`; the index of the group behind it, or -1. */
  #at(i: number, freeFrom: number): number {
    if (this.#size(i) >= LEAST_DIGITS) return this.#single(i)
    const first = this.#window(i, freeFrom)
    if (first === null) return -1
    let last = first
    // A number in front can make another card of the one that follows: then nothing is shown where they overlap.
    for (let k = i + 1; k <= last.longest; k++) {
      const other = this.#window(k, k)
      if (other === null || other.longest <= last.longest) continue
      if (other.isEven && !last.isEven) {
        if (last === first) return -1
        continue
      }
      last = other
    }
    this.#add(this.#start(i), this.#end(last.best), last.brand, this.#end(last.longest))
    return last.longest + 1
  }

  /** A card in groups that begins with group `i`. */
  #window(i: number, freeFrom: number): CardWindow | null {
    if (this.#size(i) < 2 || this.#size(i) >= LEAST_DIGITS) return null
    const count = this.#groups.length / 2
    const firstDigit = this.#text.charCodeAt(this.#start(i)) - 48
    let digits = 0
    let shape = 0
    let best = -1
    let bestDigits = 0
    let longest = -1
    let card: CardBrand | null = null
    for (let j = i; j < count && j < i + MOST_IN_GROUPING; j++) {
      digits += this.#size(j)
      if (digits > MOST_DIGITS) break
      shape = addToShape(shape, this.#size(j))
      if (digits < LEAST_DIGITS || !mayBeCard(firstDigit, digits) || !GROUPINGS.has(shape)) continue
      if (this.#isList(i, j, freeFrom)) continue
      const fits = cardOf(this.#number(i, j))
      if (fits === null) continue
      // In the middle of a longer row of numbers every four of them would be a candidate.
      const goesOn =
        this.#isInRow(i, freeFrom) && this.#gapBehind(j) === this.#gap(i) && this.#size(j + 1) === this.#size(i)
      if (goesOn && !this.#isNextCard(j + 1) && !this.#words.isNear(this.#start(i), this.#end(j))) continue
      const match = this.#weigh(fits, this.#start(i), this.#end(j))
      if (match === null) continue
      longest = j
      // Sixteen digits with a code behind them can look like nineteen: nothing of the code may be shown.
      if (bestDigits === 16) continue
      bestDigits = digits
      best = j
      card = match
    }
    return card === null ? null : { best, longest, brand: card, isEven: this.#isEven(i, best) }
  }

  /** A group of the same size stands before, with the separator that stands behind. */
  #isInRow(i: number, freeFrom: number): boolean {
    return i > freeFrom && this.#size(i - 1) === this.#size(i) && this.#gap(i - 1) === this.#gapBehind(i)
  }

  /** The same separator everywhere. */
  #isEven(first: number, last: number): boolean {
    for (let i = first + 1; i < last; i++) if (this.#gap(i) !== this.#gap(first)) return false
    return true
  }

  /** Cards one after the other are no chance. */
  #isNextCard(i: number): boolean {
    let digits = ''
    for (let j = i; j < i + 4 && 2 * j < this.#groups.length; j++) {
      digits += this.#text.slice(this.#start(j), Math.min(this.#end(j), this.#start(j) + MOST_DIGITS))
    }
    return cardOf(digits)?.isSure === true
  }

  #gapBehind(i: number): string {
    return 2 * i + 2 < this.#groups.length ? this.#gap(i) : ''
  }

  /** Four-digit numbers with commas or line ends between them, more than one card has: a list, not a card. */
  #isList(i: number, j: number, freeFrom: number): boolean {
    const gap = this.#gap(i)
    if (!gap.includes(',') && !gap.includes('\n')) return false
    if (i > freeFrom && this.#gap(i - 1) === gap && this.#size(i - 1) === this.#size(i)) return true
    if (i === freeFrom && 2 * j + 2 === this.#groups.length) return false
    return this.#gapBehind(j) === gap && this.#size(j + 1) === this.#size(i)
  }

  #single(i: number): number {
    const start = this.#start(i)
    const size = this.#size(i)
    if (this.#isFraction(i)) return -1
    if (size <= MOST_DIGITS) {
      const card = this.#judge(i, i)
      if (card === null) return -1
      this.#add(start, this.#end(i), card, this.#end(i))
      return i + 1
    }
    return this.#glued(i)
  }

  /** Two numbers, or number, date and code, without anything between them. */
  #glued(i: number): number {
    const start = this.#start(i)
    const end = this.#end(i)
    const size = end - start
    if (size > 2 * MOST_DIGITS) return -1
    for (const length of [16, 15]) {
      const digits = this.#text.slice(start, start + length)
      const card = cardOf(digits)
      if (card === null || !card.isSure || isPartOfMore(this.#text, start, end)) continue
      const rest = this.#text.slice(start + length, end)
      const second = cardOf(rest)
      if (second?.isSure === true) {
        this.#add(start, start + length, card.brand, start + length)
        this.#add(start + length, end, second.brand, end)
        return i + 1
      }
      if (GLUED_REST.test(rest)) {
        this.#add(start, start + length, card.brand, end)
        return i + 1
      }
    }
    return -1
  }

  /** Digits behind the point of a number: `0.4111...`, `13.4050...`; also in front of it. */
  #isFraction(i: number): boolean {
    return i > 0 && this.#gap(i - 1) === '.' && this.#size(i - 1) <= 3 && (i < 2 || this.#gap(i - 2) !== '.')
  }

  /** A run of any grouping, as a whole or without the date behind it. */
  #whole(count: number): void {
    let digits = 0
    for (let j = 0; j < count && j < MOST_GROUPS; j++) {
      digits += this.#size(j)
      if (digits > MOST_DIGITS) return
      if (digits < LEAST_DIGITS) continue
      const isEnd = j === count - 1
      if (
        !isEnd &&
        !EXPIRY_REST.test(this.#text.slice(this.#end(j), this.#end(j) + 24).replace(/[^\d\s./|,-].*$/su, ''))
      )
        continue
      if (this.#isAddress(j) || this.#isOrder(j)) return
      if (this.#isAmount(j) && !this.#words.isNear(this.#start(0), this.#end(j))) return
      const brand = this.#judge(0, j)
      if (brand === null) continue
      this.#add(this.#start(0), this.#end(j), brand, this.#end(j))
      return
    }
  }

  /** `4.111.222.333.444,00`, `4.1112223334445`. */
  #isAmount(last: number): boolean {
    const gap = this.#gap(0)
    if (gap !== '.' && gap !== ',') return false
    if (last === 1) return this.#size(0) <= 3
    if (this.#size(0) > 3) return false
    for (let i = 1; i <= last; i++) if (this.#size(i) !== 3 && i < last) return false
    return this.#size(last) <= 3
  }

  /** Addresses of networks, versions, paths of object identifiers: small numbers with points. */
  #isAddress(last: number): boolean {
    for (let i = 0; i < last; i++) if (this.#gap(i) !== '.' || this.#size(i) > 3) return false
    return last === 3
  }

  /** `302-1234567-1234567`, as a large shop numbers its orders. */
  #isOrder(last: number): boolean {
    return last === 2 && this.#size(0) === 3 && this.#size(1) === 7 && this.#size(2) === 7
  }

  #judge(first: number, last: number): CardBrand | null {
    const card = cardOf(this.#number(first, last))
    return card === null ? null : this.#weigh(card, this.#start(first), this.#end(last))
  }

  #number(first: number, last: number): string {
    return this.#digits.slice(this.#offsets[first], this.#offsets[last]! + this.#size(last))
  }

  #add(start: number, end: number, brand: CardBrand, tailEnd: number): void {
    this.#found.push({ start, end, brand, tailEnd })
  }

  /** By what stands around a number that is a card's: the brand, or null where it is something else. */
  #weigh(card: CardMatch, start: number, end: number): CardBrand | null {
    const stands = card.isSure && !(this.#heedsLabels && isLabelled(this.#text, start, end))
    if (!stands && !this.#words.isNear(start, end)) return null
    return isPartOfMore(this.#text, start, end) ? null : card.brand
  }
}
