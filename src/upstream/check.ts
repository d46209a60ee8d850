/**
 * One active check of an endpoint: a GET, a connection, or a WebSocket handshake, within a deadline, by the way that requests take. It
 * remembers nothing.
 */
import { createHash, randomBytes } from 'node:crypto'
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import type { Socket } from 'node:net'
import type { ServiceConfig } from '../config/shape.ts'
import { UpstreamError } from './dispatch.ts'
import { type Destination, Opening } from './opening.ts'

export interface CheckTarget extends Destination {
  /** What Host says where the settings say nothing. */
  readonly authority: string
}

type Settings = NonNullable<ServiceConfig['health']>
type Done = (problem: string | null) => void

const LATE = 'it did not answer in time'
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
  const isHttp = settings.kind !== 'tcp'
  const tls = target.tls === null || !isHttp ? target.tls : { ...target.tls, ALPNProtocols: ['http/1.1'] }
  // Its own deadline, the same one, comes first and says more.
  let running: Opening | ClientRequest | Socket = new Opening({ ...target, tls }, undefined, settings.timeout, {
    onOpen: (_opening, { socket }) => {
      socket.on('error', (error) => finish(problemOf(error)))
      running = isHttp ? ask(socket, target, settings, finish) : socket
      if (!isHttp) finish(null)
    },
    onOpenFailed: (_opening, error) => finish(problemOf(error)),
    onSession: () => {},
  })
  const timer = setTimeout(() => finish(LATE), settings.timeout)
  timer.unref()
}

function problemOf(error: NodeJS.ErrnoException): string {
  if (error instanceof UpstreamError) return error.code === 'CONNECT_TIMEOUT' ? LATE : error.detail
  return error.code ?? error.name
}

function ask(socket: Socket, { authority }: CheckTarget, settings: Settings, finish: Done): ClientRequest {
  const forSocket = settings.kind === 'websocket'
  const key = randomBytes(16).toString('base64')
  const request = requestHttp({
    ...{ createConnection: () => socket, method: 'GET', path: settings.path, setHost: false },
    headers: {
      host: settings.host ?? authority,
      'user-agent': 'health-check',
      ...(forSocket
        ? { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key }
        : { connection: 'close', accept: '*/*' }),
    },
  })
  // What came through a proxy is paused, and stays so when somebody listens.
  request.on('socket', () => socket.resume())
  request.on('error', (error: NodeJS.ErrnoException) => finish(problemOf(error)))
  request.on('response', (answer) => {
    if (forSocket) finish(`it answered ${answer.statusCode}, not 101`)
    else judge(answer, settings, finish)
  })
  request.on('upgrade', (answer: IncomingMessage, upgraded: Socket) => {
    upgraded.destroy()
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
