import { gzipSync } from 'node:zlib'
import t from 'tap'
import type { Peer } from '../../src/exchange/connection.ts'
import {
  type ClientHalf,
  DONE,
  GO,
  type ListenerPlan,
  type Step,
  type TunnelFilter,
  WAIT,
} from '../../src/exchange/contracts.ts'
import { Exchange } from '../../src/exchange/exchange.ts'
import { HeadMemo } from '../../src/exchange/head-memo.ts'
import type { HeaderList } from '../../src/http/headers.ts'
import { TEXT, writeFrame } from '../../src/http/websocket-frames.ts'
import { makeInspect } from '../../src/messages/inspect.ts'
import { compileRules } from '../../src/messages/rules.ts'
import { messagesConfig } from '../kit/message-rules.ts'

const config = messagesConfig()
const counts: string[] = []
const metrics = { count: (name: string, label: string) => counts.push(`${name} ${label}`) }
const inspect = makeInspect(compileRules(config), metrics, false)
const inspectPackets = makeInspect(compileRules(config), metrics, true)

const JSON_TYPE = ['content-type', 'application/json']
const TEXT_TYPE = ['content-type', 'text/plain;charset=UTF-8']
const FORM_TYPE = ['content-type', 'application/x-www-form-urlencoded']
const POLLING = '?EIO=4&transport=polling&sid=x'

interface Ask {
  headers?: HeaderList
  query?: string
  body?: Buffer | string
  /** What the head says of the length: -1 for nothing. */
  length?: number
  isWebSocket?: boolean
  /** By a route with `socketIo`. Default: where the query speaks of Engine.IO. */
  packets?: boolean
}

interface Told {
  x: Exchange
  step: Step
  /** True when the stage after this one ran. */
  passed: boolean
  status: number
  code: string
  body: string | null
}

function run(ask: Ask): Told {
  const body = Buffer.from(ask.body ?? '')
  const noop = () => {}
  const client = {
    sendInformational: noop,
    sendHead: noop,
    sendEnd: noop,
    abort: noop,
    pauseBody: noop,
    resumeBody: noop,
  } as unknown as ClientHalf
  const listener = {
    edits: { drop: new Set(), set: [], setLines: '', fallback: [] },
    onFinish: noop,
  } as unknown as ListenerPlan
  const head = {
    protocol: 'http/1.1' as const,
    method: 'POST',
    target: '/',
    authority: 'x',
    headers: ask.headers ?? [],
    bodyLength: ask.length ?? body.length,
    connectProtocol: null,
    memo: new HeadMemo(),
  }
  const x = new Exchange(head, client, {} as Peer, listener)
  x.query = ask.query ?? ''
  x.isWebSocket = ask.isWebSocket ?? false
  const told: Told = { x, step: GO, passed: false, status: 0, code: '', body: null }
  const first = (each: Exchange): Step => {
    const packets = ask.packets ?? /EIO|transport/.test(x.query)
    told.step = packets ? inspectPackets(each) : inspect(each)
    return told.step
  }
  const second = (): Step => {
    told.passed = true
    return DONE
  }
  x.runStages([first, second])
  for (let at = 0; at < body.length; at += 100) x.onBodyData(body.subarray(at, at + 100))
  x.onBodyEnd()
  told.status = x.status
  told.code = x.failure?.code ?? ''
  told.body = x.bodyBytes?.toString() ?? null
  return told
}

t.test('what has no body passes at once', (t) => {
  const told = run({})
  t.equal(told.step, GO)
  t.equal(told.passed, true)
  t.end()
})

t.test('a body of unknown length that turns out empty passes', (t) => {
  t.match(run({ length: -1 }), { step: WAIT, passed: true, body: '' })
  t.end()
})

t.test('a clean body is the very buffer that came', (t) => {
  const told = run({ headers: JSON_TYPE, body: '{"text":"a < b"}' })
  t.match(told, { passed: true, body: '{"text":"a < b"}' })
  t.equal(counts.at(-1), 'message_outcomes_total same')
  t.end()
})

t.test('a body that was collected before is inspected without waiting', (t) => {
  const told = run({ headers: JSON_TYPE, body: '{"text":"x"}' })
  told.x.bodyBytes = Buffer.from('{"text":"<b>y</b>"}')
  let passed = false
  const before = told.x.bodyBytes
  told.x.runStages([
    inspect,
    () => {
      passed = true
      return DONE
    },
  ])
  t.equal(passed, true)
  t.not(told.x.bodyBytes, before)
  t.equal(told.x.bodyBytes.toString(), '{"text":"y"}')
  t.end()
})

