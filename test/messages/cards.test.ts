import t from 'tap'
import type { MessagesConfig } from '../../src/config/shape.ts'
import { hasCardInTarget } from '../../src/messages/cards.ts'
import { cleanForm } from '../../src/messages/forms.ts'
import { cleanDocument, cleanMessage, cleanPlain, compileRules, type MessageRules } from '../../src/messages/rules.ts'
import { cleanPacket } from '../../src/messages/socketio-packets.ts'
import { messagesConfig } from '../kit/message-rules.ts'

const config = (changes: Partial<MessagesConfig> = {}): MessagesConfig =>
  messagesConfig({ maxSize: 16_384, ...changes })
const rules = compileRules(config())
const every = compileRules(config({ fields: [], events: {} }))
const document = (each: MessageRules, value: unknown): unknown => {
  const cleaned = cleanDocument(each, typeof value === 'string' ? value : JSON.stringify(value))
  return cleaned.outcome === 'refused' ? cleaned.reason : JSON.parse(cleaned.text)
}

t.test('a card is masked the same way on every transport', (t) => {
  const text = 'my card is 4111 1111 1111 1111, cvv 123'
  const masked = 'my card is **** **** **** 1111, cvv ***'
  t.same(document(rules, { text }), { text: masked })
  t.equal(cleanPlain(rules, text).text, masked)
  t.equal(cleanMessage(rules, JSON.stringify({ text })).text, JSON.stringify({ text: masked }))
  t.equal(cleanMessage(rules, text).text, masked)
  t.equal(cleanPacket(rules, `42["message",{"text":"${text}"}]`).text, `42["message",{"text":"${masked}"}]`)
  t.equal(cleanPacket(rules, `42["other","${text}"]`).text, `42["other","${masked}"]`)
  t.equal(new URLSearchParams(cleanForm(rules, `text=${encodeURIComponent(text)}`).text).get('text'), masked)
  t.end()
})

t.test('markup within a number hides nothing, whatever the mode', (t) => {
  const texts = [
    '4111<b>1111</b>11111111',
    '4<i>1</i>11<!-- x -->1111 1111 1111',
    '4111&nbsp;1111&nbsp;1111&nbsp;1111',
    '&#52;111111111111111',
    '4111<u>1111</u>1111<br>1111',
  ]
  for (const html of ['strip', 'escape'] as const) {
    for (const output of ['html', 'text'] as const) {
      const each = compileRules(config({ html, output }))
      for (const text of texts) {
        const { text: masked } = document(each, { text }) as { text: string }
        t.notMatch(
          masked.replace(/<[^>]*>|&lt;.*?&gt;|&nbsp;/g, ''),
          /\d{5}|\d{4}\D{1,3}\d{4}/,
          `${html} ${output} ${masked}`,
        )
        t.equal((document(each, { text: masked }) as { text: string }).text, masked, 'twice')
      }
    }
  }
  t.same(document(rules, { text: texts[0] }), { text: '************1111' })
  t.end()
})

t.test('a number of JSON that is a card becomes a string', (t) => {
  t.same(document(every, '{"card":4111111111111111,"n":1}'), { card: '************1111', n: 1 })
  t.same(document(every, '{"card":4.111111111111111e15}'), { card: '************1111' })
  t.same(document(every, '{"card":4111111111111111.0}'), { card: '************1111' })
  t.same(document(every, '[6205500000000000004]'), ['***************0004'], 'more digits than a double has')
  t.same(document(every, '{"at":1763812345678,"id":9223372036854775807,"x":4111111111111112}'), {
    at: 1763812345678,
    id: Number('9223372036854775807'),
    x: 4111111111111112,
  })
  t.same(document(rules, '{"text":4111111111111111}'), { text: '************1111' })
  const kept = '{"text":"4111111111111111","id":12345678901234567890}'
  t.equal(
    cleanDocument(rules, kept).text,
    kept.replace('411111111111', '************'),
    'other numbers keep their digits',
  )
  t.end()
})

