/**
 * Takes HTML out of a text, or makes it plain. The only door to sanitize-html. It knows no message and no transport: text
 * in, text out.
 *
 * What holds for every result, in every mode and form: no `<` in it can start a tag, a comment or an end tag, also when
 * other text is put behind it, but for the tags of elements that the operator allowed, which are closed and carry nothing
 * but a checked link; so it is inert in innerHTML, and a second run finds nothing to change. Character references (`&lt;`,
 * `&amp;`) and bare `&` are never touched: none can become an element, URLs stay as they are, and nothing is escaped twice.
 * Text without such a `<` stays byte for byte (but where any `<` stands, control characters go, and a `<` at the very end
 * gets a space).
 */
import sanitizeHtml from 'sanitize-html'
import type { MessagesConfig } from '../config/shape.ts'
import { replaceWords, safeLink, type WrittenHtml } from './kept-tags.ts'
import { MAX_TAGS, prepareMarkup } from './markup.ts'

type HtmlOutput = MessagesConfig['output']
/** Null: the text must not pass. */
export type HtmlFilter = (text: string) => string | null

const TAG_START = /<[a-zA-Z/!?]/
const TAG_STARTS = /<(?=[a-zA-Z/!?])/g
// They mean nothing in a message, and a service that drops them would turn `<\x01b>` into a tag. NEL (\x85) is a line break.
const CONTROLS = /[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]+/g

const OPTIONS: sanitizeHtml.IOptions = {
  allowedTags: [],
  allowedAttributes: {},
  disallowedTagsMode: 'discard',
  nonTextTags: ['script', 'style'],
  // prepareMarkup escaped the words; to decode and escape them again would cost most of the time.
  parser: { decodeEntities: false },
}
/** Kept elements within one another; what lies deeper loses its tags. */
const MAX_NESTING = 32

/**
 * The filter for one mode and form. `strip`: elements go, their words stay (script and style go with their content); what
 * only looks like a tag (`a<R b`, `<3`, `List<String>`) is words and stays. `escape`: everything stays, as plain text.
 * `allow`: like `strip`, but for the elements named, without attributes, `a` with a safe link. `reject`: null for a text with
 * markup; any other is treated like `strip` treats it.
 *
 * `html`: where a `<` must be defused, all `<` and `>` of the words become `&lt;` and `&gt;`: right in innerHTML, and as text
 * one sees the reference. `text`: such a `<` gets a space behind it (`a< R b`): it reads well as text and is inert in
 * innerHTML too, but code is no longer exact. Time is linear in the length.
 */
export function htmlFilter({
  html,
  output,
  allowTags,
}: Pick<MessagesConfig, 'html' | 'output' | 'allowTags'>): HtmlFilter {
  const kept = new KeptElements(html === 'allow' ? (allowTags ?? []) : [])
  return (text) => {
    if (text.indexOf('<') === -1) return text
    const readable = text.replace(CONTROLS, '')
    if (html === 'escape' || !TAG_START.test(readable)) return defuse(readable, output, true)
    const prepared = prepareMarkup(readable, kept.names)
    if (!prepared.hasMarkup) return defuse(readable, output, true)
    if (html === 'reject') return null
    if (html === 'allow' && prepared.isWhole) {
      const written = kept.keep(prepared.html, output)
      // A second run could not read more: then none are kept.
      if (written.tags <= MAX_TAGS) return written.html
    }
    const all = kept.names.size === 0 ? prepared : prepareMarkup(readable)
    return defuse(unescaped(sanitizeHtml(all.html, OPTIONS)), output, true)
  }
}

function defuse(words: string, output: HtmlOutput, isLast: boolean): string {
  const endsOpen = words.endsWith('<')
  // What a client puts behind a `<` at the very end could make it a tag; a space keeps `>_<` readable in every client.
  const ended = endsOpen && (isLast || output === 'text') ? `${words} ` : words
  // Before a kept tag: whoever takes that away later must not find another one.
  if (!TAG_START.test(ended) && !(endsOpen && !isLast)) return ended
  if (output === 'text') return ended.replace(TAG_STARTS, '< ')
  return ended.replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Exactly what prepareMarkup and sanitize-html escaped, in the order that cannot make one reference of another. */
function unescaped(escaped: string): string {
  return escaped.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

class KeptElements {
  readonly names: ReadonlySet<string>
  readonly #options: sanitizeHtml.IOptions

  constructor(names: readonly string[]) {
    this.names = new Set(names)
    this.#options = {
      ...OPTIONS,
      // A link is judged as a browser reads it.
      parser: { decodeEntities: true },
      allowedTags: [...names],
      allowedAttributes: { a: ['href', 'rel'] },
      allowedSchemes: ['http', 'https', 'mailto'],
      allowProtocolRelative: false,
      nestingLimit: MAX_NESTING,
      selfClosing: ['br', 'hr', 'wbr'],
      transformTags: { a: plainLink },
    }
  }

  keep(prepared: string, output: HtmlOutput): WrittenHtml {
    const html = sanitizeHtml(prepared, this.#options)
    return replaceWords(html, (words, isLast) => defuse(unescaped(words), output, isLast))
  }
}

function plainLink(_name: string, attributes: sanitizeHtml.Attributes): sanitizeHtml.Tag {
  const href = safeLink(attributes.href)
  if (href === null) return { tagName: 'a', attribs: {} }
  return { tagName: 'a', attribs: { href, rel: 'noopener noreferrer nofollow' } }
}
