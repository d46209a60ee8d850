import { once } from 'node:events'
import { io } from 'socket.io-client'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { type Demo, startDemo } from '../../demo/chat-service.ts'

const HOSTILE = '<img src=x onerror="alert(1)"> a < b & I <3 you'

async function start(t: Test): Promise<{ demo: Demo; url: string }> {
  const demo = await startDemo()
  t.teardown(() => demo.close())
  return { demo, url: `http://127.0.0.1:${demo.port}` }
}

async function post(url: string, body: string): Promise<Response> {
  return fetch(`${url}/api/messages`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
}

t.test('REST stores a message as it came and gives it back', async (t) => {
  const { url } = await start(t)
  const sent = await post(url, JSON.stringify({ name: 'Ada', text: HOSTILE, ref: 'r1' }))
  t.equal(sent.status, 201)
  t.match(await sent.json(), { id: 1, name: 'Ada', text: HOSTILE, via: 'rest', ref: 'r1' })
  await (await post(url, JSON.stringify({ name: 'Ben', text: 'two' }))).text()

  const all = (await (await fetch(`${url}/api/messages`)).json()) as { messages: { text: string }[] }
  t.same(
    all.messages.map((each) => each.text),
    [HOSTILE, 'two'],
  )
  const newer = (await (await fetch(`${url}/api/messages?after=1`)).json()) as { messages: { text: string }[] }
  t.same(
    newer.messages.map((each) => each.text),
    ['two'],
  )
})

t.test('REST refuses what is no message', async (t) => {
  const { url } = await start(t)
  for (const body of ['', '{', 'null', '[]', '{"name":"a"}', '{"name":"a","text":""}', '{"name":1,"text":"x"}']) {
    const answer = await post(url, body)
    t.equal(answer.status, 400, JSON.stringify(body))
    await answer.text()
  }
  const large = await post(url, JSON.stringify({ name: 'a', text: 'x'.repeat(70_000) }))
  t.equal(large.status, 413)
  await large.text()
})

t.test('the history keeps the last 200', async (t) => {
  const { url } = await start(t)
  for (let number = 1; number <= 205; number += 1) {
    await (await post(url, JSON.stringify({ name: 'a', text: `${number}` }))).text()
  }
  const { messages } = (await (await fetch(`${url}/api/messages`)).json()) as { messages: { text: string }[] }
  t.equal(messages.length, 200)
  t.equal(messages[0]?.text, '6')
})

t.test('the page and its files are served, and nothing else', async (t) => {
  const { url } = await start(t)
  const types: Record<string, string> = {
    '/': 'text/html',
    '/assets/style.css': 'text/css',
    '/assets/chat.js': 'text/javascript',
    '/assets/transports.js': 'text/javascript',
    '/assets/trials.js': 'text/javascript',
    '/assets/socket.io.js': 'text/javascript',
    '/assets/icon.svg': 'image/svg+xml',
    '/api/health': 'application/json',
    '/internal/stats': 'application/json',
  }
  for (const [path, type] of Object.entries(types)) {
    const answer = await fetch(url + path)
    t.equal(answer.status, 200, path)
    t.ok(answer.headers.get('content-type')?.startsWith(type), `${path} is ${type}`)
    t.ok((await answer.text()).length > 0)
  }
  for (const path of ['/assets/', '/assets/..%2f..%2fpackage.json', '/package.json', '/assets/index.html']) {
    const answer = await fetch(url + path)
    t.equal(answer.status, 404, path)
    await answer.text()
  }
})

t.test('the page holds no inline script, style or foreign address', async (t) => {
  const { url } = await start(t)
  const page = await (await fetch(url)).text()
  t.notMatch(page, /<script(?![^>]*\ssrc=)/)
  t.notMatch(page, /<style|\sstyle=|\son\w+=/)
  t.notMatch(page, /(?:src|href)="(?:https?:)?\/\//)
})

for (const transport of ['websocket', 'polling']) {
  t.test(`socket.io by ${transport} relays to everyone, as it came`, async (t) => {
    const { url } = await start(t)
    const clients = [0, 1].map(() => io(url, { transports: [transport], forceNew: true, reconnection: false }))
    t.teardown(() => clients.forEach((client) => void client.disconnect()))
    const [ada, ben] = clients as [ReturnType<typeof io>, ReturnType<typeof io>]
    await Promise.all(clients.map((client) => new Promise<void>((resolve) => client.on('connect', () => resolve()))))

    const atBen = new Promise((resolve) => ben.once('message', resolve))
    const atAda = new Promise((resolve) => ada.once('message', resolve))
    const acknowledged = await ada.emitWithAck('message', { name: 'Ada', text: HOSTILE })
    t.match(acknowledged, { name: 'Ada', text: HOSTILE, via: 'socket.io' })
    t.match(await atBen, { name: 'Ada', text: HOSTILE })
    t.match(await atAda, { name: 'Ada', text: HOSTILE })

    const typing = new Promise((resolve) => ada.once('typing', resolve))
    ben.emit('typing', { name: 'Ben' })
    t.same(await typing, { name: 'Ben' })
    t.match(await ada.emitWithAck('message', { text: 3 }), { error: String })
  })
}

t.test('a plain WebSocket shares the room with the others', async (t) => {
  const { url } = await start(t)
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`)
  const received: Record<string, unknown>[] = []
  const waiting: ((value: Record<string, unknown>) => void)[] = []
  socket.on('message', (data) => {
    const value = JSON.parse(String(data))
    if (value.type === 'people') return
    const next = waiting.shift()
    if (next === undefined) received.push(value)
    else next(value)
  })
  const next = async () =>
    received.shift() ?? new Promise<Record<string, unknown>>((resolve) => void waiting.push(resolve))
  t.teardown(() => socket.terminate())
  await once(socket, 'open')

  socket.send(JSON.stringify({ type: 'message', name: 'Ada', text: HOSTILE }))
  t.match(await next(), { type: 'message', name: 'Ada', text: HOSTILE, via: 'websocket' })
  await (await post(url, JSON.stringify({ name: 'Ben', text: 'by REST' }))).text()
  t.match(await next(), { type: 'message', name: 'Ben', text: 'by REST', via: 'rest' })

  for (const bad of ['{', 'null', '7', '{"type":"message"}', '{"type":"typing"}']) {
    socket.send(bad)
    t.match(await next(), { type: 'error' }, bad)
  }
  socket.send(Buffer.from('{"name":"a","text":"b"}'), { binary: true })
  t.match(await next(), { type: 'error' }, 'binary')
})

t.test('an upgrade elsewhere is dropped', async (t) => {
  const { url } = await start(t)
  const socket = new WebSocket(`${url.replace('http', 'ws')}/other`)
  const [error] = await once(socket, 'error')
  t.ok(error instanceof Error)
})

t.test('a taken port is an error, and close frees the port', async (t) => {
  const first = await startDemo()
  await t.rejects(startDemo({ port: first.port }), { code: 'EADDRINUSE' })
  const socket = new WebSocket(`ws://127.0.0.1:${first.port}/ws`)
  await once(socket, 'open')
  const ended = once(socket, 'close')
  await first.close()
  await ended
  const second = await startDemo({ port: first.port })
  await second.close()
})
