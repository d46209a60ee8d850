/**
 * The way to one authority (RFC 8555, 6 and 7.1): its directory, nonces, signed requests, its errors. Everything goes to the
 * host of the directory, whatever an answer says. It knows no order.
 */
import { Agent, request } from 'node:https'
import type { AccountKey, ExternalAccount } from './account-key.ts'

/** What an authority said that was no success, or why it could not be asked. */
export class AcmeError extends Error {
  /** Without `urn:ietf:params:acme:error:`; '' where the authority could not be asked. */
  readonly type: string
  /** Milliseconds after which it may be asked again, as it said; 0 where it said nothing. */
  readonly retryAfterMs: number

  constructor(type: string, message: string, retryAfterMs = 0) {
    super(message)
    this.name = 'AcmeError'
    this.type = type
    this.retryAfterMs = retryAfterMs
  }
}

export interface AuthorityAnswer {
  readonly status: number
  /** The Location field, '' for none. */
  readonly location: string
  readonly retryAfterMs: number
  readonly body: Buffer
}

export interface AuthoritySettings {
  /** https. */
  readonly directory: string
  /** PEM of the authorities that may have signed the directory's own certificate; null: those that Node knows. */
  readonly ca: string | null
  readonly externalAccount: ExternalAccount | null
}

type Members = Readonly<Record<string, unknown>>

const ANSWER_MS = 30_000
const MOST_BYTES = 262_144
const MOST_NONCE_TRIES = 8
const LONGEST_RETRY_AFTER_MS = 7 * 86_400_000
const PREFIX = 'urn:ietf:params:acme:error:'

export class Authority {
  readonly settings: AuthoritySettings
  readonly #key: AccountKey
  readonly #agent: Agent
  #directory: Members | null = null
  #nonce = ''
  #account = ''

  constructor(settings: AuthoritySettings, key: AccountKey) {
    this.settings = settings
    this.#key = key
    this.#agent = new Agent({ keepAlive: true, maxSockets: 2, ...(settings.ca === null ? {} : { ca: settings.ca }) })
  }

  get thumbprint(): string {
    return this.#key.thumbprint
  }

  /** The URL of a resource; null where the authority has none of this name. */
  async find(resource: string): Promise<string | null> {
    if (this.#directory === null) {
      const { status, body } = await this.#send('GET', this.settings.directory, null)
      if (status !== 200) throw new AcmeError('', `the directory answers ${status}`)
      this.#directory = membersOf(body)
    }
    const url = this.#directory[resource]
    return typeof url === 'string' ? url : null
  }

