/**
 * A real forward proxy (Tinyproxy) on a free port, and what it logged; killed, hung and started again. Gone with the test process.
 * Where it is not there and cannot be installed, `TINYPROXY_MISSING` says so.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { freePort } from './upstream.ts'
import { until } from './wait.ts'

const ENSURE = resolve(import.meta.dirname, '../../scripts/ensure-tinyproxy.sh')

/** Empty where the program is there; else why not. */
export const TINYPROXY_MISSING: string =
  spawnSync('sh', [ENSURE], { encoding: 'utf8' }).status === 0 ? '' : 'no tinyproxy here'

export interface ProxyWish {
  readonly user?: string
  readonly password?: string
  /** Further lines of its configuration. */
  readonly lines?: readonly string[]
}

export interface ProxyProcess {
  readonly port: number
  readonly url: string
  /** CONNECT requests that it understood, as `host:port`. */
  connects(): string[]
  kill(): Promise<void>
  /** SIGSTOP: connections are accepted by the kernel, and nobody answers. */
  hang(): void
  goOn(): void
  /** On the same port, after `kill`. */
  restart(): Promise<void>
  close(): Promise<void>
}

export async function startTinyproxy({ user, password, lines = [] }: ProxyWish = {}): Promise<ProxyProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-proxy-'))
  const port = await freePort()
  const log = join(folder, 'log')
  const config = [
    ...[`Port ${port}`, 'Listen 127.0.0.1', 'Timeout 60', 'MaxClients 200', `LogFile "${log}"`, 'LogLevel Connect'],
    ...(user === undefined ? [] : [`BasicAuth ${user} ${password}`]),
    ...lines,
  ]
  writeFileSync(join(folder, 'conf'), `${config.join('\n')}\n`)
  let child = await run(join(folder, 'conf'), port)
  const end = (): void => void child.kill('SIGKILL')
  process.on('exit', end)
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    connects: () => {
      const text = existsSync(log) ? readFileSync(log, 'utf8') : ''
      return [...text.matchAll(/Request \(file descriptor \d+\): CONNECT (\S+)/g)].map((found) => found[1]!)
    },
    kill,
    hang: () => void child.kill('SIGSTOP'),
    goOn: () => void child.kill('SIGCONT'),
    restart: async () => {
      child = await run(join(folder, 'conf'), port)
    },
    close: async () => {
      process.off('exit', end)
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function run(config: string, port: number): Promise<ChildProcess> {
  const child = spawn('tinyproxy', ['-d', '-c', config], { stdio: 'ignore' })
  await until(() => isListening(port), 'tinyproxy to listen')
  return child
}

function isListening(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('connect', () => {
      socket.destroy()
      done(true)
    })
    socket.on('error', () => done(false))
  })
}

/** TLS before a proxy, which speaks none itself. */
export async function startTlsBefore(
  port: number,
  pair: { readonly cert: string; readonly key: string },
): Promise<{ readonly port: number; close(): void }> {
  const sides = new Set<Socket>()
  const server = createTlsServer({ cert: pair.cert, key: pair.key }, (near) => {
    const far = connect(port, '127.0.0.1')
    for (const side of [near, far]) {
      sides.add(side)
      side.on('error', () => {})
      side.on('close', () => {
        sides.delete(side)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far)
    far.pipe(near)
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const side of sides) side.destroy()
      server.close()
    },
  }
}
