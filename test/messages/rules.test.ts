import t from 'tap'
import type { MessagesConfig } from '../../src/config/shape.ts'
import { ConfigurationError } from '../../src/errors.ts'
import { cleanForm } from '../../src/messages/forms.ts'
import { bodyKind } from '../../src/messages/media-type.ts'
import { cleanPayload } from '../../src/messages/polling.ts'
import { cleanDocument, cleanMessage, cleanPlain, compileRules } from '../../src/messages/rules.ts'
import { cleanPacket } from '../../src/messages/socketio-packets.ts'
import { messagesConfig } from '../kit/message-rules.ts'

const config = (changes: Partial<MessagesConfig> = {}): MessagesConfig =>
  messagesConfig({ fields: ['$.text', '$..caption'], maxSize: 1024, ...changes })
const rules = compileRules(config())
const every = compileRules(config({ fields: [], events: {} }))

t.test('all bad paths are named at once', (t) => {
  try {
    compileRules(config({ fields: ['text'], events: { a: ['$['] } }))
    t.fail('it must throw')
  } catch (error) {
    t.ok(error instanceof ConfigurationError)
    t.equal((error as ConfigurationError).problems.length, 2)
  }
  t.end()
})

t.test('a document is cleaned in its fields, and a clean one is the very same text', (t) => {
  const same = '{ "text" : "a < b \\u00fc", "id":12345678901234567890 , "other":"<b>" }'
  t.equal(cleanDocument(rules, same).text, same)
  t.equal(cleanDocument(rules, same).outcome, 'same')
  t.equal(cleanDocument(rules, '{"text":"\\u003cb>x\\u003c/b>","n":1.5}').text, '{"text":"x","n":1.5}')
  t.equal(cleanDocument(rules, '"<b>x</b>"').text, '"x"')
  t.equal(cleanDocument(every, '{"a":{"b":["<i>x</i>"]}}').text, '{"a":{"b":["x"]}}')
  t.end()
})

t.test('numbers of a changed document keep their digits', (t) => {
  const json = '{"text":"<b>x</b>","id":12345678901234567890,"e":1e400,"f":0.1234567890123456789,"rawJSON":"1"}'
  t.equal(cleanDocument(rules, json).text, json.replace('<b>x</b>', 'x'))
  t.equal(cleanDocument(every, json).text, json.replace('<b>x</b>', 'x'))
  t.end()
})

const UNREADABLE = [
  '',
  '{',
  '{"text":"a","text":"<b>"}',
  '{"a":{"x":1,"\\u0078":2},"text":"a"}',
  '{"__proto__":{"text":"<b>"}}',
  '{"a":[{"constructor":1}]}',
  '{"prototype":1}',
  '\ufeff{"text":"<b>"}',
  '{"text":"<b>",}',
  "{'text':'<b>'}",
  '{text:"<b>"}',
  '/**/{"text":"\\u003cb>"}',
  '{"text":"a"} {"text":"<b>"}',
  '{"text":NaN}',
  `${'['.repeat(40)}${']'.repeat(40)}`,
  `{${Array.from({ length: 10_001 }, (_, i) => `"${i}":1`).join()}}`,
]

t.test('what parsers could read differently is refused', (t) => {
  for (const json of UNREADABLE) {
    t.same(cleanDocument(rules, json), { outcome: 'refused', reason: 'unreadable', text: '' }, json.slice(0, 40))
  }
  t.end()
})

t.test('a message of no stated type is JSON or plain text, never JSON in disguise', (t) => {
  t.equal(cleanMessage(rules, '{"text":"<b>x</b>"}').text, '{"text":"x"}')
  t.equal(cleanMessage(rules, 'ping').outcome, 'same')
  t.equal(cleanMessage(rules, '42').outcome, 'same')
  t.equal(cleanMessage(rules, 'C:\\users\\me').outcome, 'same')
  t.equal(cleanMessage(rules, '[hello] <b>x</b>').text, '[hello] x')
  t.equal(cleanMessage(rules, '<b>x</b>').text, 'x')
  for (const text of [
    '{"text":"\\u003cb>",}',
    '/**/{"text":"\\u003cb>"}',
    "{text:'\\x3cb>'}",
    '{"text":"a","text":"b"}',
    '\ufeff{"text":"\\u003cb>"}',
  ]) {
    t.equal(cleanMessage(rules, text).outcome, 'refused', text)
  }
  t.equal(cleanPlain(rules, '{"text":"\\u003cb>"}').outcome, 'refused')
  t.equal(cleanPlain(rules, '{"text":"<b>x</b>"}').text, '{"text":"x"}')
  t.end()
})

