/** Asks the admin listener of a running gateway, in JSON. It knows no path and no command. */
import { request } from 'node:http'

const WAIT_MS = 5000
const MAX_BYTES = 8 * 1024 * 1024

export type AdminAnswer = { readonly value: unknown } | { readonly problem: string }

/** Never rejects. `body` is JSON, or '' for none. */
export function askAdmin(base: URL, method: string, path: string, body: string): Promise<AdminAnswer> {
  const url = new URL(path, base)
  return new Promise((resolve) => {
    const headers = body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const sent = request(url, { method, agent: false, headers, timeout: WAIT_MS }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (piece: string) => {
        text += piece
        if (text.length > MAX_BYTES) sent.destroy(new Error('the answer is too long'))
      })
      answer.on('end', () => resolve(answerOf(base, answer.statusCode ?? 0, text)))
    })
    sent.on('timeout', () => sent.destroy(new Error('ETIMEDOUT')))
    sent.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ problem: `the gateway at ${base.host} does not answer (${error.code ?? error.message})` })
    })
    sent.end(body)
  })
}

function answerOf(base: URL, status: number, text: string): AdminAnswer {
  let value: unknown = null
  try {
    value = JSON.parse(text)
  } catch {
    // What it is not, the status says.
  }
  if (status === 200 && value !== null) return { value }
  const { error, title } = (value ?? {}) as { error?: unknown; title?: unknown }
  const said = typeof error === 'string' ? error : typeof title === 'string' ? title : `status ${status}`
  return { problem: `the gateway at ${base.host} refused: ${said}` }
}
