/** Asks a running gateway on this machine whether it is alive. It knows the admin address and nothing else of it. */
import { get } from 'node:http'

const WAIT_MS = 3000

/** Null where the answer is 200; otherwise a sentence. */
export function requestHealth(url: URL): Promise<string | null> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: WAIT_MS }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200 ? null : `${url.href} answered ${answer.statusCode}`)
      request.destroy()
    })
    const deadline = setTimeout(() => request.destroy(new Error('ETIMEDOUT')), WAIT_MS)
    request.on('timeout', () => request.destroy(new Error('ETIMEDOUT')))
    request.on('error', (error: NodeJS.ErrnoException) =>
      resolve(`${url.href} does not answer (${error.code ?? error.message})`),
    )
    request.on('close', () => clearTimeout(deadline))
  })
}