t.test('forms are cleaned by name', (t) => {
  t.equal(cleanForm(rules, 'text=%3Cb%3Ehi+you%3C%2Fb%3E&id=%3Cb%3E').text, 'text=hi+you&id=%3Cb%3E')
  t.equal(cleanForm(rules, 'text=a+%26+b&x').outcome, 'same')
  t.equal(
    cleanForm(rules, 'TEXT=%3Cb%3Ex&t%65xt[]=%3Ci%3Ey&a[caption]=%3Cu%3Ez').text,
    'TEXT=x&t%65xt[]=y&a[caption]=z',
  )
  t.equal(cleanForm(every, 'any=%3Cb%3Ex').text, 'any=x')
  for (const body of [
    'text=a&text=%3Cb%3E',
    'text=a&t%65xt=b',
    'a=1;text=%3Cb%3E',
    'text=%zz',
    'text=%ff',
    'text=%u003cb',
    'text%00x=1',
    '__proto__[text]=1',
    'text=ü',
    `${'a&'.repeat(1001)}`,
  ]) {
    t.equal(cleanForm(rules, body).outcome, 'refused', body.slice(0, 30))
  }
  t.equal(cleanForm(rules, '%3Cimg%20src%3E=1').outcome, 'refused')
  t.end()
})

t.test('socket.io packets are cleaned by event', (t) => {
  const cleaned: [string, string][] = [
    ['42["message",{"text":"<b>x</b>","id":"<i>"}]', '42["message",{"text":"x","id":"<i>"}]'],
    ['42/room,17["message",{"text":"<b>x</b>"}]', '42/room,17["message",{"text":"x"}]'],
    ['4217["message",{"text":"<b>x</b>"}]', '4217["message",{"text":"x"}]'],
    ['42["other",{"any":["<b>x</b>"]}]', '42["other",{"any":["x"]}]'],
    ['435[{"a":"<b>x</b>"}]', '435[{"a":"x"}]'],
    ['40{"name":"<b>x</b>"}', '40{"name":"x"}'],
    ['40/room,{"name":"<b>x</b>"}', '40/room,{"name":"x"}'],
  ]
  for (const [packet, expected] of cleaned) t.equal(cleanPacket(rules, packet).text, expected, packet)
  for (const packet of [
    '1',
    '2',
    '3',
    '2probe',
    '3probe',
    '5',
    '6',
    '40',
    '40/room,',
    '40/room?a=b,',
    '41',
    '41/room,',
    '42["message",{"text":"a<3"}]',
    '42["message"]',
    '430[]',
    '40{"token":"abc"}',
  ]) {
    t.same(cleanPacket(rules, packet), { outcome: 'same', text: packet }, packet)
  }
  t.end()
})

const BAD_PACKETS = [
  ...[
    '',
    '0',
    '0{"sid":"x"}',
    '4',
    '7',
    'bAAAA',
    'b4',
    '1x',
    '2x',
    '3<b>',
    '2probe<b>',
    '5x',
    '6x',
    'x',
    ' 42["message"]',
  ],
  ...[
    '44{"message":"x"}',
    '451-["message",{"_placeholder":true,"num":0}]',
    '461-0[{"_placeholder":true,"num":0}]',
    '47',
    '49[]',
  ],
  ...[
    '42',
    '42{}',
    '42{"0":"message"}',
    '42"message"',
    '42[]',
    '42[1,"<b>"]',
    '42[null]',
    '42[["message"]]',
    '42["connect"]',
    '42["disconnect","x"]',
  ],
  ...[
    '42["message","a"',
    '42 ["message",{"text":"<b>"}]',
    '42\t1["message"]',
    '421 ["message"]',
    '42١["message"]',
    '421.5["message"]',
    '42-1["message"]',
  ],
  ...[
    '42/room["message",{"text":"<b>"}]',
    '42/ro om,["message"]',
    '42/<b>,["message"]',
    `42/${'a'.repeat(300)},["message"]`,
    '42room,["message"]',
  ],
  ...[
    '40[]',
    '40"x"',
    '401{}',
    '40/room',
    '41{}',
    '41[]',
    '43{}',
    '43',
    '431',
    '42["message",{"text":"a","text":"<b>"}]',
    '42["message",{"__proto__":{}}]',
    '42["<b>x</b>"]',
    '42["message"]\n42["message"]',
  ],
]