t.test('a code is known by the name of its member or field', (t) => {
  t.same(document(every, { number: '4111111111111111', cvv: '123', exp: '12/27' }), {
    number: '************1111',
    cvv: '***',
    exp: '12/27',
  })
  t.same(document(every, { cvc: 123, card_security_code: 9876, floor: 123, year: '2027' }), {
    cvc: '***',
    card_security_code: '****',
    floor: 123,
    year: '2027',
  })
  t.same(document(compileRules(config({ fields: ['$.card.cvv'] })), { card: { cvv: '123' } }), { card: { cvv: '***' } })
  t.equal(cleanForm(every, 'cvv=123&room=456').text, 'cvv=***&room=456')
  const named = '{"orderId":4111111111111111,"tracking_number":"4111111111111111","id":"5500005555555559"}'
  t.equal(cleanDocument(every, named).text, named, 'the name says what else it is')
  t.same(document(every, '{"number":4111111111111111,"cardId":"5500005555555559"}'), {
    number: '************1111',
    cardId: '************5559',
  })
  t.end()
})

t.test('what is clean stays byte for byte', (t) => {
  for (const text of ['order number 4111111111111111', 'call +49 151 12345678', '1763812345678', 'x']) {
    const json = `{ "text" : ${JSON.stringify(text)} , "id": 4503599627370497 }`
    t.same(cleanDocument(rules, json), { outcome: 'same', text: json })
  }
  t.end()
})

t.test('cards can be refused, or left alone', (t) => {
  const reject = compileRules(config({ cards: 'reject', fields: [] }))
  t.equal(document(reject, { text: 'card 4111111111111111' }), 'rule')
  t.equal(document(reject, { text: 'cvv 123' }), 'rule')
  t.equal(document(reject, '{"a":[4111111111111111]}'), 'rule')
  t.equal(cleanForm(reject, 'a=4111111111111111').outcome, 'refused')
  t.same(document(reject, { text: 'order 17' }), { text: 'order 17' })
  const off = compileRules(config({ cards: 'off' }))
  t.same(document(off, { text: '4111111111111111' }), { text: '4111111111111111' })
  t.equal(off.refusesCardsInUrl, false)
  t.end()
})

t.test('the name of a member cannot be a card', (t) => {
  t.equal(document(every, { '4111111111111111': 1 }), 'rule')
  t.end()
})

t.test('a setting shows the first six', (t) => {
  const six = compileRules(config({ cardsShown: 'first6last4' }))
  t.same(document(six, { text: '4111 1111 1111 1111' }), { text: '4111 11** **** 1111' })
  t.end()
})

t.test('each card is told once', (t) => {
  const told: string[] = []
  const each = compileRules(config({ fields: [] }), (what) => told.push(what))
  document(each, '{"a":"4111111111111111","b":5555555555554444,"id":12345678901234567890,"c":"x"}')
  t.strictSame(told, ['visa', 'mastercard'])
  t.end()
})

t.test('a card in a URL is found through its escapes', (t) => {
  for (const [path, query] of [
    ['/a', '?text=4111111111111111'],
    ['/a', '?text=4111+1111+1111+1111'],
    ['/a', '?text=4111%201111%201111%201111'],
    ['/a', '?text=%34111111111111111'],
    ['/a', '?text=%D9%A4%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1'],
    ['/pay/4111-1111-1111-1111', ''],
    ['/pay/4111%201111%201111%201111', '?x'],
  ] as const) {
    t.ok(hasCardInTarget(path, query), `${path}${query}`)
  }
  for (const [path, query] of [
    ['/socket.io/', '?EIO=4&transport=polling&t=PnQxAbc&sid=Wt4hKWcvY6u0ccF_AAAB'],
    ['/orders/4111111111111111', '?at=1763812345678'],
    ['/a', '?order_id=4111111111111111'],
    ['/%ff%fe', '?%e0%a4'],
    ['/', ''],
  ] as const) {
    t.notOk(hasCardInTarget(path, query), `${path}${query}`)
  }
  t.end()
})
