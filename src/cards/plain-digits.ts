/**
 * A text as a search for numbers wants it: digits of all scripts as ASCII, spaces and dashes of all kinds as one, invisible
 * characters and markup gone, and the way back to the places in the text. It knows no card.
 */
import { type Depth, unescapeAt } from './percent-escapes.ts'

export interface PlainDigits {
  readonly text: string
  /** Where each character of `text` stands in the source; null where both are the same. */
  readonly starts: Int32Array | null
  readonly ends: Int32Array | null
}

const NOT_PLAIN = /[^\x20-\x3b\x3d-\x7e\t\r\n]|&|<|\\[nrtu]/
/** What a page shows as one character: references, tags (but for ones with numbers in them), and escapes of JSON text. */
const WRITTEN =
  /&#x0{0,8}([0-9a-f]{1,6});?|&#0{0,8}(\d{1,7});?|&(nbsp|ensp|emsp|thinsp|shy|zwj|zwnj|ndash|mdash|minus|hyphen|lt|sol|period|middot);|\\u([0-9a-f]{4})|\\[nrt]|< ?\/?[a-z!][a-z0-9]{0,12}[^<>\d]{0,96}>/iy
const TAG_BEHIND = / ?\/?[a-z!][a-z0-9]{0,12}[^<>&\d]{0,64}&gt;/iy
const NAMED: Readonly<Record<string, string>> = {
  shy: '',
  zwj: '',
  zwnj: '',
  ndash: '-',
  mdash: '-',
  minus: '-',
  hyphen: '-',
  lt: '<',
  sol: '/',
  period: '.',
  middot: '.',
}
const DIGIT = /\p{Nd}/u
const OTHER_DIGIT = /(?![0-9])[\p{Nd}\p{No}〇零一-九]/u
const SPACE = /[\p{Zs}\p{Zl}\p{Zp}\x85\v\f\u2800\u3164\u115f\u1160\uffa0]/u
const DASH = /[\p{Pd}\u2212\u02d7\u2043\u2500\u2501\u30fc\uff70]/u
const DOT = /[\u00b7\u2022\u2024\u2027\u2219\u22c5\u30fb\uff0e\uff61\u3002\u2981]/
const SLASH = /[\u2044\u2215\uff0f]/
/** Invisible, or standing on another character: formats, marks, keycaps, variation selectors. */
const NOTHING = /[\p{Cf}\p{Mn}\p{Me}\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]/u
const HAN = '〇一二三四五六七八九'
const MATHEMATICAL = 0x1d7ce

const MAY_BE_DIGIT = /[0-9\u0080-\uffff]/g
const ASCII_DIGIT = /[0-9]/g

/** Digits in a text, of any script, up to `enough`. Cheap for ASCII. */
export function countDigits(text: string, enough: number): number {
  let found = 0
  MAY_BE_DIGIT.lastIndex = 0
  while (found < enough && MAY_BE_DIGIT.test(text)) {
    if (text.charCodeAt(MAY_BE_DIGIT.lastIndex - 1) > 127) return countOfAnyScript(text, enough)
    found++
  }
  return found
}

function countOfAnyScript(text: string, enough: number): number {
  let found = 0
  ASCII_DIGIT.lastIndex = 0
  while (found < enough && ASCII_DIGIT.test(text)) found++
  if (found === enough || !OTHER_DIGIT.test(text)) return found
  for (const each of text) {
    const code = each.codePointAt(0)!
    if (code > 127 && digitOf(code, each) !== -1 && ++found === enough) return enough
  }
  return found
}

