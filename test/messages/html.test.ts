import fc from 'fast-check'
import t from 'tap'
import { htmlFilter } from '../../src/messages/html.ts'

const clean = (text: string, mode: 'strip' | 'escape', output: 'html' | 'text'): string =>
  htmlFilter({ html: mode, output })(text)!
const LIVE = /<(?:[a-zA-Z/!?]|$)/

/** Benign: nothing is taken away, nothing is added. */
const BENIGN = [
  '',
  ' ',
  'Hello',
  'a < b',
  'a<1',
  '1<2',
  '1 < 2 > 0',
  'I <3 you',
  '<3',
  '<33333',
  '<<>>',
  '< script >',
  'x <= y',
  'x >= y',
  '5 > 3',
  'a -> b <- c',
  '<->',
  '<--',
  '<=>',
  '<>',
  '<.< hm',
  '>_<.',
  '(>_<)',
  '(>.<)',
  '\\o/ >:-(',
  '->',
  'AT&T',
  'Tom & Jerry',
  'a && b',
  'R&D;',
  'https://example.com/?a=1&b=2',
  'https://example.com/?a=1&copy=2&lt=3&amp=4',
  'https://example.com/a?b=1&c=2#d',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
  '&amp;lt;',
  '&#60;b&#62;',
  '&#x3c;b&#x3e;',
  '&nbsp;',
  '&eacute;',
  '&unknown;',
  '"quoted" and \'quoted\'',
  'back\\slash',
  'percent %3Cscript%3E',
  'emoji 😀🎉👩‍👩‍👧‍👦',
  '🏳️‍🌈 < 🌈',
  'שלום עולם',
  'مرحبا بالعالم',
  '\u202eright to left\u202c',
  '中文 < 日本語 > 한국어',
  'Grüße aus Köln',
  'ÀÉÎõü',
  'line\nbreak',
  'line\r\nbreak',
  'tab\there',
  'nul\u0000byte',
  'lone \ud800 surrogate',
  '{"json": "<1>"}',
  '[1, 2]',
  'function () { return 1 }',
  'SELECT * FROM t WHERE a <> 1',
  '+49 170 1234567',
  'user@example.com',
  'C:\\users\\me',
  '\u200b<\u200bb>',
  '\ufeffbom',
  '＜script＞fullwidth＜/script＞',
]

t.test('harmless text stays byte for byte, in every mode and form', (t) => {
  t.ok(BENIGN.length >= 60)
  for (const text of BENIGN) {
    for (const mode of ['strip', 'escape'] as const) {
      t.equal(clean(text, mode, 'html'), text)
      t.equal(clean(text, mode, 'text'), text)
    }
  }
  t.end()
})

