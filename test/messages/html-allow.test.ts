import fc from 'fast-check'
import t from 'tap'
import type { MessagesConfig } from '../../src/config/shape.ts'
import { htmlFilter } from '../../src/messages/html.ts'
import { MAX_TAGS, prepareMarkup } from '../../src/messages/markup.ts'

type Tags = NonNullable<MessagesConfig['allowTags']>
const allowTags: Tags = [
  'a',
  'b',
  'i',
  'em',
  'strong',
  'br',
  'p',
  'ul',
  'ol',
  'li',
  'code',
  'pre',
  'blockquote',
  'hr',
  'wbr',
]
const allow = htmlFilter({ html: 'allow', output: 'html', allowTags })
const allowText = htmlFilter({ html: 'allow', output: 'text', allowTags })
const REL = 'rel="noopener noreferrer nofollow"'

/** [text, what `allow` leaves of it as html] */
const KEPT: readonly [string, string][] = [
  ['<b>x</b>', '<b>x</b>'],
  ['<B>x</B>', '<b>x</b>'],
  ['plain & <3', 'plain & <3'],
  ['<b onclick=alert(1) class=x style=y id=z>x', '<b>x</b>'],
  ['<b>never closed', '<b>never closed</b>'],
  ['never opened</b>', 'never opened'],
  ['<b><i>x</b></i>', '<b><i>x</i></b>'],
  ['one<br>two', 'one<br />two'],
  ['one<BR/>two', 'one<br />two'],
  ['<p>one<p>two', '<p>one</p><p>two</p>'],
  ['<ul><li>a<li>b</ul>', '<ul><li>a</li><li>b</li></ul>'],
  ['<pre>\n  a < b\n</pre>', '<pre>\n  a < b\n</pre>'],
  ['<code>List<String> x</code>', '<code>List&lt;String&gt; x</code>'],
  ['a<R <b>c</b> d<3', 'a&lt;R <b>c</b> d<3'],
  ['<b>a<</b>', '<b>a&lt;</b>'],
  ['<<b></b>img src=x onerror=alert(1)>', '&lt;<b></b>img src=x onerror=alert(1)>'],
  ['<<b>x</b>', '&lt;<b>x</b>'],
  ['<b>x</b><', '<b>x</b>< '],
  ['<div>one</div><div>two</div>', 'one two'],
  ['<h1>x</h1>', 'x'],
  ['<script>alert(1)</script><b>x</b>', '<b>x</b>'],
  ['<style>p{}</style><b>x</b>', '<b>x</b>'],
  ['<svg><b>x</b></svg>', '<b>x</b>'],
  ['<p><svg><p>x', '<p></p><p>x</p>'],
  ['<iframe><b>x</b></iframe>', '<b>x</b>'],
  ['<img src=x onerror=alert(1)><b>x</b>', '<b>x</b>'],
  ['<!-- c --><b>x</b>', '<b>x</b>'],
  ['&lt;script&gt; <b>&amp;lt;</b>', '&lt;script&gt; <b>&amp;lt;</b>'],
  ['<b>?a=1&copy=2</b>', '<b>?a=1&copy=2</b>'],
  ['<b\u0000>x</b>', '<b>x</b>'],
  ['<scr<b>ipt>x', '&lt;scr<b>ipt>x</b>'],
  ['x<hr>y<wbr>z', 'x<hr />y<wbr />z'],
  [`${'<b>'.repeat(40)}x`, `${'<b>'.repeat(32)}x${'</b>'.repeat(32)}`],
]

t.test('allowed elements stay, closed and bare', (t) => {
  for (const [text, expected] of KEPT) {
    t.equal(allow(text), expected, JSON.stringify(text))
    t.equal(allow(expected), expected, 'a second run changes nothing')
  }
  t.equal(allowText('a<R <b>b</b> <code><T></code>'), 'a< R <b>b</b> <code>< T></code>')
  t.end()
})

t.test('of what is not in the list only the words stay', (t) => {
  const only = htmlFilter({ html: 'allow', output: 'html', allowTags: ['i'] })
  t.equal(only('<b>x</b> <i>y</i> <a href=https://example.com>z</a>'), 'x <i>y</i> z')
  t.end()
})

