/** Long-polling bodies of Engine.IO 3 and 4: framing, old clients' forms, attachments, and bodies that read in two ways. */
import { createRequire } from 'node:module'
import { parse } from 'node:querystring'
import fc from 'fast-check'
import t from 'tap'
import { type CleanedPayload, cleanForm3, cleanPayload, cleanPayload3 } from '../../src/messages/polling.ts'
import { compileRules } from '../../src/messages/rules.ts'
import { cleanPacket, cleanPacket3 } from '../../src/messages/socketio-packets.ts'
import { messagesConfig } from '../kit/message-rules.ts'

const config = messagesConfig({ otherEvents: 'pass', maxSize: 2000 })
const rules = compileRules(config)
/** Refuses the whole where another set drops a packet. */
const closing = compileRules({ ...config, onViolation: 'close' })
const binary = compileRules({ ...config, binary: 'pass' })

const textOf = (cleaned: CleanedPayload): string => {
  if (cleaned === 'too-large') return cleaned
  return cleaned.outcome === 'refused' ? cleaned.reason : cleaned.text
}
const event = (text: string): string => `42["message",${JSON.stringify({ text })}]`
const framed = (...packets: string[]): string => packets.map((each) => `${each.length}:${each}`).join('')

/** The reference parser of Engine.IO 3. */
const reference = createRequire(createRequire(import.meta.url).resolve('socket.io-2'))('engine.io-parser') as {
  decodePayload(text: string, callback: (packet: { type: string; data?: unknown }) => void): void
  encodePayload(packets: { type: string; data?: string }[], binary: boolean, callback: (text: string) => void): void
}
function read(payload: string): string[] {
  const packets: string[] = []
  reference.decodePayload(payload, (packet) => void packets.push(`${packet.type} ${packet.data ?? ''}`))
  return packets
}
/** As the reference server reads a form post. */
function readForm(body: string): string[] {
  const { d } = parse(body)
  if (typeof d !== 'string') return []
  return read(d.replace(/(\\)?\\n/g, (match, slash) => (slash ? match : '\n')).replace(/\\\\n/g, '\\n'))
}
/** As the reference client writes one. */
function writeForm(payload: string): string {
  return new URLSearchParams({ d: payload.replace(/\\n/g, '\\\\n').replace(/\n/g, '\\n') }).toString()
}

t.test('packets are cleaned one by one and measured again, in UTF-16 units', async (t) => {
  t.equal(textOf(cleanPayload3(rules, framed('2', event('<b>x</b>'), '3'))), framed('2', event('x'), '3'))
  const emoji = framed(event('😀 <i>é</i>'), event('12:34'))
  t.equal(textOf(cleanPayload3(rules, emoji)), framed(event('😀 é'), event('12:34')))
  const clean = framed('2probe', event('😀 a < b'))
  t.same(cleanPayload3(rules, clean), { outcome: 'same', text: clean })
  t.same(read(clean).length, 2)
})

t.test('a body of Engine.IO 3 that could be read in two ways is refused', async (t) => {
  const whole = event('x')
  const BAD = [
    whole,
    `${whole.length + 1}:${whole}`,
    `${whole.length - 1}:${whole}`,
    `0${whole.length}:${whole}`,
    `+${whole.length}:${whole}`,
    ` ${whole.length}:${whole}`,
    `0x${whole.length.toString(16)}:${whole}`,
    `${whole.length}.0:${whole}`,
    `1e1:${whole}`,
    `${whole.length} :${whole}`,
    `-1:${whole}`,
    `0:${framed(whole)}`,
    `99999999999:${whole}`,
    `${framed(whole)}1`,
    `${framed(whole)}:`,
    `${framed('2')}x${framed(whole)}`,
    framed('42["message",{"text":"\x1e42[]"}]'),
    framed('7', whole),
    framed('42["error","x"]'),
    framed('42["connect","x"]'),
    framed('b4PGI+'),
    framed('451-["message",{"_placeholder":true,"num":0}]', 'b4PGI+'),
    // Half of a pair: the rest would stand before the next length.
    '5:42["\ud83d\ude00"]'.slice(0, 8),
  ]
  for (const body of BAD) t.equal(textOf(cleanPayload3(closing, body)), 'unreadable', JSON.stringify(body))
  t.equal(textOf(cleanPayload3(rules, framed(...Array(257).fill('3')))), 'too-large')
  t.equal(textOf(cleanPayload3(rules, framed(event('ü'.repeat(1000))))), 'too-large')
})

