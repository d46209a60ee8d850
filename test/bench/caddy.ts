/** Caddy as a peer: its configuration. Debian's build has no rate limit, so it does without: less work than the others. */
import { type Place, SOCKET_PATH, type Variant } from './place.ts'

export function caddyConfig(place: Place, variant: Variant, port: number): string {
  const headers = place.headers.map(([name, value]) => `    ${name} ${JSON.stringify(value)}`).join('\n')
  return `{
  admin off
  auto_https off
  servers {
    protocols h1${variant.http2 ? ' h2' : ''}
  }
}
https://localhost:${port} {
  bind 127.0.0.1
  tls ${place.certPath} ${place.keyPath}
  log {
    output file ${place.folder}/caddy.access.log {
      roll_disabled
    }
    format json
  }
  header {
    -Server
${headers}
  }
  handle ${SOCKET_PATH} {
    reverse_proxy 127.0.0.1:${place.socketPort}
  }
  handle {
    reverse_proxy 127.0.0.1:${place.sitePort} {
      header_up X-Forwarded-Port ${port}
      header_up X-Request-Id {http.request.uuid}
      transport http {
        keepalive 60s
        keepalive_idle_conns_per_host 256
        compression off
      }
    }
  }
}
`
}
