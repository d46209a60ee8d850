import { join } from 'node:path'
import t from 'tap'
import { startDemo } from '../../demo/chat-service.ts'
import { loadConfiguration } from '../../src/config/load.ts'

const PATH = join(import.meta.dirname, '..', '..', 'config', 'gateway.json')
// Accounts and logs are made by the first start.
const { configuration, warnings } = loadConfiguration(PATH, { env: {}, checkFiles: false })

t.test('the demo configuration is valid, without a warning', async (t) => {
  t.same(warnings, [])
  t.notOk(configuration.limits.store?.redis, 'limits are in memory')
})

t.test('everything listens on loopback', async (t) => {
  for (const [name, listener] of Object.entries(configuration.listeners)) {
    t.equal(listener?.address.host, '127.0.0.1', name)
  }
})

t.test('every route is limited, and every way in for messages is cleaned', async (t) => {
  for (const route of configuration.routes.filter((each) => each.profiles.length > 0)) {
    t.ok(route.limits.length > 0, `${route.path} is limited`)
    if (route.methods.includes('POST') || route.webSocket)
      t.equal(route.messages, 'customer', `${route.path} is cleaned`)
  }
})

t.test('what the page needs has a route, and the service answers on it', async (t) => {
  const demo = await startDemo()
  t.teardown(() => demo.close())
  const open = configuration.routes.filter((each) => each.profiles.includes('internet'))
  const paths = ['/', '/api/health', '/api/messages', '/socket.io/?EIO=4&transport=polling']
  for (const file of ['style.css', 'chat.js', 'transports.js', 'trials.js', 'socket.io.js', 'icon.svg']) {
    paths.push(`/assets/${file}`)
  }
  for (const path of paths) {
    const bare = path.split('?')[0]!
    t.ok(
      open.some(({ path: each }) => (each.endsWith('*') ? bare.startsWith(each.slice(0, -1)) : bare === each)),
      `${bare} has a route`,
    )
    const answer = await fetch(`http://127.0.0.1:${demo.port}${path}`)
    t.equal(answer.status, 200, path)
    await answer.text()
  }
  t.notOk(
    open.some((each) => each.path.startsWith('/internal')),
    'what is internal has none',
  )
})
