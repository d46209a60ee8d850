/**
 * What compression costs and saves: a JSON answer (of 20 KB, unless said) through the gateway, with each coding at several levels, beside none
 * and beside nginx's gzip. `node test/bench/compression.ts [--seconds N] [--rounds N] [--bytes N] [--write]`; h2load makes the load, and nginx is the service too.
 */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openHttp1 } from '../kit/clients.ts'
import { startGateway, testConfig } from '../kit/gateway.ts'
import { freePort } from '../kit/upstream.ts'
import { cpuSeconds } from './cpu.ts'
import { machine, table, writeSection } from './marked-section.ts'
import { makeFolder, removeFolder } from './place.ts'
import { asProgram, startProgram, untilListening } from './programs.ts'
import { median } from './results.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    bytes: { type: 'string', default: '20000' },
    write: { type: 'boolean', default: false },
  },
})
const ROUNDS = Number(values.rounds)
const CONNECTIONS = 20
const BODY_BYTES = Number(values.bytes)

/** Messages of a chat: ids, names, times and words, always the same. */
function chatMessages(): string {
  const words = 'message customer agent hello order delivery please thank you status open closed waiting the a of to in'
  const list = words.split(' ')
  let state = 0x1234567
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return state >>> 8
  }
  const messages: object[] = []
  while (JSON.stringify(messages).length < BODY_BYTES) {
    messages.push({
      id: next().toString(36) + next().toString(36),
      from: `customer-${next() % 900}`,
      at: new Date(1.7e12 + next() * 1000).toISOString(),
      text: Array.from({ length: 8 + (next() % 12) }, () => list[next() % list.length]).join(' '),
      seen: next() % 2 === 0,
    })
  }
  return JSON.stringify(messages)
}

const LEVELS = [
  { zstd: 1, br: 1, gzip: 1 },
  { zstd: 3, br: 4, gzip: 4 },
  { zstd: 5, br: 5, gzip: 6 },
  { zstd: 6, br: 6, gzip: 9 },
] as const
const CODINGS = ['zstd', 'br', 'gzip'] as const
const NGINX_LEVELS = [0, 1, 4, 6] as const

interface Contender {
  readonly label: string
  readonly pid: number
  readonly port: number
  /** Accept-Encoding; '' for none. */
  readonly accepts: string
  bytes: number
  readonly samples: number[]
}

function nginxText(
  folder: string,
  sitePort: number,
  ports: readonly number[],
  certificate: string,
  key: string,
): string {
  const servers = ports.map(
    (port, i) => `server {
      listen 127.0.0.1:${port} ssl backlog=4096;
      ssl_certificate ${certificate}; ssl_certificate_key ${key};
      gzip ${NGINX_LEVELS[i] === 0 ? 'off' : 'on'}; gzip_comp_level ${NGINX_LEVELS[i] || 1};
      gzip_types application/json; gzip_proxied any; gzip_vary on;
      location / { proxy_pass http://site; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Accept-Encoding ""; }
    }`,
  )
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  )
  return `${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1; daemon off; pid ${folder}/${sitePort}-${ports.length}.pid; error_log stderr warn;
events { worker_connections 1024; }
http {
  ${temporary.join(' ')}
  access_log ${ports.length === 0 ? 'off' : `${folder}/nginx.access.log`};
  keepalive_requests 100000000; types { application/json json; }
  upstream site { server 127.0.0.1:${sitePort}; keepalive 64; }
  ${ports.length === 0 ? `server { listen 127.0.0.1:${sitePort}; root ${folder}; open_file_cache max=4 inactive=1h; }` : servers.join('\n')}
}`
}

