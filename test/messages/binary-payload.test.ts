/** Bodies of Engine.IO 3 with attachments as bytes: cleaned as all others, and read by the reference parser as by ours. */
import { createRequire } from 'node:module'
import fc from 'fast-check'
import t from 'tap'
import { joinBinary, splitBinary } from '../../src/messages/binary-payload.ts'
import { BINARY_3, type CleanedPayload, cleanBinary3 } from '../../src/messages/polling.ts'
import { answerCleaners } from '../../src/messages/shown.ts'
import { showBinary3 } from '../../src/messages/shown-packets.ts'
import { messageRules } from '../kit/message-rules.ts'

interface Packet {
  type: string
  data?: unknown
}
const reference = createRequire(createRequire(import.meta.url).resolve('socket.io-2'))('engine.io-parser') as {
  decodePayload(body: Buffer, callback: (packet: Packet) => void): void
  encodePayload(packets: Packet[], binary: boolean, callback: (body: Buffer) => void): void
}

const passing = messageRules({ binary: 'pass', maxSize: 4000 })
const refusing = messageRules({ maxSize: 4000 })
const closing = messageRules({ maxSize: 4000, onViolation: 'close' })

/** As the reference client or server writes one: with bytes in it, or with an empty attachment put behind. */
function write(...packets: (string | Buffer)[]): string {
  let body = ''
  const list = packets.map((data) => ({ type: 'message', data }))
  if (!packets.some((each) => typeof each !== 'string')) list.push({ type: 'message', data: Buffer.alloc(0) })
  reference.encodePayload(list, true, (bytes) => {
    body = bytes.toString('latin1')
  })
  return body
}
function read(body: string): string[] {
  const packets: string[] = []
  reference.decodePayload(Buffer.from(body, 'latin1'), ({ type, data }) => {
    packets.push(Buffer.isBuffer(data) ? `${type} ${data.toString('hex')}` : `${type} ${data ?? ''}`)
  })
  return packets
}
const textOf = (cleaned: CleanedPayload): string => {
  if (cleaned === 'too-large') return cleaned
  return cleaned.outcome === 'refused' ? cleaned.reason : cleaned.text
}

const FILE = Buffer.from([0, 255, 60, 98, 62, 4, 30])
const attached = (text: string): string => `51-["message",${JSON.stringify({ text })},{"_placeholder":true,"num":0}]`
const event = (text: string): string => `2["message",${JSON.stringify({ text })}]`

t.test('texts are cleaned and measured again in bytes, attachments stay', async (t) => {
  const body = write(attached('<b>é</b> 😀'), FILE, event('<i>x</i>'))
  const cleaned = cleanBinary3(passing, body)
  t.same(read(textOf(cleaned)), [
    `message ${attached('é 😀')}`,
    `message ${FILE.toString('hex')}`,
    `message ${event('x')}`,
  ])
  const clean = write(attached('a < b 😀'), FILE)
  t.same(cleanBinary3(passing, clean), { outcome: 'same', text: clean })
})

t.test('where bytes may not pass, their event goes with them, and the others stay', async (t) => {
  const dropped: string[] = []
  const body = write(event('<b>1</b>'), attached('x'), FILE, event('2'))
  const cleaned = cleanBinary3(refusing, body, (packet) => void dropped.push(packet.slice(0, 4)))
  t.same(read(textOf(cleaned)), [`message ${event('1')}`, `message ${event('2')}`])
  t.same(dropped.slice(0, 1), ['451-'])
  t.equal(textOf(cleanBinary3(closing, body)), 'unreadable')
  t.equal(textOf(cleanBinary3(refusing, write(attached('x'), FILE))), '', 'nothing is left')
})