t.test('a changed body loses the fields that vouch for the old one', (t) => {
  const headers = [...JSON_TYPE, 'content-md5', 'x', 'content-digest', 'y', 'x-other', 'z']
  const told = run({ headers, body: '{"text":"<b>x</b>"}' })
  t.match(told, { passed: true, body: '{"text":"x"}' })
  t.same(told.x.headers, [...JSON_TYPE, 'x-other', 'z'])
  t.end()
})

t.test('every kind of body is cleaned', (t) => {
  t.match(run({ headers: TEXT_TYPE, body: '<b>x</b>' }), { passed: true, body: 'x' })
  t.match(run({ headers: FORM_TYPE, body: 'text=%3Cb%3Ex' }), { passed: true, body: 'text=x' })
  t.match(run({ headers: ['content-type', 'application/x-ndjson'], body: '{"text":"<b>x"}\n{"text":"y"}\n' }), {
    passed: true,
    body: '{"text":"x"}\n{"text":"y"}\n',
  })
  const part = (value: string) => `--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n${value}\r\n--x--\r\n`
  const multipart = run({ headers: ['content-type', 'multipart/form-data; boundary="x"'], body: part('<b>x</b>') })
  t.match(multipart, { passed: true, body: part('x') })
  for (const text of ['x', '<b>x</b>']) {
    const told = run({
      headers: [...JSON_TYPE, 'content-encoding', 'gzip', 'x-a', 'b'],
      body: gzipSync(JSON.stringify({ text })),
    })
    t.match(told, { passed: true, body: '{"text":"x"}' })
    t.same(told.x.headers, [...JSON_TYPE, 'x-a', 'b'])
  }
  t.match(run({ headers: TEXT_TYPE, query: POLLING, body: '42["message",{"text":"<b>x</b>"}]' }), {
    passed: true,
    body: '42["message",{"text":"x"}]',
  })
  t.end()
})

t.test('where Engine.IO is not spoken its query means nothing', (t) => {
  const body = '42["other",{"text":"<b>x</b>"}]'
  t.match(run({ headers: TEXT_TYPE, query: POLLING, packets: false, body }), {
    passed: true,
    body: '42["other",{"text":"x"}]',
  })
  t.match(run({ headers: JSON_TYPE, query: POLLING, packets: false, body: '{"text":"<b>x</b>"}' }), {
    passed: true,
    body: '{"text":"x"}',
  })
  t.end()
})

