/** Mistakes that show after the file was read still tell where their setting stands. */
import t from 'tap'
import { parseConfiguration } from '../../src/config/load.ts'
import { located } from '../../src/config/located.ts'
import { ConfigurationError } from '../../src/errors.ts'

const TEXT = `{
  "listeners": {
    "public": { "address": "127.0.0.1:8443",
      "tls": { "certificates": [{ "cert": "a.pem", "key": "a.key" }] } }
  },
  "services": { "chat": { "endpoints": ["http://127.0.0.1:3000"] } },
  "routes": [{ "path": "/*", "service": "chat", "profiles": ["internet"], "purpose": "chat" }]
}`
const { source } = parseConfiguration('gateway.json', TEXT, { env: {}, checkFiles: false })

t.test('settings get their place; what is not there gets that of what is around it', async (t) => {
  const before = [
    'listeners.public.address: 127.0.0.1:8443 is taken',
    'listeners.public.tls.certificates[0]: a.key is not the key of a.pem',
    'services.chat.tls: no such thing',
    'listeners.admin.address: 127.0.0.1:9900 is taken',
    'certs: the self-signed certificate cannot be made',
    'secret: the file "x" is empty',
    'routes are many',
  ]
  const after = located(new ConfigurationError(before), source) as ConfigurationError
  t.ok(after instanceof ConfigurationError)
  t.same(after.problems, [
    'gateway.json:3:28 listeners.public.address: 127.0.0.1:8443 is taken',
    'gateway.json:4:33 listeners.public.tls.certificates[0]: a.key is not the key of a.pem',
    'gateway.json:6:25 services.chat.tls: no such thing',
    'gateway.json:2:16 listeners.admin.address: 127.0.0.1:9900 is taken',
    ...before.slice(4),
  ])
})

t.test('other errors stay what they are', async (t) => {
  const error = new TypeError('listeners.public.address: broken')
  t.equal(located(error, source), error)
})
