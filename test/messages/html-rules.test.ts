/** The HTML modes as rules for a message: what a refused text does to its document, and what the configuration accepts. */
import t from 'tap'
import { type LoadOptions, parseConfiguration } from '../../src/config/load.ts'
import { type Configuration, configuration } from '../../src/config/shape.ts'
import { cleanDocument, cleanMessage, cleanPlain, compileRules } from '../../src/messages/rules.ts'

const SMALL = {
  listeners: { public: { address: '127.0.0.1:0' } },
  services: { chat: { endpoints: ['http://127.0.0.1:1'] } },
  routes: [{ path: '/*', service: 'chat', profiles: ['internet'], purpose: 'test', messages: 'm' }],
}
const LOOSE: LoadOptions = { env: {}, checkFiles: false }
const rulesOf = (m: object) => configuration.parse({ ...SMALL, messages: { m } }).messages.m!

t.test('one text with markup refuses the whole message', (t) => {
  const rules = compileRules(rulesOf({ html: 'reject', fields: ['$.text', '$.parts[*]'] }))
  t.equal(cleanDocument(rules, '{"text":"a<3","parts":["x","y"]}').outcome, 'same')
  t.same(cleanDocument(rules, '{"text":"a","parts":["x","<b>y</b>"]}'), {
    outcome: 'refused',
    reason: 'rule',
    text: '',
  })
  t.same(cleanMessage(rules, '<b>x</b>'), { outcome: 'refused', reason: 'rule', text: '' })
  t.same(cleanPlain(rules, '\\u003cb>').outcome, 'same')
  t.equal(cleanDocument(rules, '{"text":"a<R b"}').text, '{"text":"a&lt;R b"}', 'what only looks like a tag is words')
  t.equal(cleanDocument(rules, '{"text":"a","other":"<b>y</b>"}').outcome, 'same', 'other fields are not looked at')
  t.end()
})

t.test('without fields every string of a document is cleaned, plain text whole', (t) => {
  const rules = compileRules(rulesOf({}))
  t.equal(cleanDocument(rules, '{"a":["<i>x</i>",{"b":"<b>y</b>"}]}').text, '{"a":["x",{"b":"y"}]}')
  t.equal(cleanPlain(rules, '<b>x</b>').text, 'x')
  t.end()
})

t.test('a set without fields and events is no mistake; letting every event pass is worth a warning', (t) => {
  const warnings = (m: object) => parseConfiguration('g', JSON.stringify({ ...SMALL, messages: { m } }), LOOSE).warnings
  t.same(warnings({}), [])
  t.same(warnings({ html: 'allow', allowTags: ['b', 'i'], output: 'text' }), [])
  t.match(warnings({ otherEvents: 'pass' }), [/messages\.m\.otherEvents: lets every socket\.io event pass as it is/])
  t.end()
})

/** None of them may ever be kept: each runs, loads, hides, asks for input, or changes how a browser reads what follows. */
const NEVER = [
  ...[
    'script',
    'style',
    'iframe',
    'svg',
    'math',
    'template',
    'noscript',
    'object',
    'embed',
    'form',
    'input',
    'textarea',
  ],
  ...[
    'select',
    'option',
    'button',
    'title',
    'plaintext',
    'xmp',
    'listing',
    'noembed',
    'noframes',
    'base',
    'meta',
    'link',
  ],
  ...[
    'html',
    'head',
    'body',
    'frameset',
    'frame',
    'applet',
    'img',
    'image',
    'video',
    'audio',
    'source',
    'track',
    'picture',
  ],
  ...[
    'canvas',
    'area',
    'map',
    'dialog',
    'details',
    'table',
    'marquee',
    'portal',
    'slot',
    'foreignobject',
    'annotation-xml',
  ],
  ...['mglyph', 'keygen', 'isindex', 'x-widget'],
]

t.test('dangerous elements cannot be allowed', (t) => {
  const allowed = (allowTags: readonly string[]) =>
    configuration.safeParse({ ...SMALL, messages: { m: { html: 'allow', allowTags } } } as unknown as Configuration)
  for (const name of NEVER) {
    const found = allowed(['b', name])
    t.match(found.error?.issues[0]?.message ?? '', `"${name}" is no element that a message may keep`)
    t.equal(allowed([name.toUpperCase()]).success, false)
  }
  t.equal(
    allowed(['b', 'i', 'em', 'strong', 'a', 'br', 'p', 'ul', 'ol', 'li', 'code', 'pre', 'blockquote']).success,
    true,
  )
  t.end()
})
