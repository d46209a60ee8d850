/**
 * A byte stream to an endpoint through an explicit forward proxy (HTTP CONNECT, RFC 9110, 9.3.6). It speaks to the proxy alone: the
 * endpoint's name is the proxy's to resolve. It sets no deadline.
 */
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { BlockReader, MORE } from '../http/block-reader.ts'
import { joinHeader } from '../http/headers.ts'
import { parseResponseHead, type ResponseHead } from '../http/response-head.ts'
import { UpstreamError, type UpstreamErrorCode } from './dispatch.ts'
import type { ForwardProxy } from './forward-proxy.ts'
import { isUntrusted } from './upstream-failure.ts'

const MAX_HEAD_BYTES = 16 * 1024
const MAX_FIELDS = 128
const MAX_INFORMATIONAL = 16

export interface TunnelListener {
  /** The stream is the endpoint's from here on; it is paused, and nothing of it was read. */
  onTunnel(socket: Socket): void
  /** Once, in place of `onTunnel`. */
  onTunnelFailed(error: UpstreamError): void
}

export class ProxyTunnel {
  readonly #proxy: ForwardProxy
  readonly #socket: Socket
  readonly #listener: TunnelListener
  readonly #reader = new BlockReader(MAX_HEAD_BYTES, 'HTTP/1.', '')
  #asked = false
  #informational = 0
  #isOver = false

  constructor(proxy: ForwardProxy, host: string, port: number, listener: TunnelListener) {
    const { tls, authorization } = proxy
    this.#proxy = proxy
    this.#listener = listener
    const to = { host: proxy.host, port: proxy.port, noDelay: true }
    this.#socket = tls === null ? connect(to) : connectTls({ ...tls, ...to } as ConnectionOptions)
    const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
    const fields = authorization === null ? '' : `proxy-authorization: ${authorization}\r\n`
    this.#socket.once(tls === null ? 'connect' : 'secureConnect', () => {
      this.#asked = true
      this.#socket.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${fields}\r\n`)
    })
    this.#socket.on('data', this.#onData)
    this.#socket.on('error', this.#onError)
    this.#socket.on('close', this.#onClose)
  }

  /** The time is over: tells the failure. */
  expire(): void {
    if (this.#asked) this.#fail('PROXY_TIMEOUT', 'the proxy did not answer CONNECT in time')
    else this.#fail('PROXY_UNREACHABLE', 'the proxy cannot be reached in time')
  }

  /** Nothing is told any more. */
  destroy(): void {
    this.#isOver = true
    this.#socket.destroy()
  }

  readonly #onData = (bytes: Buffer): void => {
    let from = 0
    while (!this.#isOver && from < bytes.length) {
      const used = this.#reader.read(bytes, from)
      if (used === MORE) return
      if (used < 0) return this.#fail('PROXY_BAD_ANSWER', 'the answer to CONNECT is not HTTP, or too long')
      from += used
      // Whatever length it names, the answer to CONNECT has no body that counts.
      const head = parseResponseHead(this.#reader.text, MAX_FIELDS, true)
      if (head === null) return this.#fail('PROXY_BAD_ANSWER', 'the answer to CONNECT is malformed')
      this.#judge(head, from < bytes.length)
    }
  }

  #judge(head: ResponseHead, isFollowed: boolean): void {
    const { status } = head
    if (status < 200) {
      if (status === 101) this.#fail('PROXY_BAD_ANSWER', 'the proxy switched protocols')
      else if (++this.#informational > MAX_INFORMATIONAL) this.#fail('PROXY_BAD_ANSWER', 'the proxy does not decide')
    } else if (status > 299) this.#refuse(status, head)
    // Endpoints speak when they are spoken to: what came with the head is not theirs.
    else if (isFollowed) this.#fail('PROXY_BAD_ANSWER', 'bytes came behind the answer to CONNECT')
    else this.#hand()
  }

  #refuse(status: number, head: ResponseHead): void {
    // Tinyproxy answers 401 to a wrong password.
    if (status === 407 || status === 401) this.#fail('PROXY_AUTH', `the proxy ${this.#wishOf(head)} (${status})`)
    else if (status < 500) this.#fail('PROXY_REFUSED', `the proxy allows no connection to the endpoint (${status})`)
    else this.#fail('PROXY_FAILED', `the proxy does not reach the endpoint (${status})`)
  }

  /** In words of our own. */
  #wishOf({ headers }: ResponseHead): string {
    if (this.#proxy.authorization === null) return 'asks for a user and a password, and none are configured'
    const wished = joinHeader(headers, 'proxy-authenticate') ?? ''
    if (wished !== '' && !/(?:^|,)\s*basic(?:[\s,]|$)/i.test(wished)) return 'asks for another scheme than Basic'
    return 'refuses the user or the password'
  }

  #hand(): void {
    this.#isOver = true
    this.#proxy.onWell()
    const socket = this.#socket
    socket.pause()
    socket.off('data', this.#onData)
    socket.off('error', this.#onError)
    socket.off('close', this.#onClose)
    this.#listener.onTunnel(socket)
  }

  #fail(code: UpstreamErrorCode, detail: string): void {
    if (this.#isOver) return
    this.destroy()
    if (OF_THE_PROXY.has(code)) this.#proxy.onTrouble(detail)
    else if (code === 'PROXY_REFUSED' || code === 'PROXY_FAILED') this.#proxy.onWell()
    this.#listener.onTunnelFailed(new UpstreamError(code, detail))
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    const code = error.code ?? error.name
    if (this.#asked) this.#fail('PROXY_CLOSED', `the proxy was lost before it answered CONNECT (${code})`)
    else if (isUntrusted(code)) this.#fail('PROXY_UNTRUSTED', `the proxy did not prove who it is (${code})`)
    else this.#fail('PROXY_UNREACHABLE', `the proxy cannot be reached (${code})`)
  }

  readonly #onClose = (): void => {
    if (this.#asked) this.#fail('PROXY_CLOSED', 'the proxy ended the connection before it answered CONNECT')
    else this.#fail('PROXY_UNREACHABLE', 'the proxy ended the connection')
  }
}

/** Whatever the endpoint. Silence and a cut are not among them: the proxy may have waited for the endpoint in vain. */
const OF_THE_PROXY: ReadonlySet<UpstreamErrorCode> = new Set([
  'PROXY_UNREACHABLE',
  'PROXY_UNTRUSTED',
  'PROXY_AUTH',
  'PROXY_BAD_ANSWER',
])
