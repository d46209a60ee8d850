/** Gateways for tests: as a process of its own (signals, several on one Redis) or in this one (leaks, handles). */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parse as parseJsonWithComments } from 'jsonc-parser'
import { Gateway } from '../../src/gateway.ts'

const ROOT = resolve(import.meta.dirname, '../..')

export type Json = Record<string, unknown>

export interface TestGateway {
  /** Port of a setting: `listeners.public.address`. */
  port(setting: string): number
  readonly publicPort: number
  readonly adminPort: number
  readonly folder: string
  readonly configPath: string
  /** What the gateway wrote to standard error, its own log. */
  readonly log: () => string
  accessLines(): Json[]
  auditLines(): Json[]
  writeConfig(config: Json | string): void
  close(): Promise<void>
}

export interface ProcessGateway extends TestGateway {
  readonly child: ChildProcess
  /** Resolves to the exit code. */
  readonly exited: Promise<number | null>
}

/**
 * A small valid configuration for one service, every port chosen by the system. Sections of `overrides` replace whole
 * sections.
 */
export function testConfig(endpoint: string, overrides: Json = {}): Json {
  return {
    listeners: { public: publicListener(), admin: { address: '127.0.0.1:0' } },
    services: { chat: { endpoints: [endpoint] } },
    routes: [
      {
        path: '/*',
        service: 'chat',
        profiles: ['internet'],
        purpose: 'test',
        methods: ['GET', 'POST', 'PUT'],
        webSocket: true,
      },
    ],
    ...overrides,
  }
}

/** All clients of a test come from one address, many of them at once. */
const HANDSHAKES = { max: 10_000, perAddress: 10_000, perSecond: 100_000, perAddressPerMinute: 1_000_000 }

export function publicListener(more: Json = {}): Json {
  return { address: '127.0.0.1:0', hosts: ['localhost', '127.0.0.1'], handshakes: HANDSHAKES, ...more }
}

/** Starts `portcullis start` in a folder of its own and waits until it listens. */
export async function startGateway(config: Json, env: Record<string, string> = {}): Promise<ProcessGateway> {
  const place = new Place(config)
  const child = spawn(process.execPath, [join(ROOT, 'bin/portcullis.js'), 'start', '--config', place.configPath], {
    cwd: place.folder,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  // Only of the process group of a test run that dies unexpectedly: no gateway must outlive it.
  const kill = (): void => void child.kill('SIGKILL')
  process.on('exit', kill)
  let log = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  const ports = new Map<string, number>()
  const deadline = performance.now() + 60_000
  while (!ports.has('listeners.admin.address')) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`the gateway did not start:\n${log}`)
    }
    await new Promise((wake) => setTimeout(wake, 20))
    for (const line of log.split('\n')) {
      const found = /"setting":"([^"]+)","address":"[^"]*:(\d+)"/.exec(line)
      if (found !== null) ports.set(found[1]!, Number(found[2]))
    }
  }
  return Object.assign(
    place.gateway(ports, () => log),
    {
      child,
      exited,
      close: async () => {
        process.off('exit', kill)
        if (child.exitCode === null && child.signalCode === null) {
          child.kill('SIGKILL')
          await exited
        }
        place.remove()
      },
    },
  )
}

/** The same in this process. Certificates are made in the test's folder. */
export async function startGatewayHere(
  config: Json,
  env: Record<string, string> = {},
): Promise<TestGateway & { gateway: Gateway }> {
  const place = new Place(config)
  const before = process.cwd()
  process.chdir(place.folder)
  const gateway = new Gateway({ configPath: place.configPath, env })
  try {
    await gateway.start()
  } finally {
    process.chdir(before)
  }
  const ports = new Map(gateway.addresses.map(({ setting, port }) => [setting, port]))
  return Object.assign(
    place.gateway(ports, () => ''),
    {
      gateway,
      close: async () => {
        const end = gateway.drain()
        void gateway.drain()
        await end
        place.remove()
      },
    },
  )
}

class Place {
  readonly folder = mkdtempSync(join(tmpdir(), 'portcullis-'))
  readonly configPath = join(this.folder, 'gateway.json')

  constructor(config: Json) {
    const log = { access: join(this.folder, 'access.log'), audit: join(this.folder, 'audit.log') }
    this.write({ log, drain: { timeout: '5 seconds', webSocketWindow: '200 ms' }, ...config })
  }

  write(config: Json | string): void {
    writeFileSync(this.configPath, typeof config === 'string' ? config : JSON.stringify(config, null, 2))
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  gateway(ports: ReadonlyMap<string, number>, log: () => string): Omit<TestGateway, 'close'> {
    const port = (setting: string): number => {
      const found = ports.get(setting)
      if (found === undefined) throw new Error(`nothing listens for ${setting}`)
      return found
    }
    const lines = (name: string): Json[] =>
      readFileSync(join(this.folder, name), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Json)
    return {
      port,
      get publicPort() {
        return port('listeners.public.address')
      },
      get adminPort() {
        return port('listeners.admin.address')
      },
      folder: this.folder,
      configPath: this.configPath,
      log,
      accessLines: () => lines('access.log'),
      auditLines: () => lines('audit.log'),
      writeConfig: (config) => this.write(config),
    }
  }
}

export interface DemoGateway {
  readonly url: string
  readonly transcriptsUrl: string
  readonly redirectUrl: string
  readonly user: string
  readonly password: string
  readonly gateway: ProcessGateway
  close(): Promise<void>
}

/** The demo as `npm start` runs it, on free ports and with a state of its own. */
export async function startDemoGateway(): Promise<DemoGateway> {
  const { startDemo } = await import('../../demo/chat-service.ts')
  const { ensureDemoState } = await import('../../demo/state.ts')
  const state = mkdtempSync(join(tmpdir(), 'portcullis-demo-'))
  const accounts = join(state, 'accounts.json')
  const { user, password } = await ensureDemoState(accounts)
  const demo = await startDemo()
  const config = parseJsonWithComments(readFileSync(join(ROOT, 'config/gateway.json'), 'utf8')) as Json
  delete config.log
  delete config.$schema
  const text = JSON.stringify(config)
    .replace('127.0.0.1:8443', '127.0.0.1:0')
    .replace('127.0.0.1:8080', '127.0.0.1:0')
    .replace('127.0.0.1:9443', '127.0.0.1:0')
    .replace('127.0.0.1:9900', '127.0.0.1:0')
    .replace('127.0.0.1:3900', `127.0.0.1:${demo.port}`)
    .replace('demo/state/accounts.json', accounts)
    .replace('demo/transcripts', join(ROOT, 'demo/transcripts'))
  const gateway = await startGateway(JSON.parse(text) as Json)
  return {
    url: `https://localhost:${gateway.publicPort}`,
    transcriptsUrl: `https://localhost:${gateway.port('listeners.transcripts.address')}`,
    redirectUrl: `http://localhost:${gateway.port('listeners.public.redirectFrom')}`,
    user,
    password: password!,
    gateway,
    close: async () => {
      await gateway.close()
      await demo.close()
      rmSync(state, { recursive: true, force: true })
    },
  }
}