const REFUSED: [string, Ask, string][] = [
  ['no media type', { body: '{"text":"<b>"}' }, 'wrong-media-type'],
  ['no media type, unknown length', { body: '{"text":"<b>"}', length: -1 }, 'wrong-media-type'],
  ['two media types', { headers: [...JSON_TYPE, ...TEXT_TYPE], body: '{}' }, 'wrong-media-type'],
  [
    'multipart without a boundary',
    { headers: ['content-type', 'multipart/form-data'], body: '--x' },
    'wrong-media-type',
  ],
  [
    'broken multipart',
    { headers: ['content-type', 'multipart/form-data; boundary=x'], body: '--x' },
    'message-unreadable',
  ],
  ['octets', { headers: ['content-type', 'application/octet-stream'], body: 'x' }, 'wrong-media-type'],
  ['xml', { headers: ['content-type', 'application/xml'], body: '<b/>' }, 'wrong-media-type'],
  [
    'UTF-7',
    { headers: ['content-type', 'application/json; charset=utf-7'], body: '{"text":"+ADw-b+AD4-"}' },
    'wrong-media-type',
  ],
  [
    'UTF-16',
    { headers: ['content-type', 'text/plain; charset=utf-16'], body: Buffer.from('<b>', 'utf16le') },
    'wrong-media-type',
  ],
  ['no gzip', { headers: [...JSON_TYPE, 'content-encoding', 'gzip'], body: '{}' }, 'message-unreadable'],
  ['two codings', { headers: [...JSON_TYPE, 'content-encoding', 'gzip, gzip'], body: '{}' }, 'wrong-media-type'],
  [
    'a bomb',
    { headers: [...JSON_TYPE, 'content-encoding', 'gzip'], body: gzipSync(Buffer.alloc(20_000)) },
    'message-too-large',
  ],
  [
    'no UTF-8 inside gzip',
    { headers: [...JSON_TYPE, 'content-encoding', 'gzip'], body: gzipSync(Buffer.from('{"text":"\xff"}', 'latin1')) },
    'message-unreadable',
  ],
  ['no UTF-8', { headers: JSON_TYPE, body: Buffer.from('{"text":"\xff"}', 'latin1') }, 'message-unreadable'],
  ['overlong UTF-8', { headers: TEXT_TYPE, body: Buffer.from([0xc0, 0xbc, 0x62, 0x3e]) }, 'message-unreadable'],
  ['no JSON', { headers: JSON_TYPE, body: 'hello' }, 'message-unreadable'],
  ['a repeated key', { headers: JSON_TYPE, body: '{"text":"<b>","text":"a"}' }, 'message-unreadable'],
  ['JSON as text', { headers: TEXT_TYPE, body: '{"text":"\\u003cb>"}' }, 'message-unreadable'],
  ['a byte order mark', { headers: JSON_TYPE, body: '\ufeff{"text":"<b>"}' }, 'message-unreadable'],
  ['a repeated name', { headers: FORM_TYPE, body: 'text=a&text=%3Cb%3E' }, 'message-unreadable'],
  ['too large by its head', { headers: JSON_TYPE, body: `{"text":"${'x'.repeat(1000)}"}` }, 'message-too-large'],
  [
    'too large on its way',
    { headers: JSON_TYPE, body: `{"text":"${'x'.repeat(1000)}"}`, length: -1 },
    'body-too-large',
  ],
  [
    'polling: too large a message',
    { headers: TEXT_TYPE, query: POLLING, body: `42["m","${'x'.repeat(1000)}"]` },
    'message-too-large',
  ],
  [
    'polling: too large a body',
    { headers: TEXT_TYPE, query: POLLING, body: '3\x1e'.repeat(4001) },
    'message-too-large',
  ],
  ['polling: JSON', { headers: JSON_TYPE, query: POLLING, body: '{"text":"x"}' }, 'wrong-media-type'],
  [
    'polling: octets',
    { headers: ['content-type', 'application/octet-stream'], query: POLLING, body: '3' },
    'wrong-media-type',
  ],
  ['EIO 3', { headers: TEXT_TYPE, query: '?EIO=3&transport=polling', body: '3' }, 'message-unreadable'],
  ['no EIO', { headers: TEXT_TYPE, query: '?transport=polling', body: '3' }, 'message-unreadable'],
  ['EIO twice', { headers: TEXT_TYPE, query: '?EIO=4&EIO=3&transport=polling', body: '3' }, 'message-unreadable'],
  [
    'EIO twice, once in disguise',
    { headers: TEXT_TYPE, query: '?EIO=4&%45IO=3&transport=polling', body: '3' },
    'message-unreadable',
  ],
  [
    'transport twice',
    { headers: TEXT_TYPE, query: '?EIO=4&transport=polling&transport=x', body: '3' },
    'message-unreadable',
  ],
  ['a strange transport', { headers: TEXT_TYPE, query: '?EIO=4&transport=jsonp', body: '3' }, 'message-unreadable'],
  [
    'EIO behind a crowd',
    { headers: TEXT_TYPE, query: `?transport=polling&${'a&'.repeat(1000)}EIO=4`, body: '3' },
    'message-unreadable',
  ],
  [
    'websocket without a socket',
    { headers: TEXT_TYPE, query: '?EIO=4&transport=websocket', body: '3' },
    'message-unreadable',
  ],
  ['a socket with EIO 5', { isWebSocket: true, query: '?EIO=5&transport=websocket' }, 'message-unreadable'],
  ['a socket without EIO', { isWebSocket: true, query: '?transport=websocket' }, 'message-unreadable'],
  ['a socket that says nothing', { isWebSocket: true, packets: true }, 'message-unreadable'],
  ['a request that says nothing', { packets: true }, 'message-unreadable'],
  ['a form without j', { headers: FORM_TYPE, query: '?EIO=3&transport=polling', body: 'd=1:3' }, 'wrong-media-type'],
  ['j without a form', { headers: TEXT_TYPE, query: '?EIO=3&transport=polling&j=0', body: '1:3' }, 'wrong-media-type'],
  ['j with EIO 4', { headers: FORM_TYPE, query: `${POLLING}&j=0`, body: 'd=3' }, 'message-unreadable'],
  ['j in disguise', { headers: TEXT_TYPE, query: `${POLLING}&j[]=0`, body: '3' }, 'message-unreadable'],
  ['EIO in small letters', { headers: TEXT_TYPE, query: `${POLLING}&eio=3`, body: '3' }, 'message-unreadable'],
  [
    'the query of Engine.IO where it is not spoken',
    { headers: TEXT_TYPE, query: POLLING, packets: false, body: '{"text":"\\u003cb>"}' },
    'message-unreadable',
  ],
  ['a socket that says polling', { isWebSocket: true, query: '?EIO=4&transport=polling' }, 'message-unreadable'],
]

