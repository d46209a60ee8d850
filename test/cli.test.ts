/** The command line as a person meets it: what it prints, where, and with which exit code. */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { verifyPassword } from '../src/access/passwords.ts'
import { readNewPassword } from '../src/cli/password-prompt.ts'

const BIN = fileURLToPath(new URL('../bin/portcullis.js', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function run(words: readonly string[], input = '', env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [BIN, ...words], { env: { PATH: process.env.PATH, ...env } })
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
}

const GOOD = `{
  "listeners": { "public": { "address": "127.0.0.1:8443" } },
  "services": { "chat": { "endpoints": ["http://127.0.0.1:3000"] }, "spare": { "endpoints": ["http://127.0.0.1:3001"] } },
  "routes": [{ "path": "/*", "service": "chat", "profiles": ["internet"], "purpose": "chat" }],
}`

t.test('version and help', async (t) => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  t.same(await run(['--version']), { code: 0, out: `portcullis ${version}\n`, err: '' })
  const help = await run(['--help'])
  t.equal(help.code, 0)
  for (const command of ['start', 'check', 'schema', 'try-message', 'hash-password', 'health']) {
    t.match(help.out, new RegExp(`^ {2}${command} +\\w`, 'm'))
    const one = await run(['help', command])
    t.equal(one.code, 0)
    t.match(one.out, `Usage: portcullis ${command}`)
  }
  t.same((await run(['check', '--help'])).out, (await run(['help', 'check'])).out)
})

t.test('the first word of commands of two words lists them', async (t) => {
  for (const group of ['keys', 'url', 'transcripts']) {
    const help = await run([group, '--help'])
    t.equal(help.code, 0, help.err)
    t.match(help.out, new RegExp(`^Usage: portcullis ${group} COMMAND`))
    t.match(help.out, new RegExp(`^ {2}${group} \\w+ +\\w`, 'm'))
    t.same((await run(['help', group])).out, help.out)
    t.same(await run([group]), { code: 2, out: '', err: help.out })
  }
})

t.test('wrong use ends with 2 and says what was meant', async (t) => {
  const cases: [string[], RegExp][] = [
    [[], /^portcullis: a hardened TLS gateway[\s\S]*Usage:/],
    [['chek'], /^portcullis: no command "chek"; did you mean "check"\?\n$/],
    [['frobnicate'], /no command "frobnicate"; "portcullis --help" lists them/],
    [['--verson'], /no option "--verson"; did you mean "--version"\?/],
    [['help', 'strat'], /no command "strat"; did you mean "start"\?/],
    [['check', '--confg', 'x'], /check: no option "--confg"; did you mean "--config"\?/],
    [['check', 'config/gateway.json'], /takes options only; usage: portcullis check \[--config FILE\]/],
    [['check', '--config'], /--config/],
    [['schema', '-x'], /no option "-x"; this command has none/],
    [['health', '--url', 'ftp://x'], /--url is not an http:\/\/ URL/],
    [['constructor'], /no command "constructor"/],
  ]
  for (const [words, says] of cases) {
    const { code, out, err } = await run(words)
    t.equal(code, 2, words.join(' '))
    t.equal(out, '')
    t.match(err, says)
    t.notMatch(err, /\n\s+at /, 'no stack')
  }
})

t.test('check tells ok, warnings, or every mistake', async (t) => {
  const dir = t.testdir({
    'good.json': GOOD,
    'bad.json': GOOD.replace('"address"', '"adress"').replace('"service": "chat"', '"service": "caht"'),
  })
  const good = await run(['check', '--config', join(dir, 'good.json')])
  t.equal(good.code, 0, good.err)
  t.equal(good.out, 'ok: 2 listeners, 2 services, 1 route, 0 sets of message rules, 0 limits\n')
  t.match(good.err, /^warning: .*good\.json:3:69 services\.spare: this service is used nowhere\n$/)
  const bad = await run(['check', '--config', join(dir, 'bad.json')])
  t.equal(bad.code, 1)
  t.equal(bad.out, '')
  const lines = bad.err.trimEnd().split('\n')
  t.equal(lines.length, 3, bad.err)
  t.match(lines[0], /bad\.json:2:28 listeners\.public\.address: is missing: address and port to listen on$/)
  t.match(lines[1], /bad\.json:2:30 listeners\.public\.adress: no such setting; did you mean "address"\?$/)
  t.match(lines[2], /bad\.json:4:41 routes\[0\]\.service: no service named "caht"; did you mean "chat"\?$/)
  const none = await run(['check', '--config', join(dir, 'none.json')])
  t.equal(none.code, 1)
  t.match(none.err, /none\.json: cannot be read: there is no such file\n$/)
})

t.test('check looks at files and secrets, or not', async (t) => {
  const text = GOOD.replace(
    '8443"',
    '8443", "tls": { "certificates": [{ "cert": "none.pem", "key": "none.key", "passphrase": { "env": "NOT_SET" } }] }',
  )
  const path = join(t.testdir({ 'g.json': text }), 'g.json')
  const looked = await run(['check', '--config', path])
  t.equal(looked.code, 1)
  t.equal(looked.err.trimEnd().split('\n').length, 3)
  t.equal((await run(['check', '--config', path, '--without-files'])).code, 0)
})

t.test('start refuses a broken file with the same lines', async (t) => {
  const path = join(t.testdir({ 'g.json': GOOD.replace('"address"', '"adress"') }), 'g.json')
  const { code, err } = await run(['start', '--config', path])
  t.equal(code, 1)
  t.match(err, /g\.json:2:30 listeners\.public\.adress: no such setting/)
})

