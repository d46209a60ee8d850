/** What clients send to a Redis, as it tells itself (MONITOR): commands of scripts are left out. */
import { connect } from 'node:net'
import type { RedisProcess } from './redis.ts'

export interface MonitoredCommand {
  /** Lower case. */
  readonly name: string
  readonly args: readonly string[]
  /** As it stands on the wire (RESP). */
  readonly bytes: number
}

export interface RedisMonitor {
  /** All that came up to now, in the order of Redis. */
  readonly commands: readonly MonitoredCommand[]
  /** Resolves when all is here that Redis had been sent before. */
  flushed(): Promise<void>
  close(): void
}

const LINE = /^\+\d+\.\d+ \[\d+ (\S+)\] (.*)$/
const ARGUMENT = /"((?:[^"\\]|\\.)*)"/g

export async function startMonitor(redis: RedisProcess): Promise<RedisMonitor> {
  const commands: MonitoredCommand[] = []
  const waiting = new Map<string, () => void>()
  let rest = ''
  let marks = 0
  const socket = connect(redis.port, '127.0.0.1', () => socket.write('MONITOR\r\n'))
  const { promise: isStarted, resolve } = Promise.withResolvers<void>()
  socket.setEncoding('latin1').on('data', (text: string) => {
    const lines = (rest + text).split('\r\n')
    rest = lines.pop()!
    for (const line of lines) {
      if (line === '+OK') resolve()
      const found = LINE.exec(line)
      if (found === null || found[1] === 'lua') continue
      // Escapes are of one byte each: `\n`, `\"`, `\x00`.
      const all = [...found[2]!.matchAll(ARGUMENT)].map(([, each]) => each!.replace(/\\(x[0-9a-f]{2}|.)/g, '?'))
      const [name = '', ...args] = all
      const mark = name.toLowerCase() === 'echo' ? waiting.get(args[0] ?? '') : undefined
      if (mark !== undefined) mark()
      else commands.push({ name: name.toLowerCase(), args, bytes: wireBytes(all) })
    }
  })
  await isStarted
  return {
    commands,
    async flushed() {
      const mark = `mark-${++marks}`
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.set(mark, resolve)
      await redis.command(`ECHO ${mark}`)
      await promise
      waiting.delete(mark)
    },
    close: () => void socket.destroy(),
  }
}

function wireBytes(all: readonly string[]): number {
  const line = (count: number) => 3 + String(count).length
  return line(all.length) + all.reduce((sum, { length }) => sum + line(length) + length + 2, 0)
}
