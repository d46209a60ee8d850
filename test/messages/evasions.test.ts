/** Ways past the filter that somebody thought of, transport by transport, and honest words that look like them. */
import t from 'tap'
import { cleanForm } from '../../src/messages/forms.ts'
import { bodyKind } from '../../src/messages/media-type.ts'
import { cleanDocument, cleanMessage, cleanPlain } from '../../src/messages/rules.ts'
import { cleanPacket, cleanPacket3 } from '../../src/messages/socketio-packets.ts'
import { messageRules } from '../kit/message-rules.ts'

const rules = messageRules({ maxSize: 10_000 })
const PAN = '4111111111111111'
const textOf = (cleaned: { outcome: string; text: string }) => (cleaned.outcome === 'refused' ? null : cleaned.text)
const document = (json: string) => textOf(cleanDocument(rules, json))
const field = (text: string) => {
  const cleaned = document(JSON.stringify({ text }))
  return cleaned === null ? null : (JSON.parse(cleaned) as { text: unknown }).text
}

t.test('JSON in a string of JSON: its escapes are read as the next reader will', async (t) => {
  const u = '\\u'
  t.equal(field(`{"html":"${u}003cimg src=x onerror=alert(1)${u}003ewords"}`), '{"html":"words"}')
  t.equal(field(`  ["${u}003cb${u}003ewords"]`), '["words"]')
  t.equal(field(`"${u}003cb${u}003ewords"`), '"words"')
  t.equal(field(`{"pan":"4111${u}0031111${u}00311111111"}`), '{"pan":"************1111"}')
  const twice = JSON.stringify({ inner: `{"html":"${u}003cb${u}003ewords"}` })
  t.equal(field(twice), JSON.stringify({ inner: '{"html":"words"}' }), 'and once more')
  let deep = `"${u}003cb"`
  for (let i = 0; i < 9; i++) deep = JSON.stringify(deep)
  t.equal(field(deep), null, 'but not for ever')
  t.equal(field(`{"a":1,"a":"${u}003cb"}`), null, 'a repeated key')
  t.equal(field(`{"a":"<b","c":">${u}0041"}`), '{"a":"&lt;b","c":">A"}', 'tags over the grammar of JSON')
  const packet = JSON.stringify({ text: `{"a":"${u}003cb${u}003ewords"}` })
  t.equal(textOf(cleanPacket(rules, `42["message",${packet}]`)), '42["message",{"text":"{\\"a\\":\\"words\\"}"}]')
  t.equal(
    textOf(cleanForm(rules, `text=${encodeURIComponent(`{"a":"${u}003cb${u}003ewords"}`)}`)),
    `text=${encodeURIComponent('{"a":"words"}')}`,
  )
  for (const honest of [
    '{"a":"x\\ny"}',
    '{"id":12345678901234567890,"a":"\\u00e9"}',
    '["\\\\server\\\\share"]',
    '[12:30] C:\\temp',
  ])
    t.equal(field(honest), honest)
})

t.test('numbers: a card before the point, in every notation', async (t) => {
  for (const number of [
    `${PAN}.5`,
    `${PAN}.0`,
    '4.111111111111111e15',
    '4.1111111111111115E+15',
    '41111111111111110e-1',
    '411111111111111100000000000000000000e-20',
    `0.00000000000${PAN}5e27`,
    '378282246310005.25',
  ])
    t.match(document(`{"text":${number}}`), /^\{"text":"\*+\d{4}"\}$/, number)
  for (const number of [
    '6304000000000000000',
    '6304000000000000000.0',
    '6.304000000000000000e18',
    '6304000000000000000000e-3',
  ])
    t.equal(document(`{"text":["card",${number}]}`), '{"text":["card","***************0000"]}', number)
  for (const number of [
    '0.4111111111111111',
    '1e400',
    '-1E-400',
    '1700000000000.5',
    '52.520008',
    '4111e-3',
    '0',
    '-0.0',
  ])
    t.equal(document(`{"text":${number}}`), `{"text":${number}}`, number)
})

t.test('JSON that only lenient readers read', async (t) => {
  for (const text of [
    "{text:'<\\img src=x onerror=alert(1)>'}",
    "{text:'\\x3cimg src=x>'}",
    "{text:'\\u{3c}img src=x>'}",
    "{text:'\\74img src=x>'}",
    "{text:'4111\\\n111111111111'}",
    "{text:'41\\t11111\\t111111111'}",
    '/**/{"text":"\\u003cb>"}',
    ')]}\',\n{"text":"\\u003cb>"}',
    '{"text":"\\u003cb>"',
    '{"text":"a","text":"\\u003cb>"}',
  ]) {
    t.equal(textOf(cleanMessage(rules, text)), null, text)
    t.equal(textOf(cleanPlain(rules, text)), null, text)
  }
})

t.test('honest words with backslashes arrive', async (t) => {
  for (const text of [
    '[12:30] my file is C:\\temp\\x',
    'see C:\\users\\me [draft]',
    '"quoted" \\o/ hi',
    '{code} \\d+ and \\w',
    '[x] \\n is a line feed',
    '[a] \\\\server\\share',
    '{"text": "C:\\Windows"',
    'C:\\2024\\05 [scan]',
  ]) {
    t.equal(textOf(cleanMessage(rules, text)), text)
    t.equal(textOf(cleanPlain(rules, text)), text)
  }
})

t.test('heads of packets carry no cards and no markup', async (t) => {
  for (const packet of [
    `40/chat?pan=${PAN},`,
    `40/${PAN},`,
    '40/chat?pan=4111%201111%201111%201111,',
    '40/chat?x=%3Cimg%20src=x%20onerror=alert(1)%3E,',
    '42/%3Cb%3E,["message",{"text":"x"}]',
    `42${PAN.slice(0, 15)}["message",{"text":"x"}]`,
    '42378282246310005["message",{"text":"x"}]',
    '43378282246310005[]',
  ]) {
    t.equal(textOf(cleanPacket(rules, packet)), null, packet)
    t.equal(textOf(cleanPacket3(rules, packet)), null, packet)
  }
  for (const packet of ['40/chat?token=a-b%20c,', '40/agents,{"token":"x"}', '421234567890["message",{"text":"x"}]'])
    t.equal(textOf(cleanPacket(rules, packet)), packet)
})

t.test('a patch puts text where no field path looks', async (t) => {
  t.equal(bodyKind(['content-type', 'application/json-patch+json']), 'unreadable')
  t.equal(bodyKind(['content-type', 'application/JSON-patch+json; charset=utf-8']), 'unreadable')
  t.equal(bodyKind(['content-type', 'application/merge-patch+json']), 'json')
})

t.test('UTF-16 that says it is UTF-8', async (t) => {
  const wide = (text: string) => Buffer.from(text, 'utf16le').toString('utf8')
  t.notMatch(textOf(cleanPlain(rules, wide('<img src=x onerror=alert(1)>'))), /i\0?m\0?g/)
  t.notMatch(textOf(cleanPlain(rules, wide(`card ${PAN}`)))!.replaceAll('\0', ''), /4111/)
  t.equal(document(wide('{"text":"<b>"}')), null)
})
