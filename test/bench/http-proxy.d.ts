/** The part of `http-proxy`, which comes without types, that its peer uses. */
declare module 'http-proxy' {
  import type { Agent, IncomingMessage, ServerResponse } from 'node:http'
  import type { Duplex } from 'node:stream'

  interface ProxyOptions {
    readonly agent?: Agent | false
    readonly target?: string
    readonly xfwd?: boolean
  }
  interface ProxyServer {
    on(event: 'error', on: (error: Error, request: IncomingMessage, answer?: ServerResponse | Duplex) => void): this
    on(event: 'proxyRes', on: (answer: IncomingMessage) => void): this
    web(request: IncomingMessage, response: ServerResponse, options: ProxyOptions): void
    ws(request: IncomingMessage, socket: Duplex, head: Buffer, options: ProxyOptions): void
  }
  const httpProxy: { createProxyServer(options: ProxyOptions): ProxyServer }
  export default httpProxy
}
