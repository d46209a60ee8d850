/** permessage-deflate (RFC 7692): the offers that are taken, and messages inflated and deflated by themselves. */
import { constants, deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { agreeOnDeflate, deflateMessage, inflateMessage } from '../../src/http/permessage-deflate.ts'

const BASE = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'

t.test('offers that can be met', async (t) => {
  for (const [offer, answer, bits] of [
    ['permessage-deflate', BASE, 13],
    ['permessage-deflate; client_max_window_bits', BASE, 13],
    ['permessage-deflate; client_max_window_bits=8', BASE, 13],
    ['permessage-deflate;server_no_context_takeover ; client_no_context_takeover', BASE, 13],
    ['permessage-deflate; server_max_window_bits=10', `${BASE}; server_max_window_bits=10`, 10],
    ['permessage-deflate; server_max_window_bits="15"', `${BASE}; server_max_window_bits=15`, 13],
    ['x-own; a="b;c, d", permessage-deflate', BASE, 13],
    ['permessage-deflate; server_max_window_bits=8, permessage-deflate', BASE, 13],
    ['permessage-deflate; unknown=1,\tpermessage-deflate', BASE, 13],
  ] as const)
    t.same(agreeOnDeflate(offer), { answer, windowBits: bits }, offer)
})

t.test('those that cannot, and malformed fields', async (t) => {
  for (const offer of [
    null,
    '',
    'x-webkit-deflate-frame',
    'permessage-deflate-x',
    'permessage-deflate; server_max_window_bits',
    'permessage-deflate; server_max_window_bits=7',
    'permessage-deflate; server_max_window_bits=16',
    'permessage-deflate; server_max_window_bits=010',
    'permessage-deflate; client_max_window_bits=0',
    'permessage-deflate; client_max_window_bits=""',
    'permessage-deflate; client_no_context_takeover=1',
    'permessage-deflate; client_no_context_takeover; client_no_context_takeover',
    'permessage-deflate; mystery',
    'permessage-deflate,',
    ',permessage-deflate',
    'permessage-deflate;',
    'permessage-deflate=1',
    'permessage-deflate; a="b',
    'permessage deflate',
    `permessage-deflate${'; a=b'.repeat(400)}`,
    `${'x, '.repeat(20)}permessage-deflate`,
  ])
    t.equal(agreeOnDeflate(offer), null, String(offer))
})

t.test('a message, and back', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 9, max: 15 }), (bytes, bits) => {
      const back = inflateMessage(deflateMessage(Buffer.from(bytes), bits), 3000)
      return back instanceof Buffer && back.equals(bytes)
    }),
    { seed: 7692, numRuns: 300 },
  )
})

t.test('whatever comes, nothing throws and the cap holds', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 2000 }), (bytes, cap) => {
      const got = inflateMessage(Buffer.from(bytes), cap)
      return got === null || got === 'too-large' || got.length <= cap
    }),
    { seed: 7692, numRuns: 2000 },
  )
})

t.test('bombs, broken data, and blocks of every kind', async (t) => {
  const bomb = deflateMessage(Buffer.alloc(5_000_000), 15)
  t.ok(bomb.length < 10_000)
  t.equal(inflateMessage(bomb, 100_000), 'too-large')
  t.equal(inflateMessage(Buffer.from([7, 7, 7, 7]), 100), null)
  t.same(inflateMessage(Buffer.from([0]), 100), Buffer.alloc(0), 'an empty message (7.2.3.6)')
  t.same(inflateMessage(Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), 100), Buffer.from('Hello'), '7.2.3.1')
  t.same(
    inflateMessage(Buffer.from([0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00]), 100),
    Buffer.from('Hello'),
    'without compression (7.2.3.3)',
  )
  t.same(
    inflateMessage(Buffer.from([0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]), 100),
    Buffer.from('Hello'),
    'a final block (7.2.3.4)',
  )
  t.same(
    inflateMessage(Buffer.from([0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00]), 100),
    Buffer.from('Hello'),
    'two blocks (7.2.3.5)',
  )
  t.equal(inflateMessage(Buffer.from([0xf2, 0x00, 0x11, 0x00, 0x00]), 100), null, 'context that was refused (7.2.3.2)')
  const final = deflateRawSync(Buffer.from('first'), { finishFlush: constants.Z_FINISH })
  t.same(inflateMessage(Buffer.concat([final, deflateMessage(Buffer.from('<b>'), 15)]), 100), Buffer.from('first'))
})
