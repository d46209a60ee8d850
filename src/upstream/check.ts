/** One active check of an endpoint: a GET, a connection, or a WebSocket handshake, within a deadline. It remembers nothing. */
import { createHash, randomBytes } from 'node:crypto'
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { ServiceConfig } from '../config/shape.ts'

export interface CheckTarget {
  readonly host: string
  readonly port: number
  /** What Host says where the settings say nothing. */
  readonly authority: string
  /** Null: plain TCP. */
  readonly tls: ConnectionOptions | null
}

type Settings = NonNullable<ServiceConfig['health']>
type Done = (problem: string | null) => void

const MOST_BODY_BYTES = 64 * 1024
/** RFC 6455, 1.3. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Calls back once: null where the endpoint is well, else a sentence without anything that the endpoint said. */
export function checkEndpoint(target: CheckTarget, settings: Settings, done: Done): void {
  let isOver = false
  const finish: Done = (problem) => {
    if (isOver) return
    isOver = true
    clearTimeout(timer)
    done(problem)
    running.destroy()
  }
  const timer = setTimeout(() => finish('it did not answer in time'), settings.timeout)
  timer.unref()
  const running = settings.kind === 'tcp' ? openConnection(target, finish) : ask(target, settings, finish)
  running.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.name))
}

function openConnection({ host, port, tls }: CheckTarget, finish: Done): Socket {
  if (tls === null) return connect({ host, port }, () => finish(null))
  return connectTls({ ...tls, host, port }, () => finish(null))
}

function ask(target: CheckTarget, settings: Settings, finish: Done): ClientRequest {
  const { host, port, authority, tls } = target
  const forSocket = settings.kind === 'websocket'
  const key = randomBytes(16).toString('base64')
  const options = {
    ...{ host, port, agent: false, method: 'GET', path: settings.path, setHost: false },
    headers: {
      host: settings.host ?? authority,
      'user-agent': 'health-check',
      ...(forSocket
        ? { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key }
        : { connection: 'close', accept: '*/*' }),
    },
  }
  const request = tls === null ? requestHttp(options) : requestHttps({ ...tls, ...options })
  request.on('response', (answer) => {
    if (forSocket) finish(`it answered ${answer.statusCode}, not 101`)
    else judge(answer, settings, finish)
  })
  request.on('upgrade', (answer: IncomingMessage, socket: Socket) => {
    socket.destroy()
    const wanted = createHash('sha1')
      .update(key + ACCEPT_GUID)
      .digest('base64')
    finish(answer.headers['sec-websocket-accept'] === wanted ? null : 'it accepted another handshake')
  })
  request.end()
  return request
}

function judge(answer: IncomingMessage, settings: Settings, finish: Done): void {
  const { statusCode = 0 } = answer
  if (!settings.status.includes(statusCode)) return finish(`it answered ${statusCode}`)
  const wanted = settings.body
  if (wanted === undefined) return finish(null)
  let text = ''
  answer.setEncoding('utf8')
  answer.on('data', (piece: string) => {
    text += piece
    if (text.includes(wanted)) finish(null)
    else if (text.length > MOST_BODY_BYTES) finish('its answer does not hold the words')
  })
  answer.on('end', () => finish('its answer does not hold the words'))
  answer.on('error', () => finish('its answer was cut'))
}
