/** Who is attacked: the gateway, and nginx with the same deadlines, each on the processor that is the proxy's. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificate, writePair } from '../../kit/certificates.ts'
import { publicListener, startGateway, testConfig } from '../../kit/gateway.ts'
import { freePort } from '../../kit/upstream.ts'
import { type Cores, startProgram, untilListening } from '../programs.ts'

export interface Contender {
  readonly name: string
  readonly port: number
  readonly pid: number
  log(): string
  close(): Promise<void>
}

/** Seconds. Shorter than the defaults, so that a run ends: the deadline is what cuts, whatever its length. */
const DEADLINE = 2
const IDLE = 3

export interface Services {
  /** Whom the well-behaved client asks, and nobody else: what attacks cost a service is not what is measured. */
  readonly small: number
  readonly large: number
  /** Of what attackers ask otherwise. */
  readonly attacked: number
}

export async function startPortcullis(services: Services, cores: Cores | null): Promise<Contender> {
  const service = (port: number) => ({ endpoints: [`http://127.0.0.1:${port}`], maxConnections: 8192 })
  const route = { profiles: ['internet'], purpose: 'benchmark', methods: ['GET', 'POST'] }
  const deadline = `${DEADLINE} s`
  const gateway = await startGateway(
    testConfig('', {
      listeners: {
        public: publicListener({
          timeouts: { handshake: deadline, headers: deadline, bodyGrace: deadline, idle: `${IDLE} s`, send: deadline },
        }),
        admin: { address: '127.0.0.1:0' },
      },
      services: {
        small: service(services.small),
        large: service(services.large),
        attacked: service(services.attacked),
      },
      routes: [
        { ...route, path: '/small', service: 'small' },
        { ...route, path: '/large', service: 'large' },
        { ...route, path: '/*', service: 'attacked' },
      ],
    }),
  )
  const pid = gateway.child.pid!
  if (cores !== null) execFileSync('taskset', ['-acp', cores.proxy, String(pid)], { stdio: 'ignore' })
  return { name: 'portcullis', port: gateway.publicPort, pid, log: () => gateway.log(), close: () => gateway.close() }
}

export async function startNginx(services: Services, cores: Cores | null): Promise<Contender> {
  const folder = mkdtempSync(join(tmpdir(), 'attacks-nginx-'))
  const pair = writePair(folder, 'pair', await makeCertificate({ names: ['localhost', '127.0.0.1'] }))
  const port = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(' ')
  const config = `${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1; daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log crit;
worker_rlimit_nofile 32768;
events { worker_connections 16384; }
http {
  ${temporary} access_log ${folder}/access.log combined buffer=64k flush=1s;
  client_header_timeout ${DEADLINE}s; client_body_timeout ${DEADLINE}s; send_timeout ${DEADLINE}s;
  keepalive_timeout ${IDLE}s; keepalive_requests 100000; tcp_nodelay on; reset_timedout_connection on;
  upstream small { server 127.0.0.1:${services.small}; keepalive 256; }
  upstream large { server 127.0.0.1:${services.large}; keepalive 256; }
  upstream attacked { server 127.0.0.1:${services.attacked}; keepalive 256; }
  server {
    listen 127.0.0.1:${port} ssl http2 backlog=4096;
    ssl_certificate ${pair.cert}; ssl_certificate_key ${pair.key}; ssl_protocols TLSv1.2 TLSv1.3;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_max_temp_file_size 0;
    location = /small { proxy_pass http://small; }
    location / { proxy_pass http://attacked; }
    location = /large { proxy_pass http://large; }
  }
}
`
  const path = join(folder, 'nginx.conf')
  writeFileSync(path, config)
  const options = { cwd: folder, outPath: join(folder, 'out'), cpus: cores?.proxy ?? null }
  const program = startProgram('nginx', ['-p', folder, '-c', path], options)
  await untilListening(port, program)
  return {
    name: 'nginx',
    port,
    pid: program.pid,
    log: () => program.said(),
    close: async () => {
      await program.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
