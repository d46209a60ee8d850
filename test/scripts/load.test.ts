import { spawn, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { startDemo } from '../../demo/chat-service.ts'
import { isLoopbackHost, readArguments } from '../../scripts/load/arguments.ts'
import { examineTarget } from '../../scripts/load/preflight.ts'
import { formatTable } from '../../scripts/load/table.ts'

const SCRIPT = join(import.meta.dirname, '..', '..', 'scripts', 'load.ts')

t.test('the arguments have defaults on loopback', async (t) => {
  t.match(readArguments([]), {
    scenarios: ['get', 'post', 'over'],
    seconds: 10,
    connections: 20,
    isLoopback: true,
  })
  t.equal(readArguments([])?.url.origin, 'https://127.0.0.1:8443')
  t.same(readArguments(['--scenario', 'over', '--seconds', '3'])?.scenarios, ['over'])
  t.equal(readArguments(['--help']), null)
})

t.test('a target that is not loopback needs its owner', async (t) => {
  for (const url of [
    'https://example.com',
    'https://10.0.0.1',
    'https://localhost.example.com',
    'http://[2001:db8::1]',
  ]) {
    t.throws(() => readArguments(['--url', url]), /--i-own-this-target/, url)
    t.equal(readArguments(['--url', url, '--i-own-this-target'])?.isLoopback, false, url)
  }
  for (const host of ['127.0.0.1', '127.9.9.9', '[::1]', 'localhost']) t.ok(isLoopbackHost(host), host)
  for (const host of ['128.0.0.1', '127.example.com', '[::2]', '']) t.notOk(isLoopbackHost(host), host)
})

t.test('mistakes get a sentence', async (t) => {
  t.throws(() => readArguments(['--url', 'ftp://127.0.0.1']), /not an http or https URL/)
  t.throws(() => readArguments(['--url', 'nonsense']), /not an http or https URL/)
  t.throws(() => readArguments(['--scenario', 'put']), /none of all, get, post, over/)
  t.throws(() => readArguments(['--seconds', '0']), /from 1 to 600/)
  t.throws(() => readArguments(['--connections', '1e3']), /from 1 to 1000/)
  t.throws(() => readArguments(['--what']))
})

t.test('the preflight tells what is wrong with the target', async (t) => {
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const { port } = closed.address() as { port: number }
  await new Promise((resolve) => closed.close(resolve))
  t.match(await examineTarget(new URL(`https://127.0.0.1:${port}`), true), /Nothing listens at .* npm start/)

  const demo = await startDemo()
  t.teardown(() => demo.close())
  t.equal(await examineTarget(new URL(`http://127.0.0.1:${demo.port}`), true), null)
  t.match(await examineTarget(new URL(`https://127.0.0.1:${demo.port}`), true), /does not speak TLS/)
})

t.test('the table counts by class and shows the share of 429', async (t) => {
  const text = formatTable([
    {
      title: 'over the limit',
      about: 'why',
      perSecond: 1234.4,
      latency: { p50: 0, p97_5: 7, p99: 9, max: 41 },
      statusCounts: { '200': 25, '404': 5, '429': 70 },
      errors: 2,
    },
  ])
  t.match(text, /over the limit +1234 +<1 +7 +9 +41 +25 +0 +75 +0 +70\.0% +2/)
  const lines = text.split('\n').slice(0, 3)
  t.equal(new Set(lines.map((line) => line.length)).size, 1, 'columns stand under one another')
  t.match(
    formatTable([
      {
        title: 'x',
        about: '',
        perSecond: 0,
        latency: { p50: 0, p97_5: 0, p99: 0, max: 0 },
        statusCounts: {},
        errors: 9,
      },
    ]),
    /- +9/,
  )
})

t.test('the script measures a running service', async (t) => {
  const demo = await startDemo()
  t.teardown(() => demo.close())
  const child = spawn(process.execPath, [
    SCRIPT,
    ...['--url', `http://127.0.0.1:${demo.port}`, '--seconds', '1', '--connections', '2', '--rate', '5'],
  ])
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  t.equal(code, 0)
  for (const title of ['plain GET', 'chat POST', 'over the limit']) {
    t.match(output, new RegExp(`${title} +\\d+ .* [1-9]\\d* +0 +0 +0 +0\\.0% +0\n`), title)
  }
})

t.test('the exit code tells a wrong call from a missing gateway', async (t) => {
  const wrong = spawnSync(process.execPath, [SCRIPT, '--url', 'https://example.com'], { encoding: 'utf8' })
  t.equal(wrong.status, 2)
  t.match(wrong.stderr, /not on loopback/)
})
