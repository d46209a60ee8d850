/** Event streams: cut anywhere, read as a browser reads them, one event held at most. */
import fc from 'fast-check'
import t from 'tap'
import { EventStream } from '../../src/messages/event-stream.ts'

const upper = (data: string): string | null => (data === 'drop' ? null : data.replaceAll('<b>', ''))

function run(stream: string | Buffer, cuts: number[] = [], maxBytes = 1000): string | null {
  const events = new EventStream(maxBytes, upper, (word) => !word.includes('<'))
  const bytes = Buffer.from(stream)
  const out: Buffer[] = []
  let from = 0
  for (const cut of [...cuts.map((each) => each % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    const part = events.push(Buffer.from(bytes.subarray(from, cut)))
    if (part === null) return null
    out.push(part)
    from = cut
  }
  return Buffer.concat(out).toString()
}

/** As a browser reads it (HTML, 9.2.6): type and data of each event. */
function read(stream: string): string[] {
  const seen: string[] = []
  let data: string[] = []
  let type = ''
  const lines = stream.replace(/^\ufeff/, '').split(/\r\n|\n|\r/)
  lines.pop()
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0) seen.push(`${type}|${data.join('\n')}`)
      data = []
      type = ''
    } else if (!line.startsWith(':')) {
      const colon = line.indexOf(':')
      const field = colon === -1 ? line : line.slice(0, colon)
      const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (field === 'data') data.push(value)
      if (field === 'event') type = value
    }
  }
  return seen
}

t.test('events are rewritten alone, the others keep their bytes', async (t) => {
  t.equal(run('data: a\n\ndata: <b>b\n\n'), 'data: a\n\ndata: b\n\n')
  t.equal(
    run('id: 7\nevent: x\ndata: <b>1\ndata:2\nretry: 5\nother: <b>\n\n'),
    'id: 7\nevent: x\nretry: 5\ndata: 1\ndata: 2\n\n',
  )
  t.equal(run('id: 7\nevent: <b>\ndata: x\n\n'), 'id: 7\ndata: x\n\n', 'a type that is no plain word')
  t.equal(run('id: <b>\ndata: x\nother: <b>\n\n'), 'data: x\n\n', 'an id')
  t.equal(run('event: <b>\n\n'), '\n\n')
  t.equal(run('data: drop\n\ndata: a\r\n\r\n'), 'data: a\r\n\r\n')
  t.equal(run(': <b>secret\n\n\n'), ':\n\n\n', 'a heartbeat says nothing')
  t.equal(run('data: a\r\rdata: b\r\r\n'), 'data: a\r\rdata: b\r\r\n')
  t.equal(run('\ufeffdata: <b>x\n\n'), 'data: x\n\n')
  t.equal(run('data: unfinished\n'), '')
})

t.test('what is too long or no UTF-8 ends it', async (t) => {
  t.equal(run(`data: ${'x'.repeat(1000)}`), null)
  t.equal(run(`data: ${'x'.repeat(1000)}\n\n`), null)
  t.equal(run(Buffer.from('data: \xff\n\n', 'latin1')), null)
  t.equal(run(`data: ${'x'.repeat(900)}\n\n`.repeat(5))?.length, 5 * 908)
})

t.test('cut anywhere, the browser hears the same', async () => {
  const piece = fc.constantFrom(
    'data',
    ':',
    ' ',
    '\n',
    '\r\n',
    '\r',
    '\n\n',
    'data: <b>x',
    'data: drop',
    'event: y',
    'é😀',
    '<b>',
    ': c',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.array(fc.nat(200), { maxLength: 5 }), (pieces, cuts) => {
      const stream = `${pieces.join('')}\n\n`
      const sent = run(stream, cuts)!
      const expected = read(stream)
        .filter((each) => !each.endsWith('|drop'))
        .map((each) => {
          const [type, data] = [each.slice(0, each.indexOf('|')), each.slice(each.indexOf('|') + 1)]
          return `${type.includes('<') ? '' : type}|${data.replaceAll('<b>', '')}`
        })
      return JSON.stringify(read(sent)) === JSON.stringify(expected)
    }),
    { seed: 8, numRuns: 2000 },
  )
})
