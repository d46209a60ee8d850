/** The session id gets its mark in every form of the first answer, and nothing else changes. */
import fc from 'fast-check'
import t from 'tap'
import { markOpenPacket } from '../../src/upstream/open-packet.ts'

const mark = (text: string, id = '2'): string => markOpenPacket(Buffer.from(text, 'latin1'), id).toString('latin1')
const REST = '"upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'

t.test('Engine.IO 4', async (t) => {
  t.equal(mark(`0{"sid":"lv_VI97HAXpY6yYWAAAC",${REST}`), `0{"sid":"2.lv_VI97HAXpY6yYWAAAC",${REST}`)
  t.equal(mark(`0{"sid":"a",${REST}\x1e40{"sid":"b"}`), `0{"sid":"2.a",${REST}\x1e40{"sid":"b"}`, 'once')
  t.equal(mark(`0{"pingInterval":25000,"upgrades":[],"sid":"a"}`), '0{"pingInterval":25000,"upgrades":[],"sid":"2.a"}')
})

t.test('Engine.IO 3: the length says what is there', async (t) => {
  t.equal(mark(`9:0{"sid":"a"}2:40`, 'xyz'), '13:0{"sid":"xyz.a"}2:40')
  const packet = `0{"sid":"lv_VI97HAXpY6yYWAAAC",${REST}`
  const marked = mark(`${packet.length}:${packet}2:40`)
  const [, length, rest] = /^(\d+):(.*)2:40$/.exec(marked)!
  t.equal(Number(length), rest!.length)
  t.match(rest, '"2.lv_VI97')
})

t.test('in bytes', async (t) => {
  t.equal(mark('\x00\x09\xff0{"sid":"a"}\x00\x02\xff40', 'xyz'), '\x00\x01\x03\xff0{"sid":"xyz.a"}\x00\x02\xff40')
})

t.test('as a script', async (t) => {
  t.equal(mark('___eio[7]("9:0{\\"sid\\":\\"a\\"}2:40");'), '___eio[7]("11:0{\\"sid\\":\\"2.a\\"}2:40");')
  t.equal(mark('/**/___eio[0]("0{\\"sid\\":\\"a\\"}");'), '/**/___eio[0]("0{\\"sid\\":\\"2.a\\"}");')
})

t.test('what is no open packet stays as it is', async (t) => {
  for (const text of [
    '',
    '0',
    'ok',
    '{"code":1,"message":"Session ID unknown"}',
    '40{"sid":"a"}',
    '4{"sid":"a"}',
    ' 0{"sid":"a"}',
    '0{"name":"\\"sid\\":\\"a"}',
    '0{"a":{"sid":"b"}}',
    '<html>0{"sid":"a"}',
  ]) {
    t.equal(mark(text), text)
  }
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const body = Buffer.from(bytes)
      return markOpenPacket(body, '1').equals(body)
    }),
    { seed: 8 },
  )
})

t.test('taking the mark out again gives what the service said', async () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[\w-]{1,40}$/), fc.stringMatching(/^[\w-]{1,16}$/), (sid, id) => {
      const packet = `0${JSON.stringify({ sid, upgrades: ['websocket'], pingTimeout: 5000 })}`
      const marked = mark(packet, id)
      return JSON.parse(marked.slice(1)).sid === `${id}.${sid}` && marked.replace(`${id}.`, '') === packet
    }),
    { seed: 8 },
  )
})