  /** Makes the account, or finds the one that this key has. */
  async signIn(email: string | null): Promise<void> {
    const url = await this.#need('newAccount')
    const { externalAccount } = this.settings
    const answer = await this.#post(
      url,
      { jwk: this.#key.jwk },
      {
        termsOfServiceAgreed: true,
        ...(email === null ? {} : { contact: [`mailto:${email}`] }),
        ...(externalAccount === null ? {} : { externalAccountBinding: this.#key.bindTo(externalAccount, url) }),
      },
    )
    if (answer.location === '') throw new AcmeError('', 'the authority does not say which account it made')
    this.#account = answer.location
  }

  /** A signed request as the account; `payload` null reads. */
  post(url: string, payload: unknown): Promise<AuthorityAnswer> {
    return this.#post(url, { kid: this.#account }, payload)
  }

  /** A plain one, for what everybody may read. */
  get(url: string): Promise<AuthorityAnswer> {
    return this.#send('GET', url, null)
  }

  async newOrder(payload: unknown): Promise<AuthorityAnswer> {
    return this.post(await this.#need('newOrder'), payload)
  }

  close(): void {
    this.#agent.destroy()
  }

  async #need(resource: string): Promise<string> {
    const url = await this.find(resource)
    if (url === null) throw new AcmeError('', `the directory names no ${resource}`)
    return url
  }

  async #post(url: string, who: Members, payload: unknown): Promise<AuthorityAnswer> {
    for (let tries = 1; ; tries++) {
      const nonce = await this.#takeNonce()
      const answer = await this.#send('POST', url, JSON.stringify(this.#key.sign({ ...who, nonce, url }, payload)))
      if (answer.status < 400) return answer
      const error = errorOf(answer)
      // RFC 8555, 6.5: with the nonce that came with the refusal.
      if (error.type !== 'badNonce' || tries === MOST_NONCE_TRIES) throw error
    }
  }

  async #takeNonce(): Promise<string> {
    if (this.#nonce === '') await this.#send('HEAD', await this.#need('newNonce'), null)
    const nonce = this.#nonce
    if (nonce === '') throw new AcmeError('', 'the authority gives no nonce')
    this.#nonce = ''
    return nonce
  }

  #send(method: string, url: string, body: string | null): Promise<AuthorityAnswer> {
    const where = URL.canParse(url) ? new URL(url) : null
    if (where === null || where.origin !== new URL(this.settings.directory).origin) {
      return Promise.reject(new AcmeError('', 'the authority leads to another host than that of its directory'))
    }
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(new AcmeError('', reasonOf(error)))
      const sent = request(where, {
        method,
        agent: this.#agent,
        signal: AbortSignal.timeout(ANSWER_MS),
        headers: {
          'user-agent': 'portcullis',
          ...(body === null
            ? {}
            : { 'content-type': 'application/jose+json', 'content-length': Buffer.byteLength(body) }),
        },
      })
      sent.on('error', fail)
      sent.on('response', (response) => {
        const { 'replay-nonce': nonce, location = '', 'retry-after': retryAfter } = response.headers
        if (typeof nonce === 'string' && /^[A-Za-z0-9_-]{1,512}$/.test(nonce)) this.#nonce = nonce
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length <= MOST_BYTES) chunks.push(chunk)
          else response.destroy(new Error('the answer is too long'))
        })
        response.on('error', fail)
        response.on('end', () => {
          const { statusCode: status = 0 } = response
          resolve({ status, location, retryAfterMs: waitOf(retryAfter), body: Buffer.concat(chunks) })
        })
      })
      sent.end(body)
    })
  }
}

/** Of an answer that must be an object in JSON. */
export function membersOf(body: Buffer): Members {
  let value: unknown = null
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    // What it is not is told below.
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AcmeError('', 'the authority answers with something that is no JSON object')
  }
  return value as Members
}

/** One line, bounded, free of control characters: it goes to the log. */
export function problemText(problem: unknown): string {
  const { type, detail } = (problem ?? {}) as { type?: unknown; detail?: unknown }
  const text = `${String(type ?? 'unknown').replace(PREFIX, '')}: ${typeof detail === 'string' ? detail : 'no detail'}`
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 300)
}

function errorOf({ status, body, retryAfterMs }: AuthorityAnswer): AcmeError {
  let problem: Members
  try {
    problem = membersOf(body)
  } catch {
    return new AcmeError('', `the authority answers ${status}`, retryAfterMs)
  }
  return new AcmeError(String(problem.type ?? '').replace(PREFIX, ''), problemText(problem), retryAfterMs)
}

/** Seconds or a date (RFC 9110, 10.2.3), in milliseconds from now; bounded. */
function waitOf(field: string | undefined): number {
  if (field === undefined) return 0
  const ms = /^\d{1,9}$/.test(field) ? Number(field) * 1000 : Date.parse(field) - Date.now()
  return ms > 0 ? Math.min(ms, LONGEST_RETRY_AFTER_MS) : 0
}

function reasonOf(error: Error): string {
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return 'the authority does not answer in time'
  const code = (error as NodeJS.ErrnoException).code
  return `the authority cannot be asked (${code ?? error.message.slice(0, 160)})`
}
