/**
 * Looks before a measurement whether a contender does the work that is measured: status, body, security headers, TLS 1.3,
 * and the filter where there is one. Throws where it does not.
 */
import { connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { WebSocket } from 'ws'
import type { Target } from './peers.ts'
import { ECHO_PATH, METRICS_PATH, type Place, SOCKET_PATH } from './place.ts'
import type { HttpScenario, Scenario } from './scenarios.ts'

const WAIT_MS = 10_000
const HOSTILE = '{"text":"good <b>day</b><script>alert(1)</script> to you"}'
const HARMLESS = '{"text":"good day to you"}'
const CARD = '4111 1111 1111 1111'

interface Answer {
  status: number
  headers: Record<string, unknown>
  body: string
}

/** Throws an error that names contender and flaw. */
export async function checkTarget(place: Place, scenario: Scenario, target: Target): Promise<void> {
  const { variant, label } = target.contender
  const must = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(`${scenario.name}: ${label} ${what}`)
  }
  if (scenario.kind === 'http') {
    const answer = await ask(target, scenario.path(target.contender), scenario.post, scenario.streams > 0)
    must(answer.status === 200, `answers ${answer.status}`)
    must(answer.body === scenario.answer, `answers another body: ${answer.body.slice(0, 100)}`)
    for (const [name, value] of place.headers) must(answer.headers[name] === value, `sends another ${name}`)
    if (variant.filter) await checkFilter(target, scenario, must)
  }
  if (scenario.kind === 'relay') {
    const expected = variant.filter ? HARMLESS : HOSTILE
    must((await echo(target.port)) === expected, 'sends another message on')
  }
}

async function checkFilter(
  target: Target,
  scenario: HttpScenario,
  must: (holds: boolean, what: string) => void,
): Promise<void> {
  const answer = await ask(target, ECHO_PATH, HOSTILE, scenario.streams > 0)
  must(answer.body === HARMLESS, `lets this through: ${answer.body.slice(0, 100)}`)
  const { variant, peer } = target.contender
  if (!variant.isWhole) return
  const masked = await ask(target, ECHO_PATH, `{"text":"it is ${CARD}, thanks"}`, scenario.streams > 0)
  must(masked.status === 200 && !masked.body.includes('1111 1111'), `lets a card through: ${masked.body.slice(0, 100)}`)
  for (const name of ['ratelimit', 'ratelimit-policy']) must(name in masked.headers, `sends no ${name}`)
  if (peer !== 'nginx') return
  const metrics = await ask(target, METRICS_PATH, null, false)
  must(/requests,HTTP\/1\.1,200 [1-9]/.test(metrics.body), `counts nothing: ${metrics.body.slice(0, 100)}`)
}

function ask(target: Target, path: string, post: string | null, isHttp2: boolean): Promise<Answer> {
  return isHttp2 ? askHttp2(target.port, path) : askHttp1(target.port, path, post)
}

function askHttp1(port: number, path: string, post: string | null): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        ...{ host: 'localhost', port, path, agent: false, rejectUnauthorized: false, timeout: WAIT_MS },
        method: post === null ? 'GET' : 'POST',
        headers: post === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(post) },
      },
      (answer) => {
        if ((answer.socket as TLSSocket).getProtocol() !== 'TLSv1.3') reject(new Error('not TLS 1.3'))
        let body = ''
        answer.setEncoding('utf8').on('data', (text: string) => (body += text))
        answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, body }))
      },
    )
    asked.on('timeout', () => asked.destroy(new Error('no answer')))
    asked.on('error', reject)
    asked.end(post ?? undefined)
  })
}

function askHttp2(port: number, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`https://localhost:${port}`, { rejectUnauthorized: false })
    session.setTimeout(WAIT_MS, () => session.destroy(new Error('no answer')))
    session.on('error', reject)
    const stream = session.request({ ':path': path })
    let head: Record<string, unknown> = {}
    let body = ''
    stream.on('response', (headers) => {
      head = headers
    })
    stream.setEncoding('utf8').on('data', (text: string) => (body += text))
    stream.on('error', reject)
    stream.on('end', () => {
      session.close()
      resolve({ status: Number(head[':status']), headers: head, body })
    })
  })
}

/** What comes back for a hostile message. */
function echo(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://localhost:${port}${SOCKET_PATH}`, {
      ...{ rejectUnauthorized: false, perMessageDeflate: false, handshakeTimeout: WAIT_MS },
    })
    const timer = setTimeout(() => socket.terminate(), WAIT_MS)
    socket.on('open', () => socket.send(HOSTILE))
    socket.on('message', (data) => {
      clearTimeout(timer)
      socket.close()
      resolve(String(data))
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('closed without an answer')))
  })
}
