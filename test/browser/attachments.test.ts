/** A page with the client of socket.io 2 sends and gets attachments by long-polling: in bytes, as only browsers do. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { oldServer } from '../kit/socket-io-2.ts'
import { launchBrowser } from './browser.ts'

const client = readFileSync(
  createRequire(import.meta.url)
    .resolve('socket.io-client-2')
    .replace(/lib.index\.js$/, 'dist/socket.io.js'),
)
const http = createServer((request, response) => {
  const isScript = request.url === '/client.js'
  response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
  response.end(isScript ? client : '<!doctype html><title>old</title><script src=/client.js></script>')
})
const heard: unknown[] = []
const server = oldServer(http, { path: '/old.io', serveClient: false })
server.of('/').on('connection', (socket) => {
  socket.on('message', ((value: unknown) => {
    heard.push(value)
    socket.emit('message', value)
  }) as never)
})
const types: string[] = []
http.on('request', ({ method, headers }) => {
  if (method === 'POST') types.push(`in ${headers['content-type']}`)
})
await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
const shared = { service: 'chat', profiles: ['internet'], purpose: 'chat' }
const gateway = await startGatewayHere(
  testConfig(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, {
    routes: [
      { ...shared, path: '/*', methods: ['GET'] },
      { ...shared, path: '/old.io/*', socketIo: true, messages: 'chat', answers: 'chat' },
    ],
    messages: { chat: { events: { message: ['$[0].text'] }, binary: 'pass' } },
  }),
)
const browser = await launchBrowser()
t.teardown(async () => {
  await browser.close()
  await gateway.close()
  http.closeAllConnections()
  await server.close()
})

t.test('attachments by polling, both ways', async (t) => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: true })
  t.teardown(() => context.close())
  const page = await context.newPage()
  page.on('response', (response) => void types.push(`out ${response.headers()['content-type']}`))
  await page.goto(`https://localhost:${gateway.publicPort}/`)
  const back = await page.evaluate(`new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('nothing came back')), 20000)
    const socket = io({ path: '/old.io', transports: ['polling'], upgrade: false, reconnection: false })
    for (const name of ['connect_error', 'error', 'disconnect']) socket.on(name, (why) => reject(new Error(name + ' ' + why)))
    socket.on('message', ({ text, file }) => resolve({ text, file: [...new Uint8Array(file)], transport: socket.io.engine.transport.name }))
    socket.emit('message', { text: '<b>é😀</b> a < b', file: new Uint8Array([0, 255, 60, 98, 62, 30, 4]).buffer })
  })`)
  const file = [0, 255, 60, 98, 62, 30, 4]
  t.same(back, { text: 'é😀 a < b', file, transport: 'polling' })
  t.same(heard, [{ text: 'é😀 a < b', file: Buffer.from(file) }])
  t.ok(types.includes('in application/octet-stream'), types.join())
  t.ok(types.includes('out application/octet-stream'), types.join())
})