const link = (href: string): string => `<a href="${href}" ${REL}>x</a>`
const LINKS: readonly [string, string][] = [
  ['https://example.com/', link('https://example.com/')],
  ['http://example.com/a?b=1&amp;c=2#d', link('http://example.com/a?b=1&amp;c=2#d')],
  ['HTTPS://EXAMPLE.com:443/x y', link('https://example.com/x%20y')],
  ['https://bücher.example/', link('https://xn--bcher-kva.example/')],
  ['https://example.com/&quot;&gt;&lt;b', link('https://example.com/%22%3E%3Cb')],
  ['mailto:me@example.com?subject=a b', link('mailto:me@example.com?subject=a%20b')],
  ...[
    ...[
      'javascript:alert(1)',
      ' javascript:alert(1)',
      'java\tscript:alert(1)',
      '&#106;avascript:alert(1)',
      'JAVASCRIPT:x',
    ],
    ...[
      'data:text/html,x',
      'vbscript:x',
      'blob:https://example.com/1',
      'file:///etc/passwd',
      'ftp://example.com',
      'tel:1',
    ],
    ...[
      '//example.com',
      '/path',
      'path',
      '#x',
      '?x',
      '',
      'https://',
      'https://user@example.com',
      'https://u:p@example.com',
    ],
    ...['intent://x', 'relative:x', `https://example.com/${'x'.repeat(3000)}`],
  ].map((href): [string, string] => [href, '<a>x</a>']),
]

t.test('a link keeps an absolute http, https or mailto URL and nothing else', (t) => {
  for (const [href, expected] of LINKS) {
    const text = `<a target=_blank onclick=y ping=z rel=opener download name=n href="${href}">x</a>`
    t.equal(allow(text), expected, href.slice(0, 60))
    t.equal(allow(expected), expected)
  }
  t.end()
})

t.test('more elements than a second run would read: none stays, the words do', (t) => {
  const many = '<b>x</b>'.repeat(MAX_TAGS)
  const once = allow(many)!
  t.notMatch(once, /<[a-z/]/)
  t.equal(allow(once), once)
  const unclosed = allow('<p>x'.repeat(MAX_TAGS * 0.9))!
  t.notMatch(unclosed, /<[a-z/]/, 'counted as they will be written')
  t.equal(allow(unclosed), unclosed)
  const half = '<b>x</b>'.repeat(MAX_TAGS / 2)
  t.equal(allow(half), half)
  t.notMatch(allow(`${half}<b>`), /<[a-z/]/)
  t.end()
})

const TAG =
  /<(?:\/?(?:a|b|i|em|strong|p|ul|ol|li|code|pre|blockquote)|(?:br|hr|wbr) \/|a href="[^"<>\s]*" rel="noopener noreferrer nofollow")>/g
const pieces = fc.oneof(
  fc.constantFrom(
    ...allowTags.flatMap((name) => [
      `<${name}>`,
      `</${name}>`,
      `<${name}/>`,
      `<${name} x="`,
      `<${name} href=https://e.x/`,
    ]),
  ),
  fc.constantFrom(
    ...[
      '<',
      '>',
      '/',
      '=',
      '&',
      '&lt;',
      '&lt',
      '&#60;',
      '&amp;',
      ';',
      ' ',
      '\n',
      '"',
      "'",
      '`',
      '\0',
      '\x01',
      '\x80',
      'x',
      'B',
    ],
    ...[
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '<?',
      '<script>',
      '</script>',
      '<style>',
      '</style>',
      '<svg>',
      '</svg>',
      '<math>',
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
      '<foo>',
      '</foo>',
    ],
    ...['<button>', '<nobr>', '<h3>', '<dt>', 'javascript:x', 'onclick=x', '😀', '\ud800', 'א', '\u202e'],
  ),
)
const markup = fc.array(pieces, { maxLength: 20 }).map((each) => each.join(''))

