/**
 * Takes HTML out of a text, or makes it plain. The only door to sanitize-html. It knows no message and no transport: text
 * in, text out.
 *
 * What holds for every result, in every mode and form: no `<` in it can start a tag, a comment or an end tag, also when
 * other text is put behind it; so it is inert in innerHTML, and a second run finds nothing to change. Character
 * references (`&lt;`, `&amp;`) and bare `&` are never touched: none can become an element, URLs stay as they are,
 * and nothing is escaped twice. Text without such a `<` stays
 * byte for byte (but where any `<` stands, control characters go, and a `<` at the very end gets a space).
 */
import sanitizeHtml from 'sanitize-html'
import { prepareMarkup } from './markup.ts'

export type HtmlMode = 'strip' | 'escape'
export type HtmlOutput = 'html' | 'text'

const TAG_START = /<[a-zA-Z/!?]/
const TAG_STARTS = /<(?=[a-zA-Z/!?])/g
// They mean nothing in a message, and a service that drops them would turn `<\x01b>` into a tag.
const CONTROLS = /[\x00-\x08\x0b\x0e-\x1f\x7f]+/g

const OPTIONS: sanitizeHtml.IOptions = {
  allowedTags: [],
  allowedAttributes: {},
  disallowedTagsMode: 'discard',
  nonTextTags: ['script', 'style'],
}

/**
 * The text without live HTML. `strip`: elements go, their words stay (script and style go with their content); what only
 * looks like a tag (`a<R b`, `<3`, `List<String>`) is words and stays. `escape`: everything stays, as plain text.
 *
 * `html`: where a `<` must be defused, all `<` and `>` become `&lt;` and `&gt;`: right in innerHTML, and as text one sees
 * the reference. `text`: such a `<` gets a space behind it (`a< R b`): it reads well as text and is inert in innerHTML too,
 * but code is no longer exact. Time is linear in the length.
 */
export function clean(text: string, mode: HtmlMode, output: HtmlOutput): string {
  if (text.indexOf('<') === -1) return text
  const readable = text.replace(CONTROLS, '')
  const words = mode === 'strip' && TAG_START.test(readable) ? strip(readable) : readable
  return defuse(words, output)
}

function defuse(words: string, output: HtmlOutput): string {
  // What a client puts behind a `<` at the very end could make it a tag; a space keeps `>_<` readable in every client.
  const ended = words.endsWith('<') ? `${words} ` : words
  if (!TAG_START.test(ended)) return ended
  if (output === 'text') return ended.replace(TAG_STARTS, '< ')
  return ended.replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function strip(text: string): string {
  const prepared = prepareMarkup(text)
  const escaped = prepared.hasMarkup ? sanitizeHtml(prepared.html, OPTIONS) : prepared.html
  // Exactly what prepareMarkup and sanitize-html escaped, in the order that cannot make one reference of another.
  return escaped.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}
