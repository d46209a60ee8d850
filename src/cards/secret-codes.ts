/**
 * What may never be kept after a payment (PCI DSS 3.3): verification codes, PINs and the data of a magnetic track, found by
 * their labels, by their form, or by standing next to a card. It changes nothing.
 */
import { cardOf } from './brands.ts'
import type { FoundCard } from './find.ts'

/** In the plain text. */
export interface Secret {
  readonly start: number
  readonly end: number
  readonly kind: 'code' | 'track'
}

// Asterisks may be emphasis; three of them are a code that went already.
/** A date of expiry between a label and its code is none of it. */
const GAP =
  '(?:(?:0?[1-9]|1[0-2]) ?[/.-] ?(?:20)?[2-4]\\d(?=[^\\d/.-]{1,8}\\d{3})|[^\\d*{}]|\\*(?!\\*\\*)(?<!\\*\\*\\*)|\\d(?= ?-? ?(?:digit|stellig|chiffres|d[ií]gitos|cifre))){0,24}?'
const CODE = '(\\d ?\\d ?\\d(?: ?\\d)?)(?!\\d)'
/** Words that mean nothing else. */
const PLAIN_LABEL =
  'cvv2?|cvc2?|cvn2?|cav2|cvp2|card (?:verification|security) (?:code|value|number)|karten?pr(?:ü|ue)f(?:nummer|ziffer|code|zahl)|kartensicherheitscode'
/** Words that may mean a code for something else. */
const OTHER_LABEL =
  'security(?: (?:code|number|no|digits))?|c[ .-]{1,2}v[ .-]{1,2}[vc2]|sicherheits(?:code|nummer)|pr(?:ü|ue)f(?:nummer|ziffer|code)|verification(?: (?:code|value|number))?|verify|csc|cid|c[óo]digo de (?:seguridad|segurança)|code de s[ée]curit[ée]|cryptogramme|codice di sicurezza|veiligheidscode|kod bezpieczeństwa|güvenlik kodu|код безопасности|安全码|セキュリティコード|back of (?:the|my) card|(?:on|the) back|front of (?:the|my) card|(?:on|the) front|front (?:code|number)|(?:4|four)[ -]digits?|4[dc]bc|4csc|vierstellig\\p{L}{0,3}|pin(?: ?code)?|secret code|code'
const labelled = (labels: string): RegExp => new RegExp(`(?<![\\p{L}])(?:${labels})(?![\\p{L}])${GAP}${CODE}`, 'giu')
const PLAIN_CODE = labelled(PLAIN_LABEL)
const OTHER_CODE = labelled(`${PLAIN_LABEL}|${OTHER_LABEL}`)
const LABEL_BEHIND = new RegExp(
  `(?<![\\d.,/-])(\\d{3,4})(?!\\d)[ ([]{1,3}(?:(?:is|ist|est|es) (?:the |my |der |die |das )?)?(?:${PLAIN_LABEL}|security code|sicherheitscode|(?:front|back|amex|4.digit|four.digit) (?:code|number)|cid|on the (?:front|back))(?![\\p{L}]|[^\\p{L}\\d]{0,6}\\d)`,
  'giu',
)

/** ISO/IEC 7813: `%B number ^ name ^ date and more ?`, and `; number = date and more ?`. */
const TRACK_1 = /%?b ?\d(?: ?\d){11,18}\^[^^\n]{2,40}\^[\d ]{3,80}\??/gi
const TRACK_2 = /(?:[;%+]|(?<!\d))\d{12,19}[=dD]\d{4,}[\d=]{0,110}\??/g
const SENTINEL = /^[;%+b]/i

const MONTH =
  '(?:jan|ene|gen|f[eé]b|f[eé]v|m[aä]r|a[pbv]r|ma[iy]|mag|ju[nil]|giu|lug|aug|ago|ao[uû]|se[pt]|o[ckt]t|out|nov|d[eé][cz]|dic)\\p{L}{0,7}\\.?[ ,.-]{1,2}'
