/**
 * Decides what in a text is markup and what only looks like it (`a<R b`, `</3`, `<https://example.com>`), and escapes the
 * latter, so that an HTML parser loses no words. Safety does not rest on it: whoever uses it defuses what is left.
 */

import { readsLikeAttributes } from './attributes.ts'

/** Over this the text is no chat message: what follows is kept as words. Bounds the work of the HTML parser. */
export const MAX_TAGS = 1000
/** Characters that may be looked at for each one of the text; after that every `<` is words. Keeps the work linear. */
const MAX_WORK = 16

const set = (names: string): ReadonlySet<string> => new Set(names.split(' '))

const ELEMENTS = set(
  'a abbr acronym address animate animatemotion animatetransform annotation annotation-xml applet area article aside audio b base basefont bdi bdo bgsound big blink blockquote body br button canvas caption center circle cite clippath code col colgroup command content data datalist dd defs del desc details dfn dialog dir div dl dt element ellipse em embed fieldset figcaption figure filter font footer foreignobject form frame frameset g h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe image img input ins isindex kbd keygen label layer legend li line lineargradient link listing main map mark marker marquee mask math menu menuitem meta metadata meter mfrac mglyph mi mn mo mover mpath mrow ms mspace msqrt mstyle msub msup mtable mtext munder multicol nav nextid nobr noembed noframes noscript object ol optgroup option output p param path pattern picture plaintext polygon polyline portal pre progress q rb rect rp rt rtc ruby s samp script search section select semantics set shadow slot small source spacer span stop strike strong style sub summary sup svg switch symbol table tbody td template text textarea textpath tfoot th thead time title tr track tspan tt u ul use var video wbr xml xmp xss',
)
/** A parser reads what stands in them as text: their tags are left out, so that their words are cleaned like any others. */
const RAW_TEXT = set('iframe listing noembed noframes noscript plaintext textarea title xmp')
/** Elements that programs have types of. */
const TYPES = set('data filter image line map object param path set source symbol text time')
const NEVER_ENDED = set('br hr img input li wbr')
/** They separate words: `a<br>b` is two. */
const BREAKS = set(
  'address article aside blockquote br caption center dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol option p pre section table td textarea th title tr ul',
)

/** Longer names are no element's, and are not read to their end. */
const MAX_NAME = 64
const NAME = /[a-z][^\t\n\f\r />]{0,63}/iy
const PLAIN_NAME = /^[a-z][a-z0-9:_-]*$/
const CAPITAL = /^[A-Z][a-z]*$/
const END_NAMES = /<\/([a-z][a-z0-9:_-]*)/gi

/** HTML source in which every `<` that is left opens markup; text in it has `&` and other `<` escaped. */
export interface PreparedMarkup {
  readonly html: string
  readonly hasMarkup: boolean
  /** False where a bound ended the reading: the rest is words. */
  readonly isWhole: boolean
  /** Characters looked at. */
  readonly work: number
}

const NONE: ReadonlySet<string> = new Set()

/** Prepares a text that may hold markup. Where elements are `kept`, only their tags stand in the result. Linear in its length. */
export function prepareMarkup(text: string, kept = NONE): PreparedMarkup {
  const scan = new MarkupScan(text, kept)
  const mostWork = MAX_WORK * (text.length + 64)
  let from = 0
  let at = text.indexOf('<')
  while (at !== -1 && scan.tags < MAX_TAGS && scan.work < mostWork) {
    const end = scan.markupEnd(at)
    if (end === -1) {
      at = text.indexOf('<', at + 1)
      continue
    }
    scan.words(from, at)
    scan.markup(at, end)
    from = end
    at = text.indexOf('<', end)
  }
  scan.words(from, text.length)
  return { html: scan.html, hasMarkup: scan.tags > 0, isWhole: at === -1, work: scan.work }
}

class MarkupScan {
  html = ''
  tags = 0
  /** Characters looked at. */
  work = 0
  readonly #text: string
  readonly #kept: ReadonlySet<string>
  /** Unknown names of which an end tag stands in the text; collected when first needed. */
  #ended: Set<string> | null = null
  /** Unknown names that were taken for markup: their end tags are markup too. */
  readonly #opened: Set<string> = new Set()
  #name = ''
  #breaks = false
  #endsInSpace = true

  constructor(text: string, kept: ReadonlySet<string>) {
    this.#text = text
    this.#kept = kept
  }

