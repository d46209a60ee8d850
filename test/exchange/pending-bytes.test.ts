/** Bytes in waiting: in order, joined once, put back in front. */
import t from 'tap'
import { PendingBytes } from '../../src/exchange/pending-bytes.ts'

t.test('what was added is taken in order, and then nothing', (t) => {
  const pending = new PendingBytes()
  t.equal(pending.take(), null)
  for (const each of ['a', 'bc', 'd']) pending.add(Buffer.from(each))
  t.equal(pending.length, 4)
  t.equal(pending.take()?.toString(), 'abcd')
  t.equal(pending.length, 0)
  t.equal(pending.take(), null)
  t.end()
})

t.test('what is put back comes before what came since', (t) => {
  const pending = new PendingBytes()
  pending.add(Buffer.from('abc'))
  const bytes = pending.take()!
  pending.add(Buffer.from('de'))
  pending.putBack(bytes.subarray(1))
  t.equal(pending.length, 4)
  t.equal(pending.take()?.toString(), 'bcde')
  pending.putBack(null)
  pending.putBack(Buffer.alloc(0))
  t.equal(pending.take(), null)
  t.end()
})

t.test('a single piece is not copied, and cleared ones are gone', (t) => {
  const pending = new PendingBytes()
  const piece = Buffer.from('abc')
  pending.add(piece)
  t.equal(pending.take(), piece)
  pending.add(piece)
  pending.add(piece)
  pending.clear()
  t.equal(pending.length, 0)
  t.equal(pending.take(), null)
  t.end()
})

t.test('what has to outlive the moment stays as it is, in order', (t) => {
  const pending = new PendingBytes()
  pending.outlive()
  for (const each of ['a', 'b', 'c']) {
    pending.add(Buffer.from(each))
    pending.outlive()
  }
  t.equal(pending.length, 3)
  t.equal(pending.take()?.toString(), 'abc')
  t.end()
})