t.test('attachments pass where the rules say so, and the JSON beside them is cleaned', async (t) => {
  const first = '451-["message",{"text":"<b>x</b>","file":{"_placeholder":true,"num":0}}]'
  const cleaned = first.replace('<b>x</b>', 'x')
  t.equal(textOf(cleanPayload(binary, `${first}\x1ebPGI+`)), `${cleaned}\x1ebPGI+`)
  t.equal(textOf(cleanPayload3(binary, framed(first, 'b4PGI+'))), framed(cleaned, 'b4PGI+'))
  t.equal(textOf(cleanPayload(binary, '461-/a,7["<b>"]')), '461-/a,7["<b>"]', 'events that are not named pass here')
  for (const packet of [
    '450-["message"]',
    '4511-["message"]',
    '45["message"]',
    '451["message"]',
    '45-1-["message"]',
    '451-{"a":1}',
    'b<b>',
    'bA=B=',
  ]) {
    t.equal(cleanPacket(binary, packet).outcome, 'refused', packet)
    t.equal(cleanPacket3(binary, packet).outcome, 'refused', packet)
  }
  t.equal(cleanPacket3(binary, 'b2AAAA').outcome, 'refused', 'only messages are binary')
  t.equal(cleanPacket(rules, first).outcome, 'refused')
})

t.test('forms of old clients are cleaned inside', async (t) => {
  const text = 'one\ntwo \\n three \\\\n <b>four</b> & five + 100 % 😀'
  const form = writeForm(framed(event(text)))
  const sent = textOf(cleanForm3(rules, form))
  const [packet] = readForm(sent)
  t.equal(
    packet,
    `message ${JSON.stringify(['message', { text: 'one\ntwo \\n three \\\\n four & five + 100 % 😀' }]).replace(/^/, '2')}`,
  )
  const clean = writeForm(framed(event('a < b\n')))
  t.same(cleanForm3(rules, clean), { outcome: 'same', text: clean })
  for (const body of [
    '',
    'd',
    'd=',
    'x=1',
    `${form}&x=1`,
    `${form}&d=1`,
    `x=1&${form}`,
    `d[]=${form.slice(2)}`,
    `%64=${form.slice(2)}`,
    `d=${form.slice(2)};x`,
    'd=%',
    'd=%ff',
    'd=1%003',
    'd=1:3\x1e42["x"]',
  ]) {
    const cleaned = cleanForm3(closing, body)
    if (body === 'd=') t.same(cleaned, { outcome: 'same', text: body })
    else t.equal(textOf(cleaned), 'unreadable', body)
  }
})

t.test('a body that a session of forms would read as one is made to read one way', async (t) => {
  // A server goes by how the session began: with `j` it looks for `d` in any body.
  const inner = encodeURIComponent(framed(event('<script>alert(1)</script>')))
  const inside = encodeURIComponent(event('<script>alert(1)</script>'))
  for (const [clean, body] of [
    [cleanPayload, event(`&d=${inside}&`)],
    [cleanPayload, event(`&%64=${inner}&`)],
    [cleanPayload3, framed(event(`&d=${inner}&`))],
    [cleanPayload3, framed(`42["other","&d=${inner}&"]`)],
  ] as const) {
    t.match(parse(body).d, /script/, 'the trap')
    const sent = textOf(clean(rules, body))
    t.equal(parse(sent).d, undefined, sent)
    t.same(JSON.parse(sent.slice(sent.indexOf('['))), JSON.parse(body.slice(body.indexOf('['))), 'the same words')
  }
  t.equal(textOf(cleanPayload(closing, '42/a?&d=1,["message",{}]')), 'unreadable')
})

t.test('what passes is what the reference parser reads, for any text', async () => {
  const texts = fc.array(
    fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('<b>x', '\\n', '\n', '\\\\n', '&d=1', '1:2', '\u2028')),
    { minLength: 1, maxLength: 4 },
  )
  fc.assert(
    fc.property(texts, (list) => {
      const packets = list.map((text) => event(text.toWellFormed()))
      const cleaned = textOf(cleanPayload3(rules, framed(...packets)))
      const expected = packets.map((each) => rules.visit((JSON.parse(each.slice(2))[1] as { text: string }).text))
      const heard = (all: string[]) => all.map((each) => JSON.parse(each.slice(9))[1].text)
      if (JSON.stringify(heard(read(cleaned))) !== JSON.stringify(expected)) return false
      const form = textOf(cleanForm3(rules, writeForm(framed(...packets))))
      return JSON.stringify(heard(readForm(form))) === JSON.stringify(expected)
    }),
    { seed: 5, numRuns: 300 },
  )
})

t.test('arbitrary bodies never crash, and no markup passes', async () => {
  const piece = fc.constantFrom(
    '1:',
    '2',
    '3',
    '42["message",{"text":"<b>"}]',
    '28:',
    '42[',
    ':',
    '\x1e',
    '4',
    'b4',
    '&d=',
    'd=',
    '%',
    '\\n',
    '"',
    ']',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 5 })), { maxLength: 12 }), (pieces) => {
      const body = pieces.join('')
      for (const clean of [cleanPayload, cleanPayload3, cleanForm3]) {
        const sent = clean(rules, body)
        if (sent === 'too-large' || sent.outcome === 'refused') continue
        // Read by each kind of session.
        for (const packet of [...read(sent.text), ...readForm(sent.text)]) {
          if (/message","?.*<b>/.test(packet)) return false
        }
      }
      return true
    }),
    { seed: 6, numRuns: 2000 },
  )
})