t.test('any mode, any form: nothing but kept tags is live, and a second run changes nothing', (t) => {
  const modes = fc.constantFrom<MessagesConfig['html'][]>('strip', 'escape', 'allow', 'reject')
  const property = fc.property(
    markup,
    modes,
    fc.constantFrom('html' as const, 'text' as const),
    (text, html, output) => {
      const clean = htmlFilter(html === 'allow' ? { html, output, allowTags } : { html, output })
      const once = clean(text)
      if (once === null) return html === 'reject'
      return !/<(?:[a-zA-Z/!?]|$)/.test(once.replace(TAG, '')) && clean(once) === once
    },
  )
  fc.assert(property, { numRuns: 6000, seed: 5 })
  t.end()
})

t.test('words survive between kept and other tags', (t) => {
  const word = fc.stringMatching(/^[a-zA-Z0-9&;.,\u05d0-\u05ea]{1,8}$/)
  const tag = fc.constantFrom(
    '<b>',
    '</b>',
    '<i x="y>z">',
    '</i>',
    '<br>',
    '<p>',
    '</p>',
    '<!-- c -->',
    '<u x=1>',
    '<a href=x>',
    '</a>',
  )
  const property = fc.property(fc.array(fc.tuple(word, tag), { maxLength: 12 }), (pairs) => {
    const once = allow(pairs.flat().join(''))!
    return once.replace(TAG, '').replaceAll(' ', '') === pairs.map((each) => each[0]).join('')
  })
  fc.assert(property, { numRuns: 1500, seed: 3 })
  t.end()
})

/** What would make a careless reader look at the same characters again and again. */
const PATHOLOGICAL = [
  ...[
    '<',
    '<<',
    '</',
    '<a',
    '</a',
    '<a ',
    '<a b',
    "<a b='",
    '<a b="',
    '<a b=c ',
    '<b>',
    '</b>',
    '<b></b>',
    '<b/>',
    '<x>',
    '</x',
  ],
  ...[
    '<x=',
    '<x y>',
    '<!',
    '<!--',
    '<!-- -',
    '<!-->',
    '<![CDATA[',
    '<![a',
    '<?',
    '<?a',
    '<script>',
    '</script',
    '<style>',
  ],
  ...[
    '<iframe>',
    '<noscript>',
    '<textarea>',
    '<svg><style>',
    '<p><b>',
    '<p',
    '&',
    '&lt',
    '&lt;',
    '&#',
    '&#60',
    '<&',
    '>',
    '<a <b ',
  ],
  ...[
    '<div>',
    '<table><td>',
    '<a href=https://e.x/>',
    '<B>',
    'x<B>',
    '<\0',
    '\0',
    '<a\n',
    '<İ',
    '<a b=">',
    '<i>&lt;</i>',
  ],
]
const TAILS = ['', '>', '" c="\'>', '-->', ']]>', '</script>', '</x>']

t.test('the work of reading grows no faster than the text, up to 64 KB', (t) => {
  const size = 64 * 1024
  const most = { work: 0, text: '' }
  for (const piece of PATHOLOGICAL) {
    for (const tail of TAILS) {
      // An even number of them, so that quotes match up in both or in neither.
      const text = (length: number): string => piece.repeat(2 * Math.floor(length / piece.length / 2)) + tail
      const whole = prepareMarkup(text(size)).work
      const half = prepareMarkup(text(size / 2)).work
      // A bound on the work in all, and no jump from half to whole.
      if (whole > 20 * size) t.fail(`${piece}${tail}: looks at ${whole} characters`)
      if (whole > 3 * half + 1024) most.text = `${piece}${tail}: ${half}, then ${whole}`
      most.work = Math.max(most.work, whole)
    }
  }
  t.equal(most.text, '')
  t.ok(most.work > size, 'it counts')
  t.end()
})

t.test('64 KB of them ends in every mode', (t) => {
  const size = 64 * 1024
  for (const piece of PATHOLOGICAL) {
    const text = piece.repeat(size / piece.length)
    for (const html of ['strip', 'escape', 'allow', 'reject'] as const) {
      const once = htmlFilter(html === 'allow' ? { html, output: 'html', allowTags } : { html, output: 'html' })(text)
      if (once !== null && /<(?:[a-zA-Z/!?]|$)/.test(once.replace(TAG, ''))) t.fail(`${html}: ${piece}`)
      if (once !== null && once.length > 8 * size) t.fail(`${html}: ${piece} grew to ${once.length}`)
    }
  }
  t.end()
})