t.test('what could be read in two ways is refused', async (t) => {
  const good = write(event('x'), FILE)
  t.equal(textOf(cleanBinary3(passing, good)), good)
  const text = '42["message",{"text":"<b>"}]'
  const BAD: [string, string][] = [
    ['text in a body of bytes', `${text.length}:${text}`],
    ['a third kind', `\x02${good.slice(1)}`],
    ['no length', '\x00\xff'],
    ['a zero in front', `\x00\x00\x01\xff2`],
    ['a digit that is none', `\x00\x0c\xff${'2'.repeat(12)}`],
    ['digits of ASCII', '\x001\xff2'],
    ['longer than the body', '\x00\x02\xff2'],
    ['ends in its head', '\x00\x01'],
    ['a rest', `${good}x`],
    ['an endless length', `\x00${'\x09'.repeat(400)}\xff2`],
    ['bytes that begin like a text', `\x01\x02\x08\xff${text}`],
    ['bytes of another type', '\x01\x02\xff\x02x'],
    ['no UTF-8', '\x00\x03\xff42\xe9'],
    ['half of a pair', '\x00\x05\xff42\xed\xa0\x80'],
    ['an overlong letter', '\x00\x04\xff42\xc0\xbc'],
  ]
  for (const [what, body] of BAD) t.equal(textOf(cleanBinary3(passing, body)), 'unreadable', what)
  t.equal(cleanBinary3(passing, '\x00\x01\xff2'.repeat(300)), 'too-large')
  t.equal(cleanBinary3(passing, write(attached('x'), Buffer.alloc(4001))), 'too-large')
})

t.test('the reference parser reads what ours reads, for any packets', async () => {
  const packet = fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => event(text.toWellFormed())),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  )
  fc.assert(
    fc.property(fc.array(packet, { minLength: 1, maxLength: 12 }), (packets) => {
      const body = write(...packets)
      const split = splitBinary(body, 256)!
      return joinBinary(split) === body && BINARY_3.join(BINARY_3.split(body)) === body
    }),
    { seed: 21, numRuns: 400 },
  )
})

t.test('arbitrary bytes never crash, and no markup passes', async () => {
  const piece = fc.constantFrom(
    '\x00',
    '\x01',
    '\x02\x08\xff',
    '\xff',
    '\x04',
    '\x01\xff',
    '42["message",{"text":"<b>"}]',
    'b4',
    '\x1e',
  )
  const any = fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
  const framed = fc
    .tuple(fc.constantFrom('\x00', '\x01'), fc.oneof(piece, any))
    .map(
      ([kind, data]) =>
        `${kind}${[...String(data.length)].map((each) => String.fromCharCode(Number(each))).join('')}\xff${data}`,
    )
  fc.assert(
    fc.property(fc.array(fc.oneof(framed, framed, piece, any), { maxLength: 8 }), (pieces) => {
      for (const rules of [passing, refusing]) {
        const sent = cleanBinary3(rules, pieces.join(''))
        if (sent === 'too-large' || sent.outcome === 'refused') continue
        if (read(sent.text).some((packet) => /message","?.*<b>/.test(packet))) return false
      }
      return true
    }),
    { seed: 22, numRuns: 3000 },
  )
})

t.test('on the way out', async (t) => {
  const left: string[] = []
  const show = (body: string, binary: 'pass' | 'refuse') => {
    const cleaner = answerCleaners(messageRules({ binary }), null)([])!
    const shown = showBinary3(cleaner, body, (reason) => left.push(reason))
    return shown.outcome === 'refused' ? null : read(shown.text)
  }
  const body = write(attached('<b>x</b>'), FILE, event('<b>y</b>'))
  t.same(show(body, 'pass'), [`message ${attached('x')}`, `message ${FILE.toString('hex')}`, `message ${event('y')}`])
  t.same(show(body, 'refuse'), [`message ${event('y')}`])
  t.ok(left.length > 0)
  t.same(show(write(attached('x'), FILE), 'refuse'), ['noop '], 'a poll is answered by one packet at least')
  t.equal(show('42', 'pass'), null)
})
