/** What `try-message` tells a person who writes rules: the fields, the change, the refusal, the limits, the exit code. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { readMessage } from '../../src/cli/message-input.ts'
import { tryMessage } from '../../src/cli/try-message.ts'
import { configuration } from '../../src/config/shape.ts'

const route = { service: 'chat', profiles: ['internet'], purpose: 'test' }
const source = {
  listeners: { public: { address: '127.0.0.1:8443' } },
  services: { chat: { endpoints: ['http://127.0.0.1:3000'] } },
  routes: [
    {
      ...route,
      path: '/socket.io/*',
      name: 'socket-io',
      webSocket: true,
      socketIo: true,
      messages: 'customer',
      limits: ['per-customer'],
      socket: { messageLimits: ['per-message', 'per-event'] },
    },
    { ...route, path: '/api/*', messages: 'customer' },
    { ...route, path: '/strict', webSocket: true, messages: 'strict' },
    { ...route, path: '/free', webSocket: true, socket: { maxMessage: '1 KB' } },
  ],
  messages: {
    customer: {
      fields: ['$.text', '$..caption'],
      events: { message: ['$[0].text'] },
      otherEvents: 'refuse',
      maxSize: '1 KB',
    },
    strict: { fields: ['$.text'], html: 'reject', onViolation: 'close' },
  },
  limits: {
    'per-customer': { rate: '120 per minute' },
    'per-message': { rate: '30 per minute' },
    'per-event': { by: ['address', 'event'], rate: '30 per minute' },
  },
}
const config = configuration.parse(source)
const tried = (name: string, text: string, event: string | null = null) => {
  const { lines, outcome } = tryMessage(config, { route: name, event, text })
  return { outcome, text: lines.join('\n') }
}

t.test('JSON: each field, what it found, and what became of it', (t) => {
  const { outcome, text } = tried('/api/*', '{"text":"<b>hi</b>","list":[{"caption":"a"},{"caption":"b"}]}')
  t.equal(outcome, 'passes')
  t.match(text, 'route    /api/*, message rules "customer"')
  t.match(text, 'message  JSON')
  t.match(text, 'field    $.text finds 1 text')
  t.match(text, 'field    $..caption finds 2 texts')
  t.match(text, 'text     "<b>hi</b>" becomes "hi"')
  t.match(text, 'text     "a" stays')
  t.match(text, 'outcome  changed\nbecomes  {"text":"hi","list":[{"caption":"a"},{"caption":"b"}]}')
  t.match(tried('/api/*', '{"other":1}').text, 'field    $.text finds nothing')
  t.match(tried('/api/*', '{"other":1}').text, 'outcome  passes as it is')
  t.end()
})

t.test('plain text is cleaned whole', (t) => {
  const { text } = tried('/api/*', 'a < b <i>c</i>')
  t.match(text, 'message  plain text, cleaned whole')
  t.match(tried('/api/*', '{"text":"a","text":"b"}').text, 'message  JSON that can be read in two ways')
  t.match(text, 'outcome  changed')
  t.end()
})

t.test('socket.io: by the arguments of an event or by a whole packet', (t) => {
  for (const [text, event] of [
    ['[{"text":"<b>hi</b>"},1]', 'message'],
    ['42["message",{"text":"<b>hi</b>"},1]', null],
  ] as const) {
    const told = tried('socket-io', text, event)
    t.equal(told.outcome, 'passes')
    t.match(told.text, 'message  socket.io event "message"')
    t.match(told.text, 'field    $[0].text finds 1 text')
    t.match(told.text, 'limit    "per-customer" counts requests and handshakes, by address')
    t.match(told.text, 'limit    "per-message" counts this message, by address')
    t.match(told.text, 'limit    "per-event" counts this message, by address and event, here "message"')
    t.match(told.text, 'becomes  42["message",{"text":"hi"},1]')
  }
  t.match(tried('socket-io', '{"text":"hi"}', 'message').text, 'becomes  42["message",{"text":"hi"}]')
  t.match(tried('socket-io', '[]', 'message').text, 'becomes  42["message"]')
  const other = tried('socket-io', '{"text":"hi"}', 'admin')
  t.equal(other.outcome, 'refused')
  t.match(other.text, '"otherEvents" is "refuse"')
  t.match(other.text, 'refused  it breaks a rule; a WebSocket or polling message is dropped alone')
  t.match(tried('socket-io', 'plain words').text, 'refused  it cannot be read')
  t.match(tried('socket-io', '2').text, 'message  a packet without text')
  t.end()
})

t.test('refusals say why', (t) => {
  const markup = tried('/strict', '{"text":"<b>hi</b>"}')
  t.equal(markup.outcome, 'refused')
  t.match(markup.text, 'text     "<b>hi</b>" breaks a rule')
  t.match(markup.text, 'refused  it breaks a rule; the WebSocket closes with 1008')
  t.match(tried('/api/*', '{"text":"a","text":"b"}').text, 'refused  it cannot be read')
  t.match(tried('/api/*', 'x'.repeat(1025)).text, 'size     1025 bytes, more than "maxSize" (1024)')
  t.equal(tried('/api/*', 'x'.repeat(1025)).outcome, 'refused')
  t.equal(tried('/free', 'x'.repeat(1025)).outcome, 'refused')
  t.equal(tried('/free', '<b>').outcome, 'passes')
  t.end()
})

t.test('what a message holds cannot write to the terminal', (t) => {
  t.notMatch(tried('/api/*', '{"other":"x"}\u001b[2J').text, '\u001b')
  t.notMatch(tried('/api/*', 'x \u001b[2J').text, '\u001b')
  t.end()
})

t.test('wrong questions', (t) => {
  t.match(tried('socket-ip', 'x'), { outcome: 'not-tried', text: 'no route "socket-ip"; did you mean "socket-io"?' })
  t.match(tried('/api/*', 'x', 'message'), { outcome: 'not-tried', text: /no "socketIo": true/ })
  t.end()
})

t.test('the message is read whole, without the line break of a terminal', async (t) => {
  t.equal(await readMessage(Readable.from([Buffer.from('a\n'), Buffer.from('b\r\n')])), 'a\nb')
  t.equal(await readMessage(Readable.from([])), '')
  t.equal(await readMessage(Readable.from([Buffer.from([0xff])])), null)
})

t.test('as a command: output and exit codes', async (t) => {
  const folder = t.testdir({ 'gateway.json': JSON.stringify(source) })
  const bin = fileURLToPath(new URL('../../bin/portcullis.js', import.meta.url))
  const run = (words: readonly string[], input: string) =>
    new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
      const child = spawn(process.execPath, [bin, 'try-message', '--config', join(folder, 'gateway.json'), ...words], {
        env: { PATH: process.env.PATH },
      })
      let out = ''
      let err = ''
      child.stdout.on('data', (chunk) => {
        out += chunk
      })
      child.stderr.on('data', (chunk) => {
        err += chunk
      })
      child.stdin.on('error', () => undefined)
      child.stdin.end(input)
      child.on('close', (code) => resolve({ code, out, err }))
    })
  const passed = await run(['--route', '/api/*'], '{"text":"<b>x</b>"}\n')
  t.match(passed, { code: 0, err: '' })
  t.match(passed.out, 'becomes  {"text":"x"}\n')
  t.match(await run(['--route', 'socket-io', '--event', 'admin'], '{}'), { code: 1, err: '' })
  t.match(await run(['--route', 'nothing'], 'x'), { code: 2, out: '', err: /no route "nothing"/ })
  t.match(await run([], 'x'), { code: 2, out: '', err: /--route is missing/ })
})