/** Linear in the length. Percent escapes are read as what they stand for where the text is decoded so often. */
export function plainDigits(text: string, depth: Depth = 0): PlainDigits {
  if (depth === 0 && !NOT_PLAIN.test(text)) return { text, starts: null, ends: null }
  const starts = new Int32Array(text.length)
  const ends = new Int32Array(text.length)
  let plain = ''
  let count = 0
  let i = 0
  while (i < text.length) {
    const code = text.codePointAt(i)!
    let end = i + (code > 0xffff ? 2 : 1)
    let shown: string
    if (code === 38 || code === 60 || code === 92) {
      WRITTEN.lastIndex = i
      const found = WRITTEN.exec(text)
      if (found !== null) end = WRITTEN.lastIndex
      shown = found === null ? text[i]! : meant(found)
      if (shown === '<') {
        TAG_BEHIND.lastIndex = end
        if (TAG_BEHIND.test(text)) {
          end = TAG_BEHIND.lastIndex
          shown = ' '
        }
      }
    } else {
      const unescaped = depth > 0 && code === 37 ? unescapeAt(text, i, depth) : null
      if (unescaped !== null) end = unescaped.end
      shown = shownOf(unescaped?.code ?? code)
    }
    if (shown !== '') {
      starts[count] = i
      ends[count++] = end
      plain += shown
    }
    i = end
  }
  return { text: plain, starts, ends }
}

function meant(found: RegExpExecArray): string {
  const [whole, hex, decimal, name, escaped] = found
  if (name !== undefined) return NAMED[name.toLowerCase()] ?? ' '
  if (whole.startsWith('<')) return ' '
  if (hex === undefined && decimal === undefined && escaped === undefined) return whole === '\\t' ? ' ' : '\n'
  const code = decimal === undefined ? Number.parseInt((hex ?? escaped)!, 16) : Number(decimal)
  return code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? '\ufffd' : shownOf(code)
}

const KNOWN = new Map<number, string>()
const MOST_KNOWN = 4096

/** The ASCII character that a code point stands for; '' for what nobody sees, itself or U+FFFD for all others. */
function shownOf(code: number): string {
  if (code >= 32 && code < 127) return String.fromCharCode(code)
  if (code === 9 || code === 10 || code === 13) return code === 9 ? ' ' : '\n'
  let shown = KNOWN.get(code)
  if (shown === undefined) {
    shown = classify(code)
    // Whoever fills it with rare characters must not make common ones slow for good.
    if (KNOWN.size === MOST_KNOWN) KNOWN.clear()
    KNOWN.set(code, shown)
  }
  return shown
}

function classify(code: number): string {
  if (code >= 0xd800 && code <= 0xdfff) return '\ufffd'
  const each = String.fromCodePoint(code)
  const digit = digitOf(code, each)
  if (digit !== -1) return String(digit)
  if (code > 0xff00 && code < 0xff5f) return String.fromCharCode(code - 0xfee0)
  if (SPACE.test(each)) return ' '
  if (DASH.test(each)) return '-'
  if (DOT.test(each)) return '.'
  if (SLASH.test(each)) return '/'
  if (NOTHING.test(each)) return ''
  return each.length === 1 ? each : '\ufffd'
}

/** The value of a digit of any script, -1 for what is none. Also circled, raised and Han digits. */
function digitOf(code: number, each: string): number {
  if (code < 128) return code >= 48 && code <= 57 ? code - 48 : -1
  if (code >= MATHEMATICAL && code < MATHEMATICAL + 50) return (code - MATHEMATICAL) % 10
  if (DIGIT.test(each)) {
    // Unicode keeps decimal digits in blocks of ten, zero first.
    let zero = code
    while (code - zero < 9 && DIGIT.test(String.fromCodePoint(zero - 1))) zero--
    return code - zero
  }
  if (code === 0x96f6) return 0
  const han = HAN.indexOf(each)
  if (han !== -1) return han
  for (const one of [0x2776, 0x2780, 0x278a, 0x24f5]) if (code >= one && code < one + 9) return code - one + 1
  if (code === 0x24ff || code === 0x1f10b || code === 0x1f10c) return 0
  if (!/\p{No}/u.test(each)) return -1
  const folded = each.normalize('NFKC')
  return /^\d[.,]?$/.test(folded) ? folded.charCodeAt(0) - 48 : -1
}
