import t from 'tap'
import { getHeader } from '../../src/http/headers.ts'
import { makeHealth } from '../../src/responders/health.ts'
import { fakeExchange } from '../kit/fake-client.ts'

const state = { ready: true, reasons: [] as string[] }
const health = makeHealth({ isReady: () => state, metrics: { text: () => 'a 1\n' } })

function ask(path: string, method = 'GET') {
  const { x, client, finishCount } = fakeExchange({ path, method })
  health(x)
  return {
    status: client.status,
    headers: client.headers,
    text: client.text,
    type: client.header('content-type'),
    finished: finishCount(),
  }
}

t.test('alive, ready, and the numbers', (t) => {
  t.match(ask('/health/live'), { status: 200, type: 'application/json', finished: 1, text: /"live"/ })
  t.match(ask('/health/ready'), { status: 200, text: /"ready"/ })
  t.match(ask('/metrics'), { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', text: 'a 1\n' })
  t.equal(getHeader(ask('/metrics').headers, 'cache-control'), 'no-store')
  t.match(ask('/metrics', 'HEAD'), { status: 200, text: '' })
  t.end()
})

t.test('not ready is 503 with the reasons', (t) => {
  state.ready = false
  state.reasons = ['the gateway is stopping']
  t.match(ask('/health/ready'), { status: 503 })
  t.same(JSON.parse(ask('/health/ready').text), { status: 'not ready', reasons: ['the gateway is stopping'] })
  t.match(ask('/health/live'), { status: 200 })
  t.end()
})

t.test('nothing else is here', (t) => {
  for (const path of ['/', '/health', '/health/live/', '/Metrics']) t.equal(ask(path).status, 404, path)
  const refused = ask('/metrics', 'POST')
  t.equal(refused.status, 405)
  t.equal(getHeader(refused.headers, 'allow'), 'GET, HEAD')
  t.end()
})