t.test('what cannot be inspected is refused', (t) => {
  for (const [name, ask, code] of REFUSED) {
    const told = run(ask)
    t.equal(told.code, code, name)
    t.equal(told.passed, false, name)
  }
  t.end()
})

/** What a WebSocket exchange sends to its upstream for one message. */
function overWebSocket(query: string, message: string): string {
  const { x, passed } = run({ isWebSocket: true, query })
  const sent: Buffer[] = []
  const noop = () => {}
  const sides = {
    toUpstream: (chunk: Buffer) => sent.push(chunk),
    toClient: noop,
    pauseClient: noop,
    resumeClient: noop,
    end: noop,
    admit: () => true,
  }
  const filter: TunnelFilter = x.tunnelFilter!(x, sides as never)
  filter.onClientData(writeFrame(TEXT, Buffer.from(message), true))
  if (!passed || sent.length !== 1) return 'refused'
  const frame = sent[0]!
  const at = (frame[1]! & 0x7f) < 126 ? 2 : 4
  const payload = Buffer.from(frame.subarray(at + 4))
  for (let i = 0; i < payload.length; i++) payload[i]! ^= frame[at + (i & 3)]!
  return payload.toString()
}

const HOSTILE = [
  'plain',
  'a<R b',
  'I <3 you & me',
  '<b>x</b>',
  '<script>alert(1)</script>hi',
  '<img src=x onerror=alert(1)>',
  '<img src=x onerror=alert(1)',
  '&lt;b&gt; <i>x</i>',
  '<svg/onload=alert(1)>ünï 😀',
  'https://example.com/?a=1&b=2',
  '<!-- x -->y',
  '</3',
]

t.test('one message has one result, however it travels', (t) => {
  for (const text of HOSTILE) {
    const expected = compileRules(config).visit(text)!
    const json = JSON.stringify({ text })
    const cleanJson = JSON.stringify({ text: expected })
    t.equal(run({ headers: JSON_TYPE, body: json }).body, cleanJson, text)
    t.equal(run({ headers: TEXT_TYPE, body: text }).body, expected)
    const form = run({ headers: FORM_TYPE, body: new URLSearchParams({ text }).toString() })
    t.equal(new URLSearchParams(form.body!).get('text'), expected)
    const event = (inner: string) => `42["message",${inner}]`
    t.equal(run({ headers: TEXT_TYPE, query: POLLING, body: event(json) }).body, event(cleanJson))
    t.equal(overWebSocket('', json), cleanJson)
    t.equal(overWebSocket('?room=1', text), expected)
    t.equal(overWebSocket('?EIO=4&transport=websocket', event(json)), event(cleanJson))
    t.equal(overWebSocket('?EIO=3&transport=websocket', event(json)), event(cleanJson))
    const old = (inner: string) => `${event(inner).length}:${event(inner)}`
    const polling3 = '?EIO=3&transport=polling&sid=x'
    t.equal(run({ headers: TEXT_TYPE, query: polling3, body: old(json) }).body, old(cleanJson))
    const posted = run({
      headers: FORM_TYPE,
      query: `${polling3}&j=1`,
      body: new URLSearchParams({ d: old(json) }).toString(),
    })
    t.equal(new URLSearchParams(posted.body!).get('d'), old(cleanJson))
  }
  t.equal(overWebSocket('?EIO=4&transport=websocket', '{"text":"x"}'), 'refused')
  t.end()
})
