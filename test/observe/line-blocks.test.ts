/** Lines become bytes: every line once, in order, whole, and never more of them waiting than is said. */
import fc from 'fast-check'
import t from 'tap'
import { LineBlocks } from '../../src/observe/line-blocks.ts'

t.test('whatever is added comes out in order, whole lines in each block', (t) => {
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }).map((text) => text.replaceAll('\n', ' ').toWellFormed()),
    fc.integer({ min: 0, max: 40_000 }).map((length) => '\u20ac'.repeat(length)),
  )
  const step = fc.oneof({ weight: 5, arbitrary: line }, { weight: 1, arbitrary: fc.constant(null) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 20_000), (steps, blockBytes) => {
      const blocks = new LineBlocks(blockBytes)
      const added: string[] = []
      let text = ''
      let lines = 0
      const take = (): boolean => {
        const waited = blocks.waiting
        const block = blocks.take()
        if (block === null) return false
        if (block.length > waited) throw new Error(`${block.length} bytes, and ${waited} were said to wait`)
        const part = block.bytes.toString('utf8', 0, block.length)
        if (!part.endsWith('\n') || part.split('\n').length - 1 !== block.lines) throw new Error('a torn line')
        text += part
        lines += block.lines
        // Filled with something else before it is used again: nobody may look at it any more.
        block.bytes.fill(0x21)
        blocks.giveBack(block)
        return true
      }
      for (const each of steps) {
        if (each === null) take()
        else {
          added.push(each)
          blocks.add(each)
        }
      }
      while (take()) {}
      return (
        text === added.map((each) => `${each}\n`).join('') &&
        lines === added.length &&
        blocks.lines === 0 &&
        blocks.waiting === 0
      )
    }),
    { numRuns: 300, seed: 20260101 },
  )
  t.end()
})

t.test('a block that was given back is filled again', (t) => {
  const blocks = new LineBlocks(0)
  blocks.add('one')
  const first = blocks.take()!
  blocks.giveBack(first)
  blocks.add('two')
  const second = blocks.take()!
  t.equal(second.bytes, first.bytes)
  t.equal(blocks.take(), null)
  t.end()
})
