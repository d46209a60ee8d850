/**
 * Real redis-server processes for tests: started on free ports without persistence, killed, paused and restarted at
 * will, and gone with their folder when the test process ends, whatever ends it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// The keeper outlives a test process that is killed: its standard input closes, and it takes the server with it.
const KEEPER = `dir=$1; shift; "$@" >/dev/null 2>&1 & pid=$!; echo $pid; cat >/dev/null; kill -9 $pid; wait $pid 2>/dev/null; rm -rf "$dir"`
const ATTEMPTS = 5
const READY_MS = 15_000

export interface RedisMore {
  /** The file of a Sentinel; missing: a server. */
  sentinel?: string
  /** For `command`. */
  password?: string
}

export class RedisProcess {
  readonly port: number
  readonly #args: readonly string[]
  readonly #sentinel: string | null
  readonly #password: string | null
  #keeper: ChildProcess | null = null
  #pid = 0

  constructor(port: number, args: readonly string[], more: RedisMore = {}) {
    this.port = port
    this.#args = args
    this.#sentinel = more.sentinel ?? null
    this.#password = more.password ?? null
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Starts the server and resolves when it answers. */
  async start(): Promise<void> {
    if (this.#keeper !== null) return
    const dir = await mkdtemp(join(tmpdir(), 'portcullis-redis-'))
    const place = ['--port', String(this.port), '--bind', '127.0.0.1']
    const file = join(dir, 'sentinel.conf')
    if (this.#sentinel !== null) await writeFile(file, this.#sentinel)
    const server =
      this.#sentinel !== null
        ? ['redis-server', file, '--sentinel', ...place]
        : ['redis-server', ...place, '--save', '', '--appendonly', 'no']
    const keeper = spawn(
      '/bin/sh',
      ['-c', KEEPER, 'sh', dir, ...server, '--dir', dir, '--logfile', join(dir, 'log'), ...this.#args],
      // Its own process group: an interrupt from the keyboard must not end the keeper before the server.
      { stdio: ['pipe', 'pipe', 'ignore'], detached: true },
    )
    this.#keeper = keeper
    const [line] = (await once(keeper.stdout!, 'data')) as [Buffer]
    this.#pid = Number(String(line).trim())
    const deadline = Date.now() + READY_MS
    while (!(await answers(this.port))) {
      if (Date.now() > deadline || !isAlive(this.#pid)) {
        await this.kill()
        throw new Error(`redis-server did not start on port ${this.port}`)
      }
      await sleep(20)
    }
    keeper.unref()
    for (const stream of [keeper.stdin, keeper.stdout]) (stream as unknown as { unref(): void }).unref()
  }

  /** Ends the server at once (SIGKILL), with everything it held. Resolves when it is gone. */
  async kill(): Promise<void> {
    const keeper = this.#keeper
    if (keeper === null) return
    this.#keeper = null
    keeper.ref()
    const gone = once(keeper, 'exit')
    keeper.stdin!.destroy()
    await gone
  }

  /** The server accepts connections and commands and answers none (SIGSTOP). */
  pause(): void {
    process.kill(this.#pid, 'SIGSTOP')
  }

  resume(): void {
    process.kill(this.#pid, 'SIGCONT')
  }

  /** A new, empty server on the same port. */
  async restart(): Promise<void> {
    await this.kill()
    await this.start()
  }

  /** Sends one command in the inline form and resolves with the raw answer. */
  command(line: string): Promise<string> {
    return command(this.port, line, this.#password)
  }

  async flush(): Promise<void> {
    await this.command('FLUSHALL')
  }
}

/** A running server on a free port. `args` are further arguments of redis-server. Call `kill()` at the end. */
export async function startRedis(args: readonly string[] = [], more: RedisMore = {}): Promise<RedisProcess> {
  for (let attempt = 1; ; attempt++) {
    const redis = new RedisProcess(await freePort(), args, more)
    try {
      await redis.start()
      return redis
    } catch (error) {
      // Somebody else may have taken the port in between.
      if (attempt === ATTEMPTS) throw error
    }
  }
}

/** A port that was free a moment ago, on loopback. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function answers(port: number): Promise<boolean> {
  return command(port, 'PING').then(
    (answer) => answer.startsWith('+PONG') || answer.startsWith('-NOAUTH'),
    () => false,
  )
}

function command(port: number, line: string, password: string | null = null): Promise<string> {
  const [hello, greeting] = password === null ? ['', ''] : [`AUTH ${password}\r\n`, '+OK\r\n']
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${hello}${line}\r\n`))
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer')))
    socket.once('error', reject)
    // Also a connection that is closed without an answer: one that a promoted server cuts, say.
    socket.once('close', () => reject(new Error('the connection was closed')))
    let text = ''
    socket.on('data', (data) => {
      text += data
      if (text.length <= greeting.length) return
      resolve(text.slice(greeting.length))
      socket.destroy()
    })
  })
}
