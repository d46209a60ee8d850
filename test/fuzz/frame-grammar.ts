/** Requests as HTTP/2 frames, legal and mutated, several streams on a connection. It knows no server. */
import { block, END_HEADERS, END_STREAM, FRAME, frame, PADDED, uint32 } from '../kit/http2-frames.ts'
import type { Chance } from './random.ts'

interface FrameCase {
  readonly frames: readonly Buffer[]
  readonly isLegal: boolean
  /** Streams that have to be served, where the whole case is legal. */
  readonly legalStreams: readonly number[]
}

type Field = [name: string, value: string]

const PATHS = ['', '/a', '/%41', '/a/../b', '/./x', '?a=b', '/c;d?x=%2f', '//x']
const BAD_PATHS = [
  '/../..',
  '/%2f',
  '/a b',
  '/\r\nX: y',
  '*',
  'x',
  '',
  '/%00',
  '/#',
  'https://localhost/x',
  '/\xff',
  '/a\\b',
  '/ HTTP/1.1\r\nHost: x\r\n\r\nGET /smuggled',
]
const BODIES = ['', 'x', 'hello', '0\r\n\r\n', 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n', 'y'.repeat(2000)]
const FIELDS: readonly Field[] = [
  ...([
    ['accept', '*/*'],
    ['x-a', 'b'],
    ['cookie', 'a=1'],
    ['cookie', 'b=2'],
    ['te', 'trailers'],
    ['x-empty', ''],
  ] as Field[]),
  ...([
    ['x-high', '\xe9'],
    ['range', 'bytes=0-1'],
    ['content-type', 'text/plain'],
    ['x_under', '1'],
    ['host', 'localhost'],
  ] as Field[]),
]
const BAD_FIELDS: readonly Field[] = [
  ...([
    ['connection', 'close'],
    ['transfer-encoding', 'chunked'],
    ['upgrade', 'h2c'],
    ['keep-alive', '1'],
    ['te', 'gzip'],
  ] as Field[]),
  ...([
    ['host', 'other'],
    ['X-Upper', '1'],
    ['x-a', 'b\r\nContent-Length: 5'],
    ['x-a', 'b\0'],
    ['x a', '1'],
    ['x:a', '1'],
  ] as Field[]),
  ...([
    ['x-a\r\ntransfer-encoding', 'chunked'],
    ['', '1'],
    ['content-length', '5, 5'],
    ['content-length', '+5'],
  ] as Field[]),
  ...([
    ['content-length', '3'],
    ['content-length', '0'],
    ['content-length', '99999'],
    [':path', '/second'],
    [':status', '200'],
  ] as Field[]),
  ...([
    [':authority', 'other'],
    [':scheme', 'ftp'],
    [':protocol', 'websocket'],
    ['x-a', ' b '],
    ['expect', 'what'],
  ] as Field[]),
  ...([
    ['proxy-connection', 'close'],
    ['transfer_encoding', 'chunked'],
    ['content-length', ''],
    ['x-a', 'b\nc'],
  ] as Field[]),
]
const BAD_METHODS = [
  'get',
  'CONNECT',
  'TRACE',
  '',
  'GET ',
  'GET / HTTP/1.1\r\nHost: x\r\n\r\nGET',
  'PRI',
  'BREW',
  'G\xcbT',
]

function bodyFrames(chance: Chance, stream: number, body: string, isEnd: boolean): Buffer[] {
  const frames: Buffer[] = []
  let at = 0
  while (at < body.length) {
    const size = 1 + chance.below(body.length - at)
    const piece = body.slice(at, at + size)
    at += size
    const flags = isEnd && at === body.length ? END_STREAM : 0
    frames.push(
      chance.oneIn(4)
        ? frame(FRAME.data, flags | PADDED, stream, `\x05${piece}\0\0\0\0\0`)
        : frame(FRAME.data, flags, stream, piece),
    )
  }
  if (body === '' && isEnd) frames.push(frame(FRAME.data, END_STREAM, stream))
  return frames
}

function headFrames(chance: Chance, stream: number, fields: Field[], flags: number): Buffer[] {
  const bytes = block(fields)
  if (!chance.oneIn(4)) return [frame(FRAME.headers, END_HEADERS | flags, stream, bytes)]
  const at = chance.below(bytes.length)
  return [
    frame(FRAME.headers, flags, stream, bytes.subarray(0, at)),
    frame(FRAME.continuation, END_HEADERS, stream, bytes.subarray(at)),
  ]
}

/** `id` marks every path of the case. */
export function makeFrameCase(chance: Chance, id: string): FrameCase {
  const isLegal = chance.oneIn(4)
  const frames: Buffer[] = []
  const legalStreams: number[] = []
  const count = 1 + chance.below(4)
  for (let i = 0; i < count; i++) {
    const stream = i * 2 + 1
    const hasBody = chance.oneIn(2)
    const body = hasBody ? chance.pick(BODIES) : ''
    const fields: Field[] = [
      [':method', hasBody ? chance.pick(['POST', 'PUT', 'PATCH']) : chance.pick(['GET', 'GET', 'DELETE', 'OPTIONS'])],
      [':scheme', 'https'],
      [':path', `/${id}-${i}${chance.pick(PATHS)}`],
      [':authority', 'localhost'],
    ]
    // Twice is a contradiction for some of them.
    const more = new Map(Array.from({ length: chance.below(4) }, () => chance.pick(FIELDS)))
    for (const [name, value] of more) fields.push([name, value])
    if (hasBody && chance.oneIn(2)) fields.push(['content-length', String(body.length)])
    let isEnded = true
    if (!isLegal && chance.oneIn(2)) {
      const kind = chance.below(6)
      if (kind === 0) fields[2] = [':path', chance.pick(BAD_PATHS).replace('/', `/${id}-${i}/`)]
      else if (kind === 1) fields[0] = [':method', chance.pick(BAD_METHODS)]
      else if (kind === 2) fields.splice(chance.below(fields.length), 1)
      else if (kind === 3) isEnded = false
      else fields.splice(chance.below(fields.length + 1), 0, [...chance.pick(BAD_FIELDS)])
    }
    legalStreams.push(stream)
    frames.push(...headFrames(chance, stream, fields, hasBody ? 0 : END_STREAM))
    if (!hasBody) continue
    const trailers = isEnded && chance.oneIn(5)
    frames.push(...bodyFrames(chance, stream, body, isEnded && !trailers))
    if (trailers) {
      const bad: Field[] = isLegal ? [['x-t', '1']] : [chance.pick(BAD_FIELDS)]
      frames.push(frame(FRAME.headers, END_HEADERS | END_STREAM, stream, block(bad)))
    }
    if (!isLegal && chance.oneIn(8)) frames.push(frame(FRAME.reset, 0, stream, uint32(8)))
  }
  return { frames, isLegal, legalStreams }
}
