/** What is shown of what a service sends: packets, polls and WebSocket messages by the rules, and by roles. */
import t from 'tap'
import type { TunnelFilter, TunnelSides } from '../../src/exchange/contracts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { BINARY, CLOSE, FrameReader, PING, parseClose, TEXT, writeFrame } from '../../src/http/websocket-frames.ts'
import { compileHiders } from '../../src/messages/hide.ts'
import { cleanMessage } from '../../src/messages/rules.ts'
import { answerCleaners, type CleanerFor } from '../../src/messages/shown.ts'
import { showPacket, showPayload, showPayload3 } from '../../src/messages/shown-packets.ts'
import { shownFilter } from '../../src/messages/shown-socket.ts'
import { webSocketFilter } from '../../src/messages/websocket-filter.ts'
import { messageRules } from '../kit/message-rules.ts'

const hiders = compileHiders([{ fields: ['$..phone'], mode: 'mask', key: null, exceptRoles: ['supervisor'] }])
const strict = answerCleaners(messageRules(), null)
const lenient = answerCleaners(messageRules({ binary: 'pass' }), null)
const closing = answerCleaners(messageRules({ onViolation: 'close', html: 'reject' }), null)
const named = answerCleaners(messageRules({ otherEvents: 'refuse' }), null)
const hiding = answerCleaners(messageRules({ binary: 'pass' }), hiders)
const textOf = (cleaned: { outcome: string; text: string }) => (cleaned.outcome === 'refused' ? null : cleaned.text)

t.test('packets of a service, by the rules', async (t) => {
  const show = (packet: string, cleaner = strict) => textOf(showPacket(cleaner([])!, packet))
  t.equal(show('42["message",{"text":"<b>x</b>","other":"<b>"}]'), '42["message",{"text":"x","other":"<b>"}]')
  t.equal(show('42/agents,7["other",{"any":"<b>x</b>"}]'), '42/agents,7["other",{"any":"x"}]')
  t.equal(show('43/agents,7["<b>x</b> 4111 1111 1111 1111"]'), '43/agents,7["x **** **** **** 1111"]')
  t.equal(show('44{"message":"<b>no</b>"}'), '44{"message":"no"}')
  t.equal(show('44"<b>no</b>"'), '44"no"')
  t.equal(show('40{"sid":"a-B_3"}'), '40{"sid":"a-B_3"}')
  t.equal(
    show('0{"sid":"x","upgrades":["websocket"],"pingInterval":1}'),
    '0{"sid":"x","upgrades":["websocket"],"pingInterval":1}',
  )
  for (const packet of ['2', '3probe', '6', '41', '40/agents,', '42["connect","x"]']) t.equal(show(packet), packet)
  const attached = '451-["message",{"text":"<b>x</b>","file":{"_placeholder":true,"num":0}}]'
  t.equal(show(attached), null)
  t.equal(show(attached, lenient), attached.replace(/<.?b>/g, ''))
  t.equal(show('bAAAA', lenient), 'bAAAA')
  for (const packet of [
    '',
    '0x',
    '42',
    '42{"a":1}'.slice(0, 4),
    '42["a"',
    '42[1]',
    '42["<b>"]',
    'bAA!A',
    '4<b>',
    '2<b>',
  ])
    t.equal(show(packet, lenient), packet === '42' ? '42' : null, packet)
  t.equal(show('42["other","x"]', named), null)
  t.equal(show('43["x"]', named), '43["x"]')
})

t.test('polls', async (t) => {
  const left: string[] = []
  const show = (payload: string, cleaner = lenient) =>
    textOf(showPayload(cleaner([])!, payload, (reason) => left.push(reason)))
  t.equal(show('42["message",{"text":"<b>1"}]\x1e42["a","a","a"'.replace(/,"a"$/, '')), '42["message",{"text":"1"}]')
  t.same(left.splice(0), ['unreadable'])
  t.equal(show('452-["<b>",1]\x1ebAAAA\x1ebBBBB\x1ebCCCC'), 'bCCCC', 'attachments go with their event')
  t.equal(show('42["message",{"text":"<b>"}]', closing), null, 'one that breaks a rule ends the poll')
  t.equal(textOf(showPayload3(strict([])!, '2:4024:42["message",{"text":""}]')), null)
  const emoji = '42["message",{"text":"<b>😀</b>"}]'
  t.equal(textOf(showPayload3(strict([])!, `${emoji.length}:${emoji}`)), '27:42["message",{"text":"😀"}]')
})

