/**
 * A real browser's word on the HTML filter: what is left of the hostile texts makes no element, runs nothing and loads
 * nothing, in innerHTML and wherever else careless pages put text; the honest texts read back as they were written.
 */
import fc from 'fast-check'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { MessagesConfig } from '../../src/config/shape.ts'
import { htmlFilter } from '../../src/messages/html.ts'
import { BENIGN_TEXTS, CODE, MARKUP, WITH_REFERENCES } from '../messages/benign-texts.ts'
import { HOSTILE_TEXTS } from '../messages/hostile-html.ts'
import { launchBrowser } from './browser.ts'

const ORIGIN = 'http://page.example/'
const allowTags: NonNullable<MessagesConfig['allowTags']> = [
  ...([
    'a',
    'abbr',
    'b',
    'bdi',
    'blockquote',
    'br',
    'cite',
    'code',
    'dd',
    'del',
    'dl',
    'dt',
    'em',
    'h1',
    'h2',
    'hr',
    'i',
  ] as const),
  ...([
    'ins',
    'kbd',
    'li',
    'mark',
    'ol',
    'p',
    'pre',
    'q',
    's',
    'span',
    'strong',
    'sub',
    'sup',
    'u',
    'ul',
    'wbr',
  ] as const),
]
const filter = (html: MessagesConfig['html'], output: MessagesConfig['output']) =>
  htmlFilter(html === 'allow' ? { html, output, allowTags } : { html, output })

const browser = await launchBrowser()
t.teardown(() => browser.close())

interface Seen {
  readonly page: Page
  /** Everything the page asked for after it was opened, of which nothing is answered. */
  readonly requests: string[]
}

/** A page without any policy: what could run would. */
async function openPage(t: Test): Promise<Seen> {
  const context = await browser.newContext()
  t.teardown(() => context.close())
  const page = await context.newPage()
  const requests: string[] = []
  await page.route('**/*', (route) => {
    if (route.request().url() === ORIGIN)
      return route.fulfill({ contentType: 'text/html', body: '<!doctype html><div id=place></div>' })
    requests.push(route.request().url())
    return route.abort()
  })
  page.on('dialog', (dialog) => dialog.dismiss())
  await page.goto(ORIGIN)
  return { page, requests }
}

/** Elements that each text becomes in innerHTML of each kind of element, as `tag attribute=value`, once and after a second parse. */
const PARSE = `(texts, kinds) => texts.map((text) => {
  const found = []
  for (const kind of kinds) {
    const namespace = { svg: 'http://www.w3.org/2000/svg', math: 'http://www.w3.org/1998/Math/MathML' }[kind]
    const place = document.getElementById('place')
    const element = namespace ? document.createElementNS(namespace, kind) : document.createElement(kind)
    place.replaceChildren(element)
    for (let i = 0; i < 2; i++) {
      element.innerHTML = i === 0 ? text : element.innerHTML
      const root = element.content ?? element
      for (const each of root.querySelectorAll('*')) {
        found.push([each.localName, ...[...each.attributes].map((a) => a.name + '=' + a.value)].join(' '))
      }
      const walk = document.createTreeWalker(root, NodeFilter.SHOW_COMMENT | NodeFilter.SHOW_PROCESSING_INSTRUCTION)
      if (walk.nextNode()) found.push('#comment')
    }
  }
  return found
})`

const parse = (page: Page, texts: readonly string[], kinds: readonly string[]): Promise<string[][]> =>
  page.evaluate(`(${PARSE})(${JSON.stringify(texts)}, ${JSON.stringify(kinds)})`)

/** Long enough for an image's error, an animation, a focus: until an image that was put in last has failed. */
async function settle(page: Page): Promise<void> {
  await page.evaluate(`new Promise((done) => {
    const image = new Image()
    image.onerror = () => requestAnimationFrame(() => requestAnimationFrame(() => done(null)))
    image.src = '/settle.png'
  })`)
}

const isClean = async ({ page, requests }: Seen) => ({
  pwned: await page.evaluate('window.__pwned !== undefined'),
  url: page.url(),
  requests: requests.filter((url) => !url.endsWith('/settle.png')),
})
const CLEAN = { pwned: false, url: ORIGIN, requests: [] }

