/**
 * What stands around a number: words about a card, a label that says it is something else (order, parcel, phone), or a larger
 * whole that it is a part of (IBAN, UUID, hash). Looks no further than a few dozen characters.
 */

const BEFORE = 48
const BEHIND = 32
const MOST_TOKEN = 64
const LONGEST_WORD = 24
const LETTER = /[A-Za-z]/

const CARD_WORD =
  /card|kart|carte|carta|cart[aã]o|tarjeta|kredit|credit|credito|débit|debit|visa|maestro|amex|american express|diners|discover|union ?pay|rupay|troy|verve|\bmir\b|\bmc\b|卡|カード|카드|بطاق|карт|κάρτ|कार्ड|บัตร|כרטיס|\bkort|kaart|thẻ|\bpan\b|\bcc\b|\bccn\b|\bcv[vcn]|\bexp|expir|valid (?:thru|until|to)|gültig|ablauf|\b(?:0[1-9]|1[0-2])\s?\/\s?(?:20)?[2-4]\d\b|security code|sicherheitscode/i

/** Things that have numbers in groups as cards have them. */
const GOODS = String.raw`orders?|bestell\p{L}*|auftrags?\p{L}*|tracking|track|sendungs?\p{L}*|shipment|parcel|paket\p{L}*|package|waybill|consignment|awb|imei\p{L}*|iccid|meid|esn|udid|serial|serien\p{L}*|isbn|ean|gtin|upc|sku|asin|barcode|article|artikel\p{L}*|invoice|rechnungs?\p{L}*|factura|facture|fattura|commande|pedido|envío|envio|suivi|seguimiento|colis|ordine|spedizione|rastreo|заказ\p{L}*|трек\p{L}*|посылк\p{L}*|sipariş\p{L}*|kargo\p{L}*|zamówieni\p{L}*|przesyłk\p{L}*|bestilling\p{L}*|订单\p{L}*|运单\p{L}*|快递\p{L}*|単号|注文\p{L}*`
/** Things whose numbers nobody writes in a card's groups. */
const OTHERS = String.raw`ticket|case|reference|referenz\p{L}*|referencia|référence|ref|customer|kunden\p{L}*|cliente?|iban|vat|ust\p{L}*|tax|steuer\p{L}*|transaction|transaktions?\p{L}*|txn|booking|buchungs?\p{L}*|reservation|session|request|trace|span|uuid|guid|contract|vertrags?\p{L}*|policy|id|hash|nonce|seed|commit|build|phone|telephone|tel|telefon\p{L}*|telefono|teléfono|téléphone|mobile|mobil\p{L}*|cell|handy\p{L}*|fon|fax|whats ?app|call(?: me)?(?: (?:at|on))?|timestamps?|телефон\p{L}*|电话`
const ENDING = String.raw`(?:[ _-]?(?:numbers?|no|nr|n|num|nbr|nummer|numéro|número|numero|номер|id|code|key|ref|numarası))?["')\]]{0,2}[\s.:：#=№°/-]{0,4}(?:(?:is|was|ist|war|lautet|est|es|è|é)\s{1,2})?["'([#]{0,2}$`
const label = (words: string): RegExp => new RegExp(`(?<![\\p{L}\\d])(?:${words})${ENDING}`, 'iu')
/** Each ends where the number begins. */
const GOODS_LABEL = label(GOODS)
const ANY_LABEL = label(`${GOODS}|${OTHERS}`)
const CURRENCY_BEFORE = /(?:[$€£¥₹₽₩₫]|\b(?:eur|usd|gbp|chf|jpy|inr|idr|vnd|krw|irr|rs)\.?)\s?$/i
const CURRENCY_BEHIND =
  /^\s?(?:[$€£¥₹₽₩₫]|(?:eur|usd|gbp|chf|jpy|inr|idr|vnd|krw|irr|dollars?|euros?|bytes|kb|ms|ns|µs)\b)/i

/** How far it looks at once, and how far back a later question may go. */
const AHEAD = 1024
const BACK = 128

/** Words about a card in one text. Asked from front to back it looks at each place about once. */
export class CardWords {
  readonly #text: string
  /** No such word begins between the two. */
  #from = 0
  #clearTo = 0

  constructor(text: string) {
    this.#text = text
  }

