/** Writes that are put off: in order, together, not lost, and never longer than to the end of the turn. */
import { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { destroySaid, holdToEndOfTurn, roomForTurn } from '../../src/exchange/end-of-turn.ts'

class Sink extends Duplex {
  readonly writes: string[] = []

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(String(chunk))
    done()
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)).toString())
    done()
  }
}

t.test('what is written in a turn goes out at its end, in order and in one piece', async (t) => {
  const one = new Sink()
  const other = new Sink()
  for (const text of ['a', 'b', 'c']) {
    for (const sink of [one, other]) {
      holdToEndOfTurn(sink)
      sink.write(text)
    }
  }
  one.write('d')
  t.same([one.writes, other.writes], [[], []])
  await nextTurn()
  await nextTurn()
  t.same([one.writes, other.writes], [['abcd'], ['abc']])
  one.write('e')
  t.same(one.writes, ['abcd', 'e'], 'and nothing is held in the next turn')
})

t.test('a crowd does not wait for its last one', async (t) => {
  const sinks = Array.from({ length: 100 }, () => new Sink())
  for (const sink of sinks) {
    holdToEndOfTurn(sink)
    sink.write('x')
  }
  const out = sinks.filter(({ writes }) => writes.length > 0).length
  t.ok(out >= 60 && out < 100, `${out} of 100`)
  await nextTurn()
  await nextTurn()
  t.ok(sinks.every(({ writes }) => writes.join('') === 'x'))
})

t.test('an end, and a destruction, come behind what was said', async (t) => {
  const ended = new Sink()
  holdToEndOfTurn(ended)
  ended.write('said')
  ended.end(' and done')
  const destroyed = new Sink()
  holdToEndOfTurn(destroyed)
  destroyed.write('said')
  destroySaid(destroyed)
  t.same(destroyed.writes, ['said'])
  t.equal(destroyed.destroyed, true)
  const lost = new Sink()
  holdToEndOfTurn(lost)
  lost.write('never sent')
  lost.destroy()
  await nextTurn()
  await nextTurn()
  t.equal(ended.writes.join(''), 'said and done')
  t.same(lost.writes, [])
})

t.test('room for a turn is given once in it, and again in the next', async (t) => {
  const sink = new Sink()
  holdToEndOfTurn(sink)
  const rooms = Array.from({ length: 20 }, () => roomForTurn(4000))
  for (const [i, room] of rooms.entries()) room.fill(i)
  t.ok(
    rooms.every((room, i) => room.length === 4000 && room.every((byte) => byte === i)),
    'none lies over another, also when there is no more of it',
  )
  t.equal(rooms[0]!.buffer, rooms[1]!.buffer)
  t.not(rooms[19]!.buffer, rooms[0]!.buffer, 'what does not fit is memory of its own')
  sink.write('x')
  await nextTurn()
  await nextTurn()
  const again = roomForTurn(4000)
  t.equal(again.buffer, rooms[0]!.buffer)
  t.equal(again.byteOffset, rooms[0]!.byteOffset)
})

t.test('what is put together while others are written is not written over', async (t) => {
  const later = new Sink()
  let room: Buffer | null = null
  class Answering extends Sink {
    override _write(chunk: Buffer, encoding: string, done: () => void): void {
      super._write(chunk, encoding, done)
      holdToEndOfTurn(later)
      room = roomForTurn(100).fill('a')
      later.write(room)
    }
  }
  const first = new Answering()
  holdToEndOfTurn(first)
  roomForTurn(100)
  first.write('x')
  await nextTurn()
  t.not(room, null)
  roomForTurn(20_000).fill('b')
  t.equal(String(room), 'a'.repeat(100))
  await nextTurn()
  await nextTurn()
  t.equal(later.writes.join(''), 'a'.repeat(100))
})