t.test('unfiltered, many of the texts run, load or make elements: the test would see it', async (t) => {
  const seen = await openPage(t)
  const found = await parse(seen.page, HOSTILE_TEXTS.slice(0, 200), ['div'])
  await settle(seen.page)
  const { pwned, requests } = await isClean(seen)
  t.equal(pwned, true)
  t.ok(requests.length > 0)
  t.ok(found.filter((each) => each.length > 0).length > 180)
})

for (const mode of ['strip', 'escape', 'reject'] as const) {
  t.test(`${mode}: no hostile text makes an element, wherever it is put`, async (t) => {
    for (const output of ['html', 'text'] as const) {
      const seen = await openPage(t)
      const clean = filter(mode, output)
      const results = HOSTILE_TEXTS.map(clean).filter((each) => each !== null)
      t.ok(results.length >= (mode === 'reject' ? 50 : 500))
      const kinds = ['div', 'p', 'table', 'select', 'svg', 'math', 'template', 'textarea', 'title', 'button', 'pre']
      for (const [i, found] of (await parse(seen.page, results, kinds)).entries()) {
        if (found.length > 0) t.fail(`${output}: ${JSON.stringify(results[i])} made ${found.join(', ')}`)
      }
      // As a list of messages that a page writes at once.
      const [whole] = await parse(seen.page, [results.join('')], ['div'])
      t.same(whole, [], 'nor all of them together')
      await settle(seen.page)
      t.same(await isClean(seen), CLEAN, `${output}: nothing ran, nothing was loaded`)
      for (const text of results) if (clean(text) !== text) t.fail(`changed again: ${JSON.stringify(text)}`)
    }
  })
}

const KEPT = new Set<string>(allowTags)
const LINK = /^a href=(?:https?:\/\/|mailto:)\S+ rel=noopener noreferrer nofollow$/

t.test('allow: only allowed elements are made, bare but for checked links', async (t) => {
  for (const output of ['html', 'text'] as const) {
    const seen = await openPage(t)
    const clean = filter('allow', output)
    const results = HOSTILE_TEXTS.map((each) => clean(each)!)
    const made = new Set<string>()
    for (const [i, found] of (
      await parse(seen.page, results, ['div', 'p', 'table', 'pre', 'svg', 'math', 'template'])
    ).entries()) {
      for (const each of found) {
        made.add(each)
        if (!KEPT.has(each) && !LINK.test(each)) t.fail(`${output}: ${JSON.stringify(results[i])} made ${each}`)
      }
    }
    t.ok(made.size > 5, 'some are kept')
    await settle(seen.page)
    t.same(await isClean(seen), CLEAN, `${output}: nothing ran, nothing was loaded`)
    for (const text of results) if (clean(text) !== text) t.fail(`changed again: ${JSON.stringify(text)}`)
  }
})

/** What a person reads of each text, by innerHTML and as plain text. */
const READ = `(texts) => texts.map((text) => {
  const place = document.getElementById('place')
  place.innerHTML = text
  const asHtml = place.textContent
  place.textContent = text
  return [asHtml, place.textContent]
})`
const read = (page: Page, texts: readonly string[]): Promise<[asHtml: string, asText: string][]> =>
  page.evaluate(`(${READ})(${JSON.stringify(texts)})`)

/** A `<` at the very end gets a space in every form. */
const ended = (text: string): string => text.replace(/<$/, '< ')
const spaced = (text: string): string => text.replace(/<(?=[a-zA-Z/!?]|$)/g, '< ')

for (const mode of ['strip', 'escape', 'allow', 'reject'] as const) {
  t.test(`${mode}: honest words read back`, async (t) => {
    const { page } = await openPage(t)
    const html = await read(
      page,
      BENIGN_TEXTS.map((each) => filter(mode, 'html')(each)!),
    )
    const text = await read(
      page,
      BENIGN_TEXTS.map((each) => filter(mode, 'text')(each)!),
    )
    for (const [i, words] of BENIGN_TEXTS.entries()) {
      if (html[i]![0] !== ended(words)) t.equal(html[i]![0], words, 'form html, in innerHTML')
      if (text[i]![0] !== spaced(words)) t.equal(text[i]![0], words, 'form text, in innerHTML')
      if (text[i]![1] !== spaced(words)) t.equal(text[i]![1], words, 'form text, as plain text')
      // The known limit: form html shown as plain text has &lt; where a tag could have started.
      if (!/<[a-zA-Z/!?]/.test(words) && html[i]![1] !== ended(words))
        t.equal(html[i]![1], words, 'form html, as plain text')
    }
    const references = await read(
      page,
      WITH_REFERENCES.map((each) => filter(mode, 'html')(each)!),
    )
    for (const [i, words] of WITH_REFERENCES.entries()) t.equal(references[i]![1], ended(words), 'as plain text')
  })
}