class Sides implements TunnelSides {
  readonly client: Buffer[] = []
  readonly counted: string[] = []
  readonly filter: TunnelFilter

  constructor(cleanerFor: CleanerFor, roles: readonly string[], speaksSocketIo = false) {
    const metrics = {
      count: (name: string, label: string, second = '') => void this.counted.push(`${name} ${label} ${second}`),
    }
    const inner = webSocketFilter(messageRules(), cleanMessage, metrics)
    this.filter = shownFilter(inner, 1000, cleanerFor, speaksSocketIo, metrics)({ roles } as Exchange, this)
  }
  toClient(chunk: Buffer): void {
    this.client.push(chunk)
  }
  toUpstream(): void {}
  pauseClient(): void {}
  resumeClient(): void {}
  admit(): boolean {
    return true
  }
  end(): void {}

  send(...frames: [opcode: number, text: string][]): string[] {
    for (const [opcode, text] of frames) this.filter.onUpstreamData(writeFrame(opcode, Buffer.from(text), false))
    const reader = new FrameReader(false, 10_000)
    reader.push(Buffer.concat(this.client.splice(0)))
    const seen: string[] = []
    while (reader.next()) {
      seen.push(`${reader.opcode} ${reader.opcode === CLOSE ? parseClose(reader.payload)!.code : reader.payload}`)
    }
    return seen
  }
}

t.test('WebSocket messages of a service', async (t) => {
  const plain = new Sides(strict, [])
  t.same(
    plain.send(
      [TEXT, '{"text":"<b>x</b>"}'],
      [TEXT, '<i>words</i>'],
      [PING, '<b>'],
      [BINARY, '<b>'],
      [TEXT, '{"a":1,"a":2}'],
    ),
    ['1 {"text":"x"}', '1 words', '9 <b>'],
  )
  t.ok(plain.counted.includes('socket_refusals_total service binary'))
  t.ok(plain.counted.includes('socket_refusals_total service unreadable'))
  t.same(new Sides(lenient, []).send([BINARY, '<b>']), ['2 <b>'])
  t.same(new Sides(closing, []).send([TEXT, '{"text":"x"}'], [TEXT, '<b>'], [TEXT, 'never']), [
    '1 {"text":"x"}',
    '8 1011',
  ])
  const packets = new Sides(lenient, [], true)
  const file = '451-["message",{"text":"<b>","file":{"_placeholder":true,"num":0}}]'
  t.same(packets.send([TEXT, file], [BINARY, 'one']), [`1 ${file.replace('<b>', '')}`, '2 one'])
  t.same(
    packets.send([TEXT, file.replace('"message"', '"<b>"')], [BINARY, 'one'], [TEXT, '2']),
    ['1 2'],
    'with its attachment',
  )
})

t.test('by roles', async (t) => {
  const json = '{"text":"<b>x</b>","phone":"12345678"}'
  t.same(new Sides(hiding, []).send([TEXT, json], [BINARY, 'x']), ['1 {"text":"x","phone":"******78"}'])
  t.same(new Sides(hiding, ['agent', 'supervisor']).send([TEXT, json], [BINARY, 'x']), [
    '1 {"text":"x","phone":"12345678"}',
    '2 x',
  ])
  const only = answerCleaners(null, hiders)
  t.equal(only(['supervisor']), null, 'nothing is read then')
  t.same(new Sides(only, ['supervisor']).send([TEXT, json]), [`1 ${json}`])
  t.equal(only([])!.text('12345678').outcome, 'refused', 'in words nobody finds a field')
})
