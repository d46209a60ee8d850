/** A client that asks for one answer and reads as much of it as a test says, over HTTP/1.1 or HTTP/2. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { authorityOf, openRaw, openSession, type Place } from './clients.ts'
import { within } from './wait.ts'

interface SlowReader {
  /** Bytes of the body that were read. */
  readonly bytes: number
  /** Reads at least so many bytes more, or to the end. */
  read(bytes: number): Promise<void>
  /** Reads the rest. True where the answer ended as its protocol says, and was as long as it promised. */
  readAll(): Promise<boolean>
  /** Of the body, hex. */
  hash(): string
  destroy(): void
}

/** Sends the request and reads nothing of the body yet. The answer must have a Content-Length. */
export async function openSlowReader(transport: 'h1' | 'h2', place: Place, path: string): Promise<SlowReader> {
  return transport === 'h1' ? await overHttp1(place, path) : await overHttp2(place, path)
}

async function overHttp1(place: Place, path: string): Promise<SlowReader> {
  const socket = openRaw(place)
  socket.on('error', () => {})
  await within(once(socket, 'secureConnect'), 'the handshake')
  socket.write(`GET ${path} HTTP/1.1\r\nhost: ${authorityOf(place)}\r\n\r\n`)
  let head = Buffer.alloc(0)
  for (;;) {
    const end = head.indexOf('\r\n\r\n')
    if (end !== -1) break
    const chunk = socket.read() as Buffer | null
    if (chunk === null) await within(once(socket, 'readable'), 'the head')
    else head = Buffer.concat([head, chunk])
  }
  const end = head.indexOf('\r\n\r\n')
  const length = Number(/content-length: (\d+)/i.exec(head.toString('latin1', 0, end))?.[1])
  socket.unshift(head.subarray(end + 4))
  return read(
    socket,
    length,
    () => socket.destroy(),
    () => true,
  )
}

async function overHttp2(place: Place, path: string): Promise<SlowReader> {
  const session = openSession(place)
  const stream = session.request({ ':path': path, ':authority': authorityOf(place) })
  stream.on('error', () => {})
  const [headers] = (await within(once(stream, 'response'), 'the head')) as [Record<string, string>]
  return read(
    stream,
    Number(headers['content-length']),
    () => session.destroy(),
    () => stream.rstCode === 0,
  )
}

function read(stream: Readable, length: number, destroy: () => void, isClean: () => boolean): SlowReader {
  const hash = createHash('sha256')
  let bytes = 0
  let isGone = false
  stream.once('close', () => {
    isGone = true
  })
  stream.once('end', () => {
    isGone = true
  })
  const readSome = async (wanted: number): Promise<void> => {
    const goal = Math.min(length, bytes + wanted)
    while (bytes < goal) {
      const chunk = stream.read() as Buffer | null
      if (chunk !== null) {
        bytes += chunk.length
        hash.update(chunk)
      } else if (isGone) return
      else await within(change(stream), 'more of the answer')
    }
  }
  return {
    get bytes() {
      return bytes
    },
    read: readSome,
    readAll: async () => {
      await readSome(length)
      return bytes === length && isClean()
    },
    hash: () => hash.digest('hex'),
    destroy,
  }
}

function change(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['readable', 'end', 'close'] as const) stream.off(event, done)
      resolve()
    }
    for (const event of ['readable', 'end', 'close'] as const) stream.on(event, done)
  })
}