t.test('escape: code and markup read back in innerHTML', async (t) => {
  const { page } = await openPage(t)
  const texts = [...CODE, ...MARKUP]
  const found = await read(
    page,
    texts.map((each) => filter('escape', 'html')(each)!),
  )
  for (const [i, words] of texts.entries()) if (found[i]![0] !== words) t.equal(found[i]![0], words)
  t.ok(found.length > 70)
})

const PIECES = fc.oneof(
  fc.constantFrom(...allowTags.flatMap((name) => [`<${name}>`, `</${name}>`, `<${name} onclick=__pwned=1 x="`])),
  fc.constantFrom(
    ...[
      '<',
      '</',
      '>',
      '/',
      '=',
      '"',
      "'",
      '`',
      ' ',
      '\n',
      '!',
      '--',
      '?',
      'x',
      'B',
      'img',
      '😀',
      'א',
      '\u202e',
      '\u200b',
      '\u0085',
    ],
    ...[
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '<script>',
      '</script>',
      '<style>',
      '</style>',
      '<svg>',
      '</svg>',
      '<math>',
      '<mtext>',
    ],
    ...[
      '<table>',
      '<td>',
      '</table>',
      '<select>',
      '<option>',
      '<textarea>',
      '</textarea>',
      '<form>',
      '</form>',
      '<template>',
    ],
    ...[
      '<noscript>',
      '</noscript>',
      '<xmp>',
      '<plaintext>',
      '<title>',
      '<iframe>',
      '<img src=x onerror=__pwned=1>',
      '<mglyph>',
    ],
    ...[
      'img src=x onerror=__pwned=1>',
      'svg/onload=__pwned=1>',
      '<a href=javascript:__pwned=1>',
      '<x onfocus=__pwned=1 autofocus>',
    ],
  ),
)
const REFERENCES = fc.constantFrom(
  '&',
  '&lt;',
  '&lt',
  '&#60;',
  '&#60',
  '&#x3c;',
  '&amp;',
  '&amp;lt;',
  '&gt;',
  '\0',
  '\u0001',
  '\u0080',
)
const sample = (pieces: fc.Arbitrary<string>): string[] =>
  fc.sample(
    fc.array(pieces, { maxLength: 16 }).map((each) => each.join('')),
    { numRuns: 2500, seed: 17 },
  )

t.test('random markup makes nothing but what is allowed', async (t) => {
  const texts = sample(fc.oneof({ arbitrary: PIECES, weight: 4 }, { arbitrary: REFERENCES, weight: 1 }))
  for (const mode of ['strip', 'escape', 'allow'] as const) {
    for (const output of ['html', 'text'] as const) {
      const seen = await openPage(t)
      const results = texts.map((each) => filter(mode, output)(each)!)
      for (const [i, found] of (await parse(seen.page, results, ['div', 'table', 'svg'])).entries()) {
        const foreign = found.filter((each) => mode !== 'allow' || (!KEPT.has(each) && !LINK.test(each)))
        if (foreign.length > 0) t.fail(`${mode}, ${output}: ${JSON.stringify(texts[i])} made ${foreign.join(', ')}`)
      }
      await settle(seen.page)
      t.same(await isClean(seen), CLEAN, `${mode}, ${output}: nothing ran, nothing was loaded`)
    }
  }
})

t.test('escape: random markup reads back letter for letter', async (t) => {
  const { page } = await openPage(t)
  const texts = sample(PIECES)
  const found = await read(
    page,
    texts.map((each) => filter('escape', 'html')(each)!),
  )
  for (const [i, words] of texts.entries()) if (found[i]![0] !== ended(words)) t.equal(found[i]![0], words)
  t.equal(found.length, texts.length)
})
