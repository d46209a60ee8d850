/** Content at rest: what was sealed opens, in any part; nothing cut, exchanged, doubled or altered does. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { deriveKey, idOf, KeyRing, type RingKey } from '../../src/keys/key-ring.ts'
import { CHUNK_BYTES, HEADER_BYTES, keyIdOf, SealedContent, StreamSealer } from '../../src/keys/sealed-stream.ts'

const keyOf = (seed: string): RingKey => {
  const key = deriveKey(Buffer.from(seed), 'test', 32)
  return { id: idOf(key), created: '2026-11-22T00:00:00Z', key }
}
const old = keyOf('old')
const current = keyOf('current')
const ring = new KeyRing([current, old], current)
const SEALED = CHUNK_BYTES + 16
const run = { seed: 11, numRuns: 60 }

function seal(plain: Buffer, name = 'a.txt', by = ring, pieces: readonly number[] = []): Buffer {
  const sealer = new StreamSealer(by, name)
  const out = [sealer.header]
  let at = 0
  for (const size of [...pieces, plain.length]) {
    out.push(sealer.push(plain.subarray(at, at + size)))
    at += size
  }
  out.push(sealer.end())
  return Buffer.concat(out)
}

function open(stored: Buffer, name = 'a.txt', by = ring): Promise<SealedContent | null> {
  return SealedContent.open(by, name, stored.length, async (buffer, position) => stored.copy(buffer, 0, position))
}

async function openAll(stored: Buffer, name = 'a.txt', by = ring): Promise<Buffer | null> {
  const content = await open(stored, name, by)
  return content === null ? null : content.read(0, content.size)
}

t.test('what was sealed opens, however it came in pieces, in any part', async () => {
  const sizes = fc.oneof(
    fc.integer({ min: 0, max: 300 }),
    fc.integer({ min: CHUNK_BYTES - 2, max: CHUNK_BYTES + 2 }),
    fc.integer({ min: 3 * CHUNK_BYTES - 2, max: 3 * CHUNK_BYTES + 2 }),
    fc.integer({ min: 0, max: 5 * CHUNK_BYTES }),
  )
  await fc.assert(
    fc.asyncProperty(
      sizes,
      fc.array(fc.integer({ min: 0, max: 2 * CHUNK_BYTES }), { maxLength: 5 }),
      fc.array(fc.tuple(fc.nat(5 * CHUNK_BYTES), fc.nat(2 * CHUNK_BYTES)), { maxLength: 6 }),
      async (size, pieces, parts) => {
        const plain = randomBytes(size)
        const content = await open(seal(plain, 'a.txt', ring, pieces))
        if (content === null || content.size !== size) return false
        for (const [from, length] of [[0, size] as const, ...parts]) {
          const part = await content.read(from, length)
          if (part === null || !part.equals(plain.subarray(from, from + length))) return false
        }
        return true
      },
    ),
    run,
  )
})

t.test('every bit counts', async (t) => {
  const stored = seal(Buffer.from('what the customer said'))
  for (let bit = 0; bit < stored.length * 8; bit++) {
    stored[bit >> 3]! ^= 1 << (bit & 7)
    if ((await openAll(stored)) !== null) t.fail(`bit ${bit}`)
    stored[bit >> 3]! ^= 1 << (bit & 7)
  }
  t.equal(String(await openAll(stored)), 'what the customer said')
  const long = seal(randomBytes(2 * CHUNK_BYTES + 100))
  const changes = fc.tuple(fc.nat(long.length - 1), fc.integer({ min: 1, max: 255 }))
  await fc.assert(
    fc.asyncProperty(changes, async ([at, by]) => {
      const altered = Buffer.from(long)
      altered[at]! ^= by
      return (await openAll(altered)) === null
    }),
    run,
  )
})

t.test('cut anywhere, it does not open; nor with anything behind it', async (t) => {
  const stored = seal(randomBytes(2 * CHUNK_BYTES + 100))
  const cuts = [
    0,
    1,
    HEADER_BYTES - 1,
    HEADER_BYTES,
    HEADER_BYTES + 15,
    HEADER_BYTES + 16,
    HEADER_BYTES + SEALED,
    HEADER_BYTES + 2 * SEALED,
    HEADER_BYTES + 2 * SEALED + 16,
    stored.length - 1,
  ]
  for (const cut of cuts) t.equal(await open(stored.subarray(0, cut)), null, `cut at ${cut}`)
  for (const more of [1, 16, SEALED])
    t.equal(await open(Buffer.concat([stored, Buffer.alloc(more)])), null, `${more} more`)
  const short = seal(Buffer.from('short'))
  for (let cut = 0; cut < short.length; cut++)
    if ((await open(short.subarray(0, cut))) !== null) t.fail(`cut at ${cut}`)
})

t.test('chunks exchanged, doubled, left out, or from another file', async (t) => {
  const chunk = (file: Buffer, i: number) => file.subarray(HEADER_BYTES + i * SEALED, HEADER_BYTES + (i + 1) * SEALED)
  const plain = randomBytes(4 * CHUNK_BYTES)
  const one = seal(plain)
  const two = seal(plain)
  const head = one.subarray(0, HEADER_BYTES)
  const orders: [string, Buffer[]][] = [
    ['exchanged', [0, 2, 1, 3].map((i) => chunk(one, i))],
    ['doubled', [0, 1, 1, 2, 3].map((i) => chunk(one, i))],
    ['left out', [0, 2, 3].map((i) => chunk(one, i))],
    ['the last one alone', [chunk(one, 3)]],
    ['the last one twice', [0, 1, 2, 3, 3].map((i) => chunk(one, i))],
    ['of another file', [chunk(one, 0), chunk(two, 1), chunk(one, 2), chunk(one, 3)]],
  ]
  for (const [what, chunks] of orders) t.equal(await openAll(Buffer.concat([head, ...chunks])), null, what)
  t.equal(
    await openAll(Buffer.concat([two.subarray(0, HEADER_BYTES), ...[0, 1, 2, 3].map((i) => chunk(one, i))])),
    null,
    'another header',
  )
  t.not(await openAll(Buffer.concat([head, ...[0, 1, 2, 3].map((i) => chunk(one, i))])), null)
})

t.test('the whole length is vouched for before a byte is read', async (t) => {
  const stored = seal(randomBytes(3 * CHUNK_BYTES))
  // A cut between two chunks makes a shorter file of whole chunks.
  t.equal(await open(stored.subarray(0, HEADER_BYTES + 2 * SEALED)), null)
})

t.test('under another name, or without its key, it does not open', async (t) => {
  const stored = seal(Buffer.from('x'), 'web/é.txt')
  t.equal(String(await openAll(stored, 'web/é.txt'.normalize('NFD'))), 'x', 'a name is one however it is composed')
  t.equal(await open(stored, 'é.txt'), null)
  const before = seal(Buffer.from('x'), 'a.txt', new KeyRing([old], old))
  t.equal(String(await openAll(before)), 'x', 'an older key opens')
  t.equal(keyIdOf(before), old.id)
  t.equal(await open(before, 'a.txt', new KeyRing([current], current)), null)
})

t.test('two files of the same content have nothing in common', async (t) => {
  const plain = Buffer.alloc(CHUNK_BYTES)
  const [one, two] = [seal(plain), seal(plain)]
  t.notSame(one.subarray(16, 48), two.subarray(16, 48))
  t.notSame(one.subarray(HEADER_BYTES), two.subarray(HEADER_BYTES))
})

t.test('whatever bytes there are, nothing throws', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.boolean(), async (bytes, hasHeader) => {
      const stored = hasHeader
        ? Buffer.concat([seal(Buffer.from('x')).subarray(0, HEADER_BYTES), bytes])
        : Buffer.from(bytes)
      return (await open(stored)) === null
    }),
    { seed: 3, numRuns: 500 },
  )
})