/** Requests that were answered. Throws where one was not answered with 200. */
async function load({ port, accepts }: Contender, seconds: number): Promise<number> {
  const field = accepts === '' ? [] : ['-H', `accept-encoding: ${accepts}`]
  const args = ['--h1', '-t', '1', '-D', String(seconds), '-c', String(CONNECTIONS), ...field]
  const child = spawn('h2load', [...args, `https://localhost:${port}/messages.json`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  asProgram(child)
  let text = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) text += chunk
  const found = /(\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored/.exec(text)
  if (found === null || found[2] !== '0' || found[3] !== '0') throw new Error(`h2load failed:\n${text}`)
  return Number(found[1])
}

const place = await makeFolder()
const closing: (() => Promise<unknown>)[] = []
try {
  writeFileSync(join(place.folder, 'messages.json'), chatMessages())
  const sitePort = await freePort()
  const start = async (name: string, ports: readonly number[]) => {
    const file = join(place.folder, `${name}.conf`)
    writeFileSync(file, nginxText(place.folder, sitePort, ports, place.certPath, place.keyPath))
    const options = { cwd: place.folder, outPath: join(place.folder, `${name}.log`), cpus: null }
    const program = startProgram('nginx', ['-c', file, '-p', place.folder], options)
    closing.push(() => program.stop())
    await untilListening(ports[0] ?? sitePort, program)
    return program
  }
  await start('site', [])
  const contenders: Contender[] = []
  const enter = (label: string, pid: number, port: number, accepts: string): void => {
    contenders.push({ label, pid, port, accepts, bytes: 0, samples: [] })
  }
  for (const levels of LEVELS) {
    const route = { path: '/*', service: 'chat', profiles: ['internet'], purpose: 'benchmark', compression: 'public' }
    const routes = [{ ...route, methods: ['GET'] }]
    const gateway = await startGateway(testConfig(`http://127.0.0.1:${sitePort}`, { routes, compression: { levels } }))
    closing.push(() => gateway.close())
    const { pid } = gateway.child
    if (contenders.length === 0) enter('the gateway, uncompressed', pid!, gateway.publicPort, '')
    for (const coding of CODINGS) enter(`the gateway, ${coding} ${levels[coding]}`, pid!, gateway.publicPort, coding)
  }
  const ports = await Promise.all(NGINX_LEVELS.map(() => freePort()))
  const nginx = await start('nginx', ports)
  for (const [i, level] of NGINX_LEVELS.entries()) {
    enter(level === 0 ? 'nginx, uncompressed' : `nginx, gzip ${level}`, nginx.pid, ports[i]!, level === 0 ? '' : 'gzip')
  }
  for (const each of contenders) {
    const client = openHttp1({ port: each.port })
    const headers = each.accepts === '' ? [] : ['accept-encoding', each.accepts]
    const reply = await client.ask({ path: '/messages.json', headers })
    await client.close()
    if ((reply.header('content-encoding') ?? '') !== each.accepts) throw new Error(`${each.label} did something else`)
    each.bytes = reply.body.length
    await load(each, 1)
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const each of contenders) {
      const before = cpuSeconds(each.pid)
      const done = await load(each, Number(values.seconds))
      each.samples.push(done / (cpuSeconds(each.pid) - before))
      console.log(each.label, Math.round(each.samples.at(-1)!))
    }
  }
  // Of each round, so that what the rest of the machine does in the meantime counts for both.
  const ratio = (each: Contender, to: Contender): number =>
    median(each.samples.map((value, i) => value / to.samples[i]!))
  const base = contenders[0]!
  const rows = contenders.map((each) => [
    each.label,
    String(each.bytes),
    (each.bytes / base.bytes).toFixed(2),
    ratio(each, base).toFixed(2),
    String(Math.round(median(each.samples) / 100) * 100),
  ])
  const text = table(['answer', 'bytes', 'of the size', 'requests per CPU second, beside uncompressed', 'median'], rows)
  console.log(`\n${text}`)
  const how = `Measured on ${machine()}: medians of ${ROUNDS} rounds in turn of ${values.seconds} s, ${CONNECTIONS} connections, other work running beside it; ratios hold better than figures.`
  if (values.write) writeSection('docs/performance.md', 'compression', `${text}\n\n${how}`)
} finally {
  for (const close of closing.toReversed()) await close()
  removeFolder(place.folder)
}