t.test('schema prints the published schema, also into a pipe that closes early', async (t) => {
  const { code, out } = await run(['schema'])
  t.equal(code, 0)
  t.equal(out, readFileSync(new URL('../config/gateway.schema.json', import.meta.url), 'utf8'))
  const child = spawn(process.execPath, [BIN, 'schema'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let err = ''
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  child.stdout.destroy()
  await new Promise((resolve) => child.on('close', resolve))
  t.equal(err, '')
})

t.test('hash-password takes one line and prints one hash', async (t) => {
  const password = 'Correct horse battery 9'
  const { code, out, err } = await run(['hash-password'], `${password}\n`)
  t.equal(code, 0, err)
  t.match(out, /^\$argon2id\$v=19\$[^\n]+\n$/)
  t.ok(await verifyPassword(out.trim(), password))
  const refused: [string, RegExp][] = [
    ['short\n', /^portcullis: the password must have at least 12 characters/],
    ['', /holds no password/],
    ['Correct horse battery 9\nand more\n', /more than one line/],
    ['x'.repeat(10_000), /too long/],
  ]
  for (const [input, says] of refused) {
    const ended = await run(['hash-password'], input)
    t.equal(ended.code, 1)
    t.equal(ended.out, '')
    t.match(ended.err, says)
  }
})

/** A terminal as the prompt sees one: keys come in pieces, raw mode is counted. */
class Terminal extends PassThrough {
  readonly isTTY = true
  raw = false
  setRawMode(on: boolean): this {
    this.raw = on
    return this
  }
}

async function typed(...pieces: string[]): Promise<{ result: unknown; shown: string; raw: boolean }> {
  const input = new Terminal()
  const prompt = new PassThrough()
  let shown = ''
  prompt.on('data', (chunk) => {
    shown += chunk
  })
  const result = readNewPassword(input, prompt)
  for (const piece of pieces) {
    input.write(Buffer.from(piece, 'latin1'))
    await new Promise(setImmediate)
  }
  return { result: await result, shown, raw: input.raw }
}

t.test('at a terminal the password is asked twice and never shown', async (t) => {
  const good = await typed('sec', 'ret\r', 'secret\r')
  t.same(good, { result: { password: 'secret' }, shown: 'New password: \nAgain: \n', raw: false })
  t.same((await typed('secret\r', 'secrets\r')).result, { problem: 'the two passwords differ' })
  t.same((await typed('secx\x7fret\r', 'zz\x15secret\r')).result, { password: 'secret' }, 'backspace, Ctrl-U')
  t.same((await typed('\xc3', '\xa9t\xc3\xa9\r', '\xc3\xa9t\xc3\xa9\r')).result, { password: 'été' }, 'split UTF-8')
  const interrupted = await typed('sec\x03')
  t.same(interrupted.result, { problem: 'interrupted' })
  t.equal(interrupted.raw, false, 'the terminal is given back')
})

t.test('health asks the admin listener of the configuration', async (t) => {
  let status = 200
  const asked: (string | undefined)[] = []
  const server = createServer((request, answer) => {
    asked.push(request.url)
    answer.writeHead(status).end('x')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  // A file with mistakes: a running gateway may have refused to load it and live on.
  const path = join(
    t.testdir({ 'g.json': `{ "listeners": { "admin": { "address": "127.0.0.1:${port}" }, "x": 5 } ` }),
    'g.json',
  )
  t.same(await run(['health', '--config', path]), { code: 0, out: 'ok\n', err: '' })
  status = 503
  const down = await run(['health', '--url', `http://127.0.0.1:${port}/health/ready`])
  t.equal(down.code, 1)
  t.match(down.err, /\/health\/ready answered 503/)
  t.same(asked, ['/health/live', '/health/ready'])
  server.close()
  const gone = await run(['health', '--url', `http://127.0.0.1:${port}/health/live`])
  t.equal(gone.code, 1)
  t.match(gone.err, /does not answer \(ECONNREFUSED\)/)
})

t.test('an older Node is told what to do in one line', async (t) => {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'))
  const older = folders
    .map((folder) => join(folder, 'node'))
    .filter((file) => existsSync(file))
    .find((file) => /^v(?:1\d|2[0-3])\./.test(spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout))
  if (older === undefined) return void t.comment('this machine has no older Node')
  const { status, stderr } = spawnSync(older, [BIN, '--version'], { encoding: 'utf8' })
  t.equal(status, 1)
  t.match(stderr, /^portcullis: needs Node 24\.7 or later, this is \d+\.\d+\.\d+; [^\n]+\n$/)
})

t.test('a pinned runtime that lacks its library is told by name', async (t) => {
  const older = spawnSync('sh', ['-c', 'command -v node'], {
    encoding: 'utf8',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
  }).stdout.trim()
  if (older === '' || !/^v(?:1\d|2[0-3])\./.test(spawnSync(older, ['--version'], { encoding: 'utf8' }).stdout)) {
    return void t.comment('this machine has no older Node')
  }
  const dir = t.testdir({
    'package.json': '{ "type": "module" }',
    bin: { 'portcullis.js': readFileSync(BIN, 'utf8') },
    node_modules: {
      '.bin': { node: '#!/bin/sh\necho "libatomic.so.1: cannot open shared object file" >&2; exit 127\n' },
    },
  })
  chmodSync(join(dir, 'node_modules/.bin/node'), 0o755)
  const { status, stderr } = spawnSync(older, [join(dir, 'bin/portcullis.js')], { encoding: 'utf8' })
  t.equal(status, 1)
  t.match(stderr, /install libatomic1 /)
})
