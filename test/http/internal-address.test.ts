/** What is internal is found wherever it stands, and what only looks like it is not. */
import t from 'tap'
import { holdsInternalAddress, InternalNames } from '../../src/http/internal-address.ts'

t.test('addresses of the inside', (t) => {
  for (const text of [
    '10.2.0.11',
    'http://10.2.0.11:3000/x',
    'node=192.168.1.4;v=1',
    '172.16.0.1',
    '172.31.255.255',
    '169.254.169.254',
    '127.0.0.1:3000',
    '100.64.0.1',
    'a, 10.0.0.1, b',
    '[::1]:80',
    '::1',
    'http://[fd00::1]:80/',
    'fe80::1%eth0',
    'fd12:3456:789a:1::1',
    '0.0.0.0:80',
    '::ffff:10.0.0.1',
  ]) {
    t.equal(holdsInternalAddress(text), true, text)
  }
  t.end()
})

t.test('what is none', (t) => {
  for (const text of [
    '8.8.8.8',
    '172.32.0.1',
    '172.15.0.1',
    '110.0.0.1',
    '1.10.0.0.1.2',
    '10.0.1',
    '10.300.0.1',
    '192.169.0.1',
    '100.128.0.1',
    'W/"5e2f-18c2:fd00"',
    'Sun, 22 Nov 2026 10:00:00 GMT',
    '2001:db8::1',
    'sha256:fdabcd',
    'max-age=100, s-maxage=10',
  ]) {
    t.equal(holdsInternalAddress(text), false, text)
  }
  t.end()
})

t.test('names of the inside', (t) => {
  const names = new InternalNames(['chat', 'Node1.internal.example', '*.corp.example'])
  for (const text of ['http://chat/x', 'chat:3000', 'NODE1.internal.example', 'x=a.b.corp.example;', '//chat']) {
    t.equal(names.isIn(text), true, text)
  }
  for (const text of ['chat', 'web chat', 'node1.internal.example.org', 'http://chat.example.com/', 'livechat:3000']) {
    t.equal(names.isIn(text), false, text)
  }
  t.equal(new InternalNames([]).isIn('anything'), false)
  t.end()
})

t.test('long values cost no more than their length', (t) => {
  for (const text of ['1'.repeat(60_000), 'fd00:'.repeat(12_000), '10.'.repeat(20_000), ':'.repeat(60_000)]) {
    holdsInternalAddress(text)
  }
  t.pass()
  t.end()
})