  words(from: number, to: number): void {
    if (from === to) return
    const words = this.#text.slice(from, to)
    if (this.#breaks && !this.#endsInSpace && !/^\s/.test(words)) this.html += ' '
    this.#breaks = false
    this.#endsInSpace = /\s$/.test(words)
    this.html += words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  }

  markup(from: number, to: number): void {
    this.tags++
    if (BREAKS.has(this.#name) && !this.#kept.has(this.#name)) this.#breaks = true
    // What an element that goes would close or open must not be seen: a second reading does not see it either.
    const stays = this.#kept.size === 0 ? !RAW_TEXT.has(this.#name) : this.#kept.has(this.#name)
    if (stays) this.html += this.#text.slice(from, to)
  }

  /** Where the markup that begins with the `<` at `at` ends; -1 when it is words. */
  markupEnd(at: number): number {
    const next = this.#text.charCodeAt(at + 1)
    this.#name = ''
    if (next === 33 /* ! */) return this.#declarationEnd(at)
    if (next === 63 /* ? */) return isLetter(this.#text.charCodeAt(at + 2)) ? this.#after('>', at + 2) : -1
    if (next === 47 /* / */) return isLetter(this.#text.charCodeAt(at + 2)) ? this.#endTagEnd(at) : -1
    return isLetter(next) ? this.#startTagEnd(at) : -1
  }

  #declarationEnd(at: number): number {
    const text = this.#text
    if (text.startsWith('--', at + 2)) {
      if (text.startsWith('>', at + 4)) return at + 5
      if (text.startsWith('->', at + 4)) return at + 6
      return this.#after('-->', at + 4)
    }
    const next = text.charCodeAt(at + 2)
    if (next === 91 /* [ */) return this.#after(text.startsWith('[CDATA[', at + 2) ? ']]>' : '>', at + 3)
    return isLetter(next) ? this.#after('>', at + 3) : -1
  }

  #after(what: string, from: number): number {
    const found = this.#text.indexOf(what, from)
    this.work += (found === -1 ? this.#text.length : found) - from
    return found === -1 ? -1 : found + what.length
  }

  #endTagEnd(at: number): number {
    const name = this.#readName(at + 2)
    if (!ELEMENTS.has(name) && !this.#opened.has(name)) return -1
    return this.#tagEnd(at + 2 + name.length)
  }

  #startTagEnd(at: number): number {
    const text = this.#text
    const name = this.#readName(at + 1)
    if (name.length === MAX_NAME || !PLAIN_NAME.test(name) || name.endsWith(':')) return -1
    const end = this.#tagEnd(at + 1 + name.length)
    if (end === -1) return -1
    const rest = text.slice(at + 1 + name.length, end - 1)
    if (ELEMENTS.has(name)) {
      if (isComparison(name, rest) || (rest === '' && this.#isParameter(at, end))) return -1
      return name === 'script' || name === 'style' ? this.#contentEnd(name, end) : end
    }
    if (!this.#hasEnd(name) && !readsLikeAttributes(rest)) return -1
    this.#opened.add(name)
    return end
  }

  /** `Partial<B>`, `Promise<object>`: a type behind a word, never ended. */
  #isParameter(at: number, end: number): boolean {
    if (at === 0 || !/\w/.test(this.#text[at - 1]!)) return false
    const name = this.#name
    const isType = TYPES.has(name) || (CAPITAL.test(this.#text.slice(at + 1, end - 1)) && !NEVER_ENDED.has(name))
    return isType && !this.#hasEnd(name)
  }

  #readName(at: number): string {
    NAME.lastIndex = at
    const found = NAME.exec(this.#text)
    const name = found === null ? '' : found[0].toLowerCase()
    this.#name = name
    // A name whose lower-case form has another length (`İ`) is no element's; positions stay right.
    return found !== null && name.length !== found[0].length ? found[0] : name
  }

  #hasEnd(name: string): boolean {
    if (this.#ended === null) {
      this.#ended = new Set()
      for (const found of this.#text.matchAll(END_NAMES)) this.#ended.add(found[1]!.toLowerCase())
    }
    return this.#ended.has(name)
  }

  /** Script and style go with their content. Without an end tag only the tag goes, and the words stay. */
  #contentEnd(name: string, from: number): number {
    const end = name === 'script' ? /<\/script[\t\n\f\r />]/gi : /<\/style[\t\n\f\r />]/gi
    end.lastIndex = from
    const found = end.exec(this.#text)
    const close = found === null ? -1 : this.#text.indexOf('>', found.index)
    if (close !== -1) return close + 1
    this.work += this.#text.length - from
    this.#name = 'plaintext'
    return from
  }

  /** After the `>` that ends a tag, as a browser sees it: quotes count only around an attribute's value (HTML, 13.2.5). */
  #tagEnd(from: number): number {
    const text = this.#text
    let valueNext = false
    for (let i = from; i < text.length; i++) {
      const c = text.charCodeAt(i)
      if (c === 62 /* > */) {
        this.work += i - from
        return i + 1
      }
      if (c === 61 /* = */) valueNext = true
      else if (valueNext && (c === 34 || c === 39) /* quotes */) {
        i = text.indexOf(c === 34 ? '"' : "'", i + 1)
        if (i === -1) break
        valueNext = false
      } else if (c !== 32 && c !== 9 && c !== 10 && c !== 12 && c !== 13) valueNext = false
    }
    this.work += text.length - from
    return -1
  }
}

/** `a<b and c>d`: bare words behind one letter; `size<data && x>y`: an operator where attributes should be. */
function isComparison(name: string, rest: string): boolean {
  if (!/^\s+[^\s/]/.test(rest)) return false
  return (name.length === 1 || /^[\s\w.]*(?:&&|\|\|)/.test(rest)) && !readsLikeAttributes(rest)
}

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90)
}