const DATE = `(?:${MONTH}|(?:0?[1-9]|1[0-2])[ ]?[/.\\-|: ]{0,2}[ ]?)(?:20)?[2-4]\\d(?!\\d)`
const BEHIND_DATE = new RegExp(
  `(?:[^\\d]{1,28}|)${DATE}[^\\d\\p{L}€$£]{1,8}(\\d{3,4})(?!\\d|[.,:/-]?\\d)(?!\\s?(?:€|eur|usd|\\$|£|%))`,
  'iuy',
)
const BEHIND_CARD = new RegExp(
  `[ ,;:|/\\n([-]{1,3}(\\d{3,4})(?=\\s*(?:$|[,;.)\\]|"\\n]|(?:exp\\p{L}*[^\\p{L}\\d]{0,3})?${DATE}))(?![.,]\\d)`,
  'iuy',
)

/** American Express's has four digits: what else would stand there is a year, or an amount. */
const BEHIND_AMEX =
  /[ ,;:|/\n([-]{1,3}(?!(?:19|20)\d\d)(\d{4})(?!\d|[.,:/-]\d|[ -]?\d|\s?(?:€|eur|usd|\$|£|%|\p{L}{0,2}\d))/iuy

/** Cheap: false where no card is known and no word of `findSecrets` can stand. */
export function mayHoldSecrets(text: string): boolean {
  return /c[va][vcnp]|verif|pr(?:ü|ue)f|kartens|security c|[;%+b]\d|\d[=d]\d|[\uff23\uff43][\uff36\uff56]/i.test(text)
}

/** Codes and tracks, given the cards that were found. Codes with labels of many meanings count only beside a card. */
export function findSecrets(text: string, cards: readonly FoundCard[]): Secret[] {
  const secrets: Secret[] = []
  tracks(text, TRACK_1, secrets)
  tracks(text, TRACK_2, secrets)
  codes(text, cards.length > 0 ? OTHER_CODE : PLAIN_CODE, secrets)
  if (cards.length === 0) return secrets
  codes(text, LABEL_BEHIND, secrets)
  for (const card of cards) {
    const isAmex = card.brand === 'amex'
    if (codeAt(text, BEHIND_DATE, card.tailEnd, 0, secrets)) continue
    if (codeAt(text, BEHIND_CARD, card.tailEnd, isAmex ? 4 : 3, secrets)) continue
    if (isAmex) codeAt(text, BEHIND_AMEX, card.tailEnd, 4, secrets)
  }
  return secrets.filter(({ start, kind }) => kind === 'track' || !isIn(cards, start))
}

/** The last four of a card with a label behind them are no code. */
function isIn(cards: readonly FoundCard[], at: number): boolean {
  let low = 0
  let high = cards.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (cards[middle]!.tailEnd > at) high = middle
    else low = middle + 1
  }
  return low < cards.length && cards[low]!.start <= at
}

function tracks(text: string, pattern: RegExp, secrets: Secret[]): void {
  for (const found of text.matchAll(pattern)) {
    const number = /\d[\d ]*/.exec(found[0])![0].replaceAll(' ', '')
    if (SENTINEL.test(found[0]) || cardOf(number) !== null) {
      secrets.push({ start: found.index, end: found.index + found[0].length, kind: 'track' })
    }
  }
}

function codes(text: string, pattern: RegExp, secrets: Secret[]): void {
  for (const found of text.matchAll(pattern)) {
    const code = found[1]!
    const start = pattern === LABEL_BEHIND ? found.index : found.index + found[0].length - code.length
    secrets.push({ start, end: start + code.length, kind: 'code' })
  }
}

/** `size` 0: any. */
function codeAt(text: string, pattern: RegExp, at: number, size: number, secrets: Secret[]): boolean {
  pattern.lastIndex = at
  const found = pattern.exec(text)
  if (found === null || (size !== 0 && found[1]!.length !== size)) return false
  const start = found.index + found[0].lastIndexOf(found[1]!)
  secrets.push({ start, end: start + found[1]!.length, kind: 'code' })
  return true
}
