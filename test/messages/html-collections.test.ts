/** The collections of hostile and of honest texts, through every mode and form; the browser's own word is in test/browser. */
import t from 'tap'
import type { MessagesConfig } from '../../src/config/shape.ts'
import { htmlFilter } from '../../src/messages/html.ts'
import { BENIGN_TEXTS, BY_LANGUAGE, CODE, MARKUP, WITH_REFERENCES } from './benign-texts.ts'
import { HOSTILE, HOSTILE_TEXTS } from './hostile-html.ts'

const LIVE = /<(?:[a-zA-Z/!?]|$)/
const OUTPUTS = ['html', 'text'] as const
const MODES = ['strip', 'escape', 'allow', 'reject'] as const
const allowTags: NonNullable<MessagesConfig['allowTags']> = [
  'a',
  'b',
  'br',
  'code',
  'em',
  'i',
  'li',
  'ol',
  'p',
  'pre',
  'ul',
]
const filter = (html: MessagesConfig['html'], output: MessagesConfig['output']) =>
  htmlFilter(html === 'allow' ? { html, output, allowTags } : { html, output })

/** Exactly the tags that `allow` may leave with the list above. */
const KEPT =
  /<(?:\/?(?:b|code|em|i|li|ol|p|pre|ul|a)|br \/|a href="(?:https?:\/\/|mailto:)[^"<>\s]*" rel="noopener noreferrer nofollow"|\/a)>/g

t.test('the collections are as large as they should be, and their texts differ', (t) => {
  t.ok(new Set(HOSTILE_TEXTS).size >= 500)
  t.ok(new Set(BENIGN_TEXTS).size >= 300)
  t.ok(Object.keys(BY_LANGUAGE).length >= 20)
  t.ok(HOSTILE.every((each) => each.source !== '' && each.texts.length >= 10))
  t.end()
})

for (const mode of MODES) {
  t.test(`${mode}: no hostile text keeps a tag, and a second run changes nothing`, (t) => {
    for (const output of OUTPUTS) {
      const clean = filter(mode, output)
      for (const text of HOSTILE_TEXTS) {
        const once = clean(text)
        if (once === null) {
          if (mode !== 'reject') t.fail(`refused: ${JSON.stringify(text)}`)
          continue
        }
        const words = mode === 'allow' ? once.replace(KEPT, '') : once
        if (LIVE.test(words)) t.fail(`${output}: ${JSON.stringify(text)} became ${JSON.stringify(once)}`)
        if (clean(once) !== once) t.fail(`${output}: changed again: ${JSON.stringify(text)}`)
      }
    }
    t.end()
  })
}

t.test('reject refuses what has an element, and nothing honest', (t) => {
  for (const output of OUTPUTS) {
    const clean = filter('reject', output)
    for (const text of BENIGN_TEXTS) if (clean(text) === null) t.fail(`refused: ${JSON.stringify(text)}`)
    for (const { title, texts } of HOSTILE) {
      if (title.startsWith('character') || title.startsWith('letters')) continue
      const refused = texts.filter((text) => clean(text) === null).length
      t.ok(refused >= texts.length * 0.8, `${title}: ${refused} of ${texts.length}`)
    }
  }
  t.end()
})

/** What a browser shows of words that were escaped: they hold no other reference. */
const shown = (html: string): string => html.replaceAll('&lt;', '<').replaceAll('&gt;', '>')
/** The form `text` puts a space behind a `<` that could start a tag, and every form behind one at the end. */
const spaced = (text: string): string => text.replace(/<(?=[a-zA-Z/!?]|$)/g, '< ')
const ended = (text: string): string => text.replace(/<$/, '< ')

for (const mode of MODES) {
  t.test(`${mode}: honest texts keep every word`, (t) => {
    const [html, text] = [filter(mode, 'html'), filter(mode, 'text')]
    for (const words of BENIGN_TEXTS) {
      const asHtml = html(words)
      if (asHtml === null || shown(asHtml) !== ended(words)) t.equal(asHtml, words)
      if (text(words) !== spaced(words)) t.equal(text(words), spaced(words))
      if (!LIVE.test(words)) t.ok(asHtml === words && text(words) === words, 'byte for byte')
    }
    for (const words of WITH_REFERENCES) t.equal(shown(html(words)!), shown(ended(words)))
    t.end()
  })
}

t.test('escape keeps code whole, markup too', (t) => {
  const clean = filter('escape', 'html')
  for (const words of [...CODE, ...MARKUP]) t.equal(shown(clean(words)!), words)
  t.end()
})

t.test('bidirectional controls and invisible letters stay: they are part of honest texts', (t) => {
  const invisible = '\u200b \u200c \u200d \u200e \u200f \u2060 \ufeff \u00ad \u061c'
  const bidi = '\u202aa\u202c \u202bb\u202c \u202dc\u202c \u202ed\u202c \u2066e\u2069 \u2067f\u2069 \u2068g\u2069'
  for (const mode of MODES) for (const text of [invisible, bidi]) t.equal(filter(mode, 'html')(text), text)
  t.end()
})
