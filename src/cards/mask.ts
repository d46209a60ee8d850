/**
 * Masks payment cards in a text, and removes verification codes and track data: every hidden digit becomes an asterisk,
 * everything else stays. It knows no message, no log and no transcript.
 */
import { type CardBrand, LEAST_DIGITS } from './brands.ts'
import { type FoundCard, findCards } from './find.ts'
import { type Depth, depthOf } from './percent-escapes.ts'
import { countDigits, type PlainDigits, plainDigits } from './plain-digits.ts'
import { findSecrets, mayHoldSecrets, type Secret } from './secret-codes.ts'

/** What of a number may still be read. `first6last4` shows the last four only where the number is short. */
export type ShownDigits = 'last4' | 'first6last4'

/** How many asterisks a digit becomes: one, or as many as it had bytes of UTF-8, or code units. */
export type Width = 'one' | 'bytes' | 'units'

/** Told once for every card, or for codes and tracks, that were hidden. */
export type OnHidden = (what: CardBrand | 'code' | 'track') => void

const LEAST_CODE_DIGITS = 3
const LEAST_FOR_FIRST = 15
/** What is masked in one round can, with what stands beside it, look like a card in the next. */
const MOST_ROUNDS = 8
const HIDE = 1
const DROP = 2

/** The text with its cards masked; the very string that came where there is none. Masking twice changes nothing more. */
export function maskCardData(text: string, shown: ShownDigits, onHidden: OnHidden, width: Width = 'one'): string {
  let masked = text
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const digits = countDigits(masked, LEAST_DIGITS)
    if (digits < LEAST_CODE_DIGITS || (digits < LEAST_DIGITS && !mayHoldSecrets(masked))) return masked
    const mayHoldCards = digits >= LEAST_DIGITS
    let next = maskOnce(masked, 0, mayHoldCards, shown, onHidden, width)
    // A page may decode escapes or show them as they are: neither may find a card.
    const depth = depthOf(next)
    if (depth > 0) next = maskOnce(next, 1, mayHoldCards, shown, onHidden, width)
    if (depth > 1) next = maskOnce(next, 2, mayHoldCards, shown, onHidden, width)
    if (next === masked) return masked
    masked = next
  }
  return masked
}

/** The text with every card and track replaced. For logs: nothing of a number is needed there, whatever stands before it. */
export function replaceCardData(text: string, by: string): string {
  if (countDigits(text, LEAST_DIGITS) < LEAST_DIGITS) return text
  const depth = depthOf(text)
  let replaced = replaceIn(text, plainDigits(text), by)
  if (depth > 0) replaced = replaceIn(replaced, plainDigits(replaced, 1), by)
  return depth > 1 ? replaceIn(replaced, plainDigits(replaced, 2), by) : replaced
}

function replaceIn(text: string, plain: PlainDigits, by: string): string {
  const spans = cardSpans(plain.text, false)
  let result = ''
  let from = 0
  for (const { start, end } of spans) {
    const at = startOf(plain, start)
    if (at >= from) result += text.slice(from, at) + by
    from = Math.max(from, endOf(plain, end - 1))
  }
  return result + text.slice(from)
}

/** True where a card, or the data of a track, stands in the text. */
export function holdsCard(text: string): boolean {
  if (countDigits(text, LEAST_DIGITS) < LEAST_DIGITS) return false
  const depth = depthOf(text)
  const isIn = (each: Depth): boolean => cardSpans(plainDigits(text, each).text, true).length > 0
  return isIn(0) || (depth > 0 && isIn(1)) || (depth > 1 && isIn(2))
}

interface Span {
  readonly start: number
  readonly end: number
}

function cardSpans(plain: string, heedsLabels: boolean): Span[] {
  const cards = findCards(plain, heedsLabels)
  const spans: Span[] = cards.map(({ start, tailEnd }) => ({ start, end: tailEnd }))
  for (const secret of findSecrets(plain, cards)) if (secret.kind === 'track') spans.push(secret)
  return spans.sort((a, b) => a.start - b.start)
}

function maskOnce(
  text: string,
  depth: Depth,
  mayHoldCards: boolean,
  shown: ShownDigits,
  onHidden: OnHidden,
  width: Width,
): string {
  const plain = plainDigits(text, depth)
  const cards = mayHoldCards ? findCards(plain.text) : []
  const secrets = cards.length > 0 || mayHoldSecrets(plain.text) ? findSecrets(plain.text, cards) : []
  if (cards.length === 0 && secrets.length === 0) return text
  const marks = new Uint8Array(plain.text.length)
  for (const card of cards) {
    markCard(marks, plain.text, card, shown)
    onHidden(card.brand)
  }
  for (const secret of secrets) {
    markSecret(marks, plain.text, secret)
    onHidden(secret.kind)
  }
  return write(text, plain, marks, width)
}

function markCard(marks: Uint8Array, text: string, card: FoundCard, shown: ShownDigits): void {
  const places: number[] = []
  for (let i = card.start; i < card.end; i++) if (isDigit(text, i)) places.push(i)
  const first = shown === 'first6last4' && places.length >= LEAST_FOR_FIRST ? 6 : 0
  for (let i = first; i < places.length - 4; i++) marks[places[i]!] = HIDE
  for (let i = card.end; i < card.tailEnd; i++) if (isDigit(text, i)) marks[i] = HIDE
}

function markSecret(marks: Uint8Array, text: string, secret: Secret): void {
  for (let i = secret.start; i < secret.end; i++) {
    if (secret.kind === 'track') marks[i] = DROP
    else if (isDigit(text, i)) marks[i] = HIDE
  }
}

/** Signs and names of a track go too. */
function write(text: string, plain: PlainDigits, marks: Uint8Array, width: Width): string {
  let result = ''
  let from = 0
  for (let i = 0; i < marks.length; i++) {
    if (marks[i] === 0) continue
    const start = startOf(plain, i)
    const end = endOf(plain, i)
    result += text.slice(from, start) + '*'.repeat(widthOf(text, start, end, width))
    from = end
  }
  return result + text.slice(from)
}

function widthOf(text: string, start: number, end: number, width: Width): number {
  if (width === 'one') return 1
  return width === 'units' ? end - start : Buffer.byteLength(text.slice(start, end))
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 48 && code <= 57
}

function startOf(plain: PlainDigits, at: number): number {
  return plain.starts === null ? at : plain.starts[at]!
}

function endOf(plain: PlainDigits, at: number): number {
  return plain.ends === null ? at + 1 : plain.ends[at]!
}