t.test('packets that a client may not send, or that could be read two ways, are refused', (t) => {
  for (const packet of BAD_PACKETS)
    if (packet !== '40/room') t.equal(cleanPacket(rules, packet).outcome, 'refused', packet.slice(0, 40))
  const strict = compileRules(config({ otherEvents: 'refuse' }))
  t.equal(cleanPacket(strict, '42["other","x"]').outcome, 'refused')
  t.equal(cleanPacket(strict, '42["message",{"text":"x"}]').outcome, 'same')
  t.equal(cleanPacket(strict, '40{"name":"<b>x</b>"}').text, '40{"name":"x"}')
  const loose = compileRules(config({ otherEvents: 'pass' }))
  t.equal(cleanPacket(loose, '42["other","<b>"]').outcome, 'same')
  t.equal(cleanPacket(loose, '42["message",{"text":"<b>x</b>"}]').text, '42["message",{"text":"x"}]')
  t.end()
})

t.test('a polling body is cleaned packet by packet, or refused as a whole', (t) => {
  const event = '42["message",{"text":"<b>x</b>"}]'
  const payload = cleanPayload(rules, `2\x1e${event}\x1e${event}`)
  t.same(payload, { outcome: 'changed', text: '2\x1e42["message",{"text":"x"}]\x1e42["message",{"text":"x"}]' })
  t.same(cleanPayload(rules, '3'), { outcome: 'same', text: '3' })
  const closing = compileRules(config({ onViolation: 'close' }))
  t.same(cleanPayload(rules, `3\x1ebAAAA`), { outcome: 'changed', text: '3' })
  t.same(cleanPayload(closing, `3\x1ebAAAA`), { outcome: 'refused', reason: 'unreadable', text: '' })
  t.equal((cleanPayload(closing, '3\x1e') as { outcome: string }).outcome, 'refused')
  t.equal(cleanPayload(rules, `3\x1e42["message",{"text":"${'x'.repeat(1024)}"}]`), 'too-large')
  t.equal(cleanPayload(rules, `3\x1e42["message",{"text":"${'ü'.repeat(600)}"}]`), 'too-large')
  t.equal(cleanPayload(rules, Array(300).fill('3').join('\x1e')), 'too-large')
  t.end()
})

t.test('the kind of a body is what all would take it for', (t) => {
  const kinds: [string[], string][] = [
    [['application/json'], 'json'],
    [['Application/JSON; charset=UTF-8'], 'json'],
    [['application/json;charset="utf-8"'], 'json'],
    [['application/merge-patch+json'], 'json'],
    [['text/plain;charset=UTF-8'], 'text'],
    [['application/x-www-form-urlencoded'], 'form'],
    [['multipart/form-data; boundary=x'], 'multipart'],
    [['Multipart/Form-Data; boundary="a+b"; charset=utf-8'], 'multipart'],
    [['multipart/form-data'], 'unreadable'],
    [['multipart/form-data; boundary=x; boundary=y'], 'unreadable'],
    [['multipart/form-data; boundary="x y"'], 'unreadable'],
    [["multipart/form-data; boundary*=utf-8''x; boundary=y"], 'unreadable'],
    [['multipart/mixed; boundary=x'], 'unreadable'],
    [['application/x-ndjson'], 'lines'],
    [['text/html'], 'unreadable'],
    [['application/json; charset=utf-16'], 'unreadable'],
    [['application/json; charset=utf-7'], 'unreadable'],
    [['application/json; charset=utf-8; charset=utf-7'], 'unreadable'],
    [['application/json; charset'], 'unreadable'],
    [['application/json, text/plain'], 'unreadable'],
    [['application/json;'], 'unreadable'],
    [[''], 'unreadable'],
    [[], 'unreadable'],
    [['application/json', 'application/json'], 'unreadable'],
  ]
  for (const [values, kind] of kinds)
    t.equal(bodyKind(values.flatMap((value) => ['content-type', value])), kind, values.join(' and '))
  t.end()
})