/** [text, what `strip` leaves of it as html] */
const STRIPPED: [string, string][] = [
  ['<b>bold</b>', 'bold'],
  ['<B>bold</B>', 'bold'],
  ['a <i>b</i> c', 'a b c'],
  ['<p>one</p><p>two</p>', 'one two'],
  ['one<br>two<br/>three', 'one two three'],
  ['<div>one</div>\n<div>two</div>', 'one\ntwo'],
  ['un<b>believ</b>able', 'unbelievable'],
  ['<script>alert(1)</script>', ''],
  ['a<script>alert(1)</script>b', 'ab'],
  ['<SCRIPT SRC=//evil></SCRIPT>x', 'x'],
  ['<script type="a>b">alert(1)</script >x', 'x'],
  ['<script/x>alert(1)</script>x', 'x'],
  ['<style>p{}</style>x', 'x'],
  ['<style><!--</style>x--></style>y', 'x-->y'],
  ['use the <script> tag', 'use the  tag'],
  ['<img src=x onerror=alert(1)>', ''],
  ['<img src=x onerror=alert(1)//', '&lt;img src=x onerror=alert(1)//'],
  ['<img alt="a>b" src=x>y', 'y'],
  ["<img alt='a>b' src=x>y", 'y'],
  ['<img/src=x/onerror=alert(1)>y', 'y'],
  ['<img\nsrc=x\nonerror=alert(1)>y', 'y'],
  ['<svg onload=alert(1)>', ''],
  ['<svg><script>alert(1)</script></svg>x', 'x'],
  ['<svg/onload=alert(1)>x', 'x'],
  ['<a href="javascript:alert(1)">link</a>', 'link'],
  ['<a href=x>link', 'link'],
  ['<iframe src=x>words</iframe>', 'words'],
  ['<iframe><img src=x onerror=alert(1)></iframe>', ''],
  ['<textarea><img src=x onerror=alert(1)></textarea>', ''],
  ['<title><img src=x onerror=alert(1)></title>t', 't'],
  ['<noscript><p title="</noscript><img src=x onerror=alert(1)>">', ''],
  ['<xmp><b>x</b></xmp>', 'x'],
  ['<plaintext>a<b>c', 'ac'],
  ['<!-- comment -->x', 'x'],
  ['<!-->x', 'x'],
  ['<!--->x', 'x'],
  ['<!-- never closed', '&lt;!-- never closed'],
  ['<!DOCTYPE html>x', 'x'],
  ['<![CDATA[x]]>y', 'y'],
  ['<?xml version="1.0"?>x', 'x'],
  ['<? what', '&lt;? what'],
  ['</b>x', 'x'],
  ['</3 broken > heart', '&lt;/3 broken &gt; heart'],
  ['a<R b', 'a&lt;R b'],
  ['a<b', 'a&lt;b'],
  ['x<y and y>z', 'x&lt;y and y&gt;z'],
  ['a<b and c>d', 'a&lt;b and c&gt;d'],
  ['a<R b & <a href="x">c</a>', 'a&lt;R b & c'],
  ['a<b & <i class="x">c</i>', 'a&lt;b & c'],
  ['<a title="<b>">x</a>', 'x'],
  ['<b hidden class=x>y</b>', 'y'],
  ['<b hidden title="x">y</b>', 'y'],
  ['<a x y z=1 href=z>y</a>', 'y'],
  ['<foo hidden onclick=x>y', 'y'],
  ['<foo hidden x=y>z', '&lt;foo hidden x=y&gt;z'],
  ['<foo a=b&c=d e="f"g=h i = j/>z', 'z'],
  ['a<b && c=="d" || e>f', 'a&lt;b && c=="d" || e&gt;f'],
  ['a<b and c=d then e>f', 'a&lt;b and c=d then e&gt;f'],
  ['one<Br>two<BR>three', 'one two three'],
  ['x<Object>y</Object>', 'xy'],
  ['Promise<object> and <object>y', 'Promise&lt;object&gt; and y'],
  ['<img src=x && y>z', 'z'],
  ['x<data && y>z', 'x&lt;data && y&gt;z'],
  ['Partial<B> or <B>c', 'Partial&lt;B&gt; or c'],
  ['if (a<b&&c>d) x', 'if (a&lt;b&&c&gt;d) x'],
  ['List<String> x', 'List&lt;String&gt; x'],
  ['<John Smith> hi', '&lt;John Smith&gt; hi'],
  ['<me@example.com>', '&lt;me@example.com&gt;'],
  ['<https://example.com/?a=b&c=d>', '&lt;https://example.com/?a=b&c=d&gt;'],
  ['great </sarcasm>', 'great &lt;/sarcasm&gt;'],
  ['I <', 'I < '],
  ['>_<', '>_< '],
  ['<b>>_<</b>', '>_< '],
  ['<foo>bar</foo>', 'bar'],
  ['<foo onclick=alert(1)>bar', 'bar'],
  ['<x-widget on=1>bar</x-widget>', 'bar'],
  ['<scr<script>ipt>alert(1)</scr</script>ipt>', '&lt;script&gt;'],
  ['<<script>alert(1)</script>', '< '],
  ['<<b>x', '&lt;x'],
  ['<\u0000script>alert(1)</script>', ''],
  ['<\u0001img src=x onerror=alert(1)>', ''],
  ['<s\u0000cript>alert(1)</script>', ''],
  ['<\u009bimg src=x onerror=alert(1)>x', 'x'],
  ['<3 next\u0085line', '<3 next\u0085line'],
  ['&lt;b&gt; and <b>bold</b>', '&lt;b&gt; and bold'],
  ['Tom &amp; <i>Jerry</i>', 'Tom &amp; Jerry'],
  ['?a=1&copy=2 <i>x</i>', '?a=1&copy=2 x'],
  ['<math><mi><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">', ''],
  ['<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>', ''],
  ['<template><img src=x onerror=alert(1)></template>', ''],
  ['<b <script>alert(1)</script>', '&lt;b '],
]

t.test('markup goes and words stay', (t) => {
  t.ok(STRIPPED.length >= 60)
  for (const [text, expected] of STRIPPED) t.equal(clean(text, 'strip', 'html'), expected, JSON.stringify(text))
  t.end()
})

