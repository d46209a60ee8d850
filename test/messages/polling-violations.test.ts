/** One rule has one effect: what drops a message over WebSocket drops it over long-polling too, and the rest goes on. */
import t from 'tap'
import { configuration } from '../../src/config/shape.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import type { MessageLimit } from '../../src/exchange/socket-bounds.ts'
import { attachmentsOf, packetLabel, plainLabel } from '../../src/messages/message-label.ts'
import { admitPackets } from '../../src/messages/packet-limits.ts'
import { cleanForm3, cleanPayload, cleanPayload3, FORM_3, PAYLOAD, PAYLOAD_3 } from '../../src/messages/polling.ts'
import { compileRules } from '../../src/messages/rules.ts'

const rulesOf = (more: Record<string, unknown> = {}) =>
  compileRules(
    configuration.parse({
      listeners: {},
      services: {},
      routes: [],
      messages: { chat: { events: { message: ['$[0].text'] }, otherEvents: 'refuse', ...more } },
    }).messages.chat!,
  )
const refusing = rulesOf()
const closing = rulesOf({ onViolation: 'close' })
const withBinary = rulesOf({ binary: 'pass' })

const GOOD = '42["message",{"text":"hi"}]'
const BAD = '42["admin",{"text":"hi"}]'
const RS = '\x1e'
const length3 = (...packets: string[]) => packets.map((each) => `${each.length}:${each}`).join('')
const form3 = (...packets: string[]) => new URLSearchParams({ d: length3(...packets) }).toString()

t.test('Engine.IO 4: the offending packets are left out, the rest goes on', (t) => {
  const dropped: string[] = []
  const onDrop = (packet: string, reason: string) => dropped.push(`${reason} ${packet}`)
  t.same(cleanPayload(refusing, [GOOD, BAD, '3', 'nonsense', GOOD].join(RS), onDrop), {
    outcome: 'changed',
    text: [GOOD, '3', GOOD].join(RS),
  })
  t.same(dropped, [`rule ${BAD}`, 'unreadable nonsense'])
  t.same(cleanPayload(refusing, BAD), { outcome: 'changed', text: '' }, 'nothing is left')
  t.same(cleanPayload(refusing, GOOD), { outcome: 'same', text: GOOD })
  t.match(cleanPayload(closing, [GOOD, BAD].join(RS)), { outcome: 'refused', reason: 'rule' })
  t.match(cleanPayload(closing, 'nonsense'), { outcome: 'refused', reason: 'unreadable' })
  t.equal(cleanPayload(refusing, `42["message",{"text":"${'x'.repeat(20_000)}"}]`), 'too-large')
  t.end()
})

t.test('Engine.IO 3: the same, by length and in forms', (t) => {
  t.same(cleanPayload3(refusing, length3(BAD, GOOD)), { outcome: 'changed', text: length3(GOOD) })
  t.same(cleanPayload3(refusing, length3(BAD)), { outcome: 'changed', text: '' })
  t.match(cleanPayload3(closing, length3(BAD, GOOD)), { outcome: 'refused' })
  const formed = cleanForm3(refusing, form3(BAD, GOOD))
  t.not(formed, 'too-large')
  if (formed !== 'too-large' && formed.outcome === 'changed') {
    t.equal(new URLSearchParams(formed.text).get('d'), length3(GOOD))
  }
  t.same(cleanForm3(refusing, form3(BAD)), { outcome: 'changed', text: '' })
  t.match(cleanForm3(closing, form3(BAD)), { outcome: 'refused' })
  t.match(cleanPayload3(refusing, '99:x'), { outcome: 'refused' }, 'a body that cannot be taken apart is refused')
  t.end()
})

t.test('attachments go with the event they belong to', (t) => {
  const bad = '452-["admin",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
  const good = '451-["message",{"text":"hi","file":{"_placeholder":true,"num":0}}]'
  t.same(cleanPayload(withBinary, [bad, 'bAAAA', 'bBBBB', good, 'bCCCC', GOOD].join(RS)), {
    outcome: 'changed',
    text: [good, 'bCCCC', GOOD].join(RS),
  })
  t.equal(attachmentsOf(bad), 2)
  t.equal(attachmentsOf(GOOD), 0)
  t.end()
})

t.test('a message is called by a name of the configuration or a fixed word', (t) => {
  for (const [packet, label] of [
    [GOOD, 'message'],
    ['42["\\u006dessage",{}]', 'message'],
    ['42/room,17["message",{}]', 'message'],
    ['42 [ "message"]', 'other'],
    [BAD, 'other'],
    ['42["__proto__"]', 'other'],
    ['42["constructor"]', 'other'],
    ['42["a\\q"]', 'other'],
    ['42[', 'other'],
    ['43[1]', 'other'],
    ['40', null],
    ['40/admin,{"token":"x"}', null],
    ['41', null],
    ['2', null],
    ['3probe', null],
    ['', null],
    ['bAAAA', null],
  ] as const) {
    t.equal(packetLabel(refusing, packet), label, packet)
  }
  t.equal(packetLabel(refusing, null), null)
  t.equal(plainLabel(refusing, null), 'binary')
  t.equal(plainLabel(refusing, BAD), 'message')
  t.end()
})

for (const isAsync of [false, true]) {
  t.test(`packets count one by one (${isAsync ? 'by a store' : 'in memory'})`, async (t) => {
    const asked: string[] = []
    const limit: MessageLimit = {
      ask(_x, event, answer) {
        asked.push(event)
        const isAllowed = asked.length <= 2
        if (!isAsync) return isAllowed
        setImmediate(answer, isAllowed)
        return null
      },
    }
    const counts: string[] = []
    const metrics = { count: (...words: unknown[]) => counts.push(words.join(' ')) }
    const admit = (body: string, closes: boolean, packets = PAYLOAD) =>
      new Promise<string | null>((resolve) => {
        admitPackets({ finished: false } as Exchange, refusing, body, packets, { limit, closes }, metrics, resolve)
      })
    t.equal(await admit([GOOD, '3', GOOD, GOOD, '3'].join(RS), false), [GOOD, '3', GOOD, '3'].join(RS))
    t.same(asked, ['message', 'message', 'message'], 'heartbeats do not count')
    t.same(counts, ['socket_refusals_total message limit'])
    t.equal(await admit(GOOD, false), '', 'nothing is left')
    t.equal(await admit('3', true), '3', 'the same body where nothing was dropped')
    t.equal(await admit([GOOD, GOOD].join(RS), true), null)
    t.equal(await admit(length3(GOOD, '2'), false, PAYLOAD_3), '1:2')
    t.equal(await admit(form3(GOOD, '2'), false, FORM_3), 'd=1%3A2')
  })
}
