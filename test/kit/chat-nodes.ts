/** Starts chat nodes as processes of their own, and makes them ill: killed, hung, slow, and back on the same port. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { within } from './wait.ts'

export interface ChatNode {
  readonly name: string
  readonly port: number
  readonly url: string
  /** Targets of the POSTs that it acted on, in this and in earlier lives. */
  posts(): string[]
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGSTOP: connections are accepted by the kernel, and nobody answers. */
  hang(): void
  goOn(): void
  /** On the same port, after `kill`. */
  restart(): Promise<void>
  /** `/be/ill`, `/be/well`, `/be/slow/200`: asked past the gateway. */
  tell(path: string): Promise<void>
  close(): Promise<void>
}

const PROGRAM = join(import.meta.dirname, 'chat-node.ts')

export async function startChatNode(name: string, kind: 'new' | 'old' = 'new'): Promise<ChatNode> {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-node-'))
  const file = join(folder, 'posts')
  let { child, port } = await run(name, kind, 0, file)
  const end = (): void => void child.kill('SIGKILL')
  process.on('exit', end)
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  return {
    name,
    port,
    url: `http://127.0.0.1:${port}`,
    posts: () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []),
    kill,
    hang: () => void child.kill('SIGSTOP'),
    goOn: () => void child.kill('SIGCONT'),
    restart: async () => {
      ;({ child, port } = await run(name, kind, port, file))
    },
    tell: (path) => within(tell(port, path), `${name} ${path}`),
    close: async () => {
      process.off('exit', end)
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function run(
  name: string,
  kind: string,
  port: number,
  file: string,
): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, [PROGRAM, name, kind, String(port), file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  const listening = new Promise<number>((resolve, reject) => {
    child.once('exit', () => reject(new Error(`${name} did not start`)))
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const found = /listening (\d+)/.exec(said)
      if (found !== null) resolve(Number(found[1]))
    })
  })
  return { child, port: await within(listening, `the start of ${name}`) }
}

function tell(port: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: false }, (answer) => {
      answer.resume()
      answer.on('end', resolve)
    }).on('error', reject)
  })
}