t.test('the form `text` reads well and is inert in innerHTML too', (t) => {
  t.equal(clean('a<R b', 'strip', 'text'), 'a< R b')
  t.equal(clean('<b>x</b> & y', 'strip', 'text'), 'x & y')
  t.equal(clean('<b>x</b>', 'escape', 'text'), '< b>x< /b>')
  t.equal(clean('I <', 'strip', 'text'), 'I < ')
  t.end()
})

t.test('escaped code arrives as plain text', (t) => {
  t.equal(clean('<b>x</b>', 'escape', 'html'), '&lt;b&gt;x&lt;/b&gt;')
  t.equal(clean('<script>alert("1")</script>', 'escape', 'html'), '&lt;script&gt;alert("1")&lt;/script&gt;')
  t.equal(clean('a <R b & c', 'escape', 'html'), 'a &lt;R b & c')
  t.end()
})

const PIECES = fc.constantFrom(
  ...[
    '<',
    '>',
    '</',
    '/',
    '!',
    '--',
    '-->',
    '<!--',
    '?',
    '&',
    '&lt;',
    '&amp;',
    '&#60;',
    '&lt',
    ';',
    '"',
    "'",
    '=',
    ' ',
    '\n',
  ],
  ...[
    '\0',
    '\x01',
    '\x0c',
    'a',
    'b',
    'script',
    '<script>',
    '</script>',
    '<style',
    'style',
    'svg',
    'math',
    'textarea',
    'title',
  ],
  ...[
    'img src=x onerror=alert(1)',
    '<b>',
    '</b>',
    '<p>',
    'iframe',
    'noscript',
    'xmp',
    'plaintext',
    '[CDATA[',
    ']]>',
    'K',
    'İ',
  ],
  ...['template', 'foo', '😀', '\ud800', 'x'],
)
const HOSTILE = fc.array(PIECES, { maxLength: 24 }).map((pieces) => pieces.join(''))

t.test('no result holds the start of a tag, and a second run changes nothing', (t) => {
  const inputs = fc.oneof(
    HOSTILE,
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom(...STRIPPED.map((each) => each[0])),
  )
  const check = (text: string, mode: 'strip' | 'escape', output: 'html' | 'text') => {
    const once = clean(text, mode, output)
    if (LIVE.test(once)) return false
    return clean(once, mode, output) === once && clean(once, 'strip', output) === once
  }
  const property = fc.property(
    inputs,
    fc.constantFrom('strip' as const, 'escape' as const),
    fc.constantFrom('html' as const, 'text' as const),
    check,
  )
  fc.assert(property, { numRuns: 4000, seed: 7 })
  t.end()
})

t.test('two results side by side are as inert as each alone', (t) => {
  const property = fc.property(HOSTILE, HOSTILE, fc.constantFrom('html' as const, 'text' as const), (a, b, output) => {
    return !/<[a-zA-Z/!?]/.test(clean(a, 'strip', output) + clean(b, 'strip', output))
  })
  fc.assert(property, { numRuns: 1500, seed: 11 })
  t.end()
})

t.test('words between known tags all survive', (t) => {
  const word = fc.stringMatching(/^[a-zA-Z0-9&;.,]{1,8}$/)
  const tag = fc.constantFrom(
    '<b>',
    '</b>',
    '<i class="x>y">',
    '</i>',
    '<br>',
    '<p>',
    '</p>',
    '<!-- c -->',
    '<u x=1 />',
  )
  const property = fc.property(fc.array(fc.tuple(word, tag), { maxLength: 12 }), (pairs) => {
    const cleaned = clean(pairs.flat().join(''), 'strip', 'html')
    return cleaned.replaceAll(' ', '') === pairs.map((each) => each[0]).join('')
  })
  fc.assert(property, { numRuns: 1000, seed: 3 })
  t.end()
})

// Held by counting, not by a clock: quadratic work on these would take minutes.
t.test('large hostile texts end', (t) => {
  const size = 200_000
  const starts = [
    '<',
    '<a ',
    "<a b='",
    '<b>',
    '<script>',
    '<x>',
    '</x',
    '<!--',
    '<a',
    '</a',
    '<x=',
    '<![a',
    '<?a',
    '<iframe>',
  ]
  for (const start of starts) {
    const text = start.repeat(size / start.length)
    for (const tail of ['', '>', '" c="\'>']) t.notMatch(clean(text + tail, 'strip', 'html'), LIVE)
  }
  t.end()
})