  /** True where one stands near the number between these places. */
  isNear(start: number, end: number): boolean {
    const text = this.#text
    const from = Math.max(0, start - BEFORE)
    const to = Math.min(text.length, end + BEHIND)
    if (from < this.#from || to > this.#clearTo) this.#look(Math.max(0, from - BACK), to + AHEAD)
    // A word that touches the number begins or ends where the number is taken away.
    const touches = LETTER.test(text.charAt(start - 1)) || LETTER.test(text.charAt(end))
    if (to <= this.#clearTo && !touches) return false
    return CARD_WORD.test(text.slice(from, start)) || CARD_WORD.test(text.slice(end, to))
  }

  #look(from: number, to: number): void {
    const found = this.#text.slice(from, to).search(CARD_WORD)
    this.#from = from
    // A word may reach over the end of what was looked at.
    this.#clearTo = found !== -1 ? from + found : to < this.#text.length ? to - LONGEST_WORD : this.#text.length
  }
}

/** True where a label directly before says what else the number is, or a currency that it is an amount. */
export function isLabelled(text: string, start: number, end: number): boolean {
  const before = text.slice(Math.max(0, start - BEFORE), start)
  // Groups are a card's own look: a word such as "id" does not outweigh them.
  const isLabel = (/^\d+$/.test(text.slice(start, end)) ? ANY_LABEL : GOODS_LABEL).test(before)
  return isLabel || CURRENCY_BEFORE.test(before) || CURRENCY_BEHIND.test(text.slice(end, end + 10))
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi
/** Cheap: what every one of them has in its middle. */
const UUID_MIDDLE = /-[0-9a-f]{4}-[0-9a-f]{4}-/i
const UUID_LENGTH = 36
const LONGEST_HEX_THAT_IS_NONE = 23

/** True for the digits of a larger whole: a UUID, an IBAN whose check digits are right, a hash, a mixed identifier. */
export function isPartOfMore(text: string, start: number, end: number): boolean {
  if (isInIban(text, start, end)) return true
  const around = text.slice(Math.max(0, start - UUID_LENGTH), end + UUID_LENGTH)
  if (UUID_MIDDLE.test(around) && covers(around, UUID, start - Math.max(0, start - UUID_LENGTH))) return true
  return isInToken(text, start, end)
}

function covers(around: string, pattern: RegExp, at: number): boolean {
  for (const found of around.matchAll(pattern)) {
    if (found.index <= at && found.index + found[0].length > at) return true
  }
  return false
}

/** `x8K4111...` is an identifier, `Visa4111...` and `4111...exp` are not: the letters next to the digits decide. */
function isInToken(text: string, start: number, end: number): boolean {
  const touchesBefore = start > 0 && LETTER.test(text[start - 1]!)
  const touchesBehind = end < text.length && LETTER.test(text[end]!)
  if (!touchesBefore && !touchesBehind) return false
  const before = /[A-Za-z0-9]*$/.exec(text.slice(Math.max(0, start - MOST_TOKEN), start))![0]
  const behind = /^[A-Za-z0-9]*/.exec(text.slice(end, end + MOST_TOKEN))![0]
  if (CARD_WORD.test(before) || CARD_WORD.test(behind)) return false
  if (/\d/.test(before) || /\d/.test(behind)) return true
  const rest = before + behind
  return /^[a-f]+$/i.test(rest) && rest.length + end - start > LONGEST_HEX_THAT_IS_NONE
}

/** Country and length (SWIFT IBAN registry). */
const IBAN_LENGTHS = new Map(
  'AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30'
    .match(/.{4}/g)!
    .map((each) => [each.slice(0, 2), Number(each.slice(2))]),
)
const IBAN_HEAD = /(?<![A-Za-z0-9])([A-Za-z]{2})\d{2}/g
const LONGEST_IBAN = 46
/** Cheap: without it there is none. */
const IBAN_MAYBE = /[A-Za-z]{2}\d{2}/

function isInIban(text: string, start: number, end: number): boolean {
  const from = Math.max(0, start - LONGEST_IBAN)
  const around = text.slice(from, end + LONGEST_IBAN)
  if (!IBAN_MAYBE.test(around)) return false
  for (const found of around.matchAll(IBAN_HEAD)) {
    const length = IBAN_LENGTHS.get(found[1]!.toUpperCase())
    if (length === undefined || from + found.index > start) continue
    let number = ''
    let at = found.index
    for (; at < around.length && number.length < length; at++) {
      const each = around[at]!
      if (/[A-Za-z0-9]/.test(each)) number += each
      else if (each !== ' ' && each !== '-' && each !== '.') break
    }
    if (number.length === length && from + at >= end && passesMod97(number.toUpperCase())) return true
  }
  return false
}

/** ISO 7064, MOD 97-10. */
function passesMod97(iban: string): boolean {
  let rest = 0
  for (const each of iban.slice(4) + iban.slice(0, 4)) {
    const value = each >= 'A' ? each.charCodeAt(0) - 55 : each.charCodeAt(0) - 48
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}
