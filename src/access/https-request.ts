/**
 * One request over TLS to an address that an operator named: bounded in bytes and time, following no redirect. It knows
 * nothing of what it carries.
 */
import { request } from 'node:https'

/** The documents of a provider are a few kilobytes. */
const MOST_BYTES = 262_144
const MOST_MS = 5000

interface HttpsWish {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | null
  /** PEM: authorities in place of the usual ones; null: the usual ones. */
  readonly ca: string | null
}

interface HttpsAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: Buffer
}

/** Rejects with an Error that says what failed in words of ours or of the system, never of the other side. */
export function askHttps(url: URL, wish: HttpsWish): Promise<HttpsAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpsAnswer>()
  const { method = 'GET', headers, body = null, ca } = wish
  const asked = request(url, {
    method,
    // No connection is kept: this is rare, and nothing of it may hold up an end.
    agent: false,
    headers: { accept: 'application/json', 'accept-encoding': 'identity', ...headers },
    signal: AbortSignal.timeout(MOST_MS),
    ...(ca === null ? {} : { ca }),
  })
  asked.on('error', (error: NodeJS.ErrnoException) => {
    reject(new Error(error.name === 'AbortError' ? 'no answer in time' : (error.code ?? 'the connection failed')))
  })
  asked.on('response', (response) => {
    const chunks: Buffer[] = []
    let total = 0
    response.on('data', (chunk: Buffer) => {
      total += chunk.length
      if (total > MOST_BYTES) {
        reject(new Error(`the answer is larger than ${MOST_BYTES} bytes`))
        asked.destroy()
      } else chunks.push(chunk)
    })
    response.on('error', () => reject(new Error('the answer broke off')))
    response.on('close', () => reject(new Error('the answer broke off')))
    response.on('end', () => {
      const contentType = response.headers['content-type'] ?? ''
      resolve({ status: response.statusCode ?? 0, contentType, body: Buffer.concat(chunks, total) })
    })
  })
  asked.end(body ?? undefined)
  return promise
}

/** The JSON of a 200 answer, as an object. Rejects as above. */
export async function fetchJson(url: URL, ca: string | null): Promise<Readonly<Record<string, unknown>>> {
  const { status, body } = await askHttps(url, { ca })
  if (status !== 200) throw new Error(`status ${status}`)
  return parseObject(body.toString())
}

/** Throws where the text is no JSON object. */
export function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('the answer is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('the answer is no JSON object')
  return value as Record<string, unknown>
}
