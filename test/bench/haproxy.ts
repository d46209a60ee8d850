/** HAProxy as a peer: its configuration. Its log goes to standard output, which is a file. */

import { type Place, SOCKET_PATH, type Variant } from './place.ts'
import { proxiedConnections } from './programs.ts'

export function haproxyConfig(place: Place, variant: Variant, port: number): string {
  const headers = place.headers
    .map(([name, value]) => `  http-after-response set-header ${name} ${quoted(value)}`)
    .join('\n')
  return `global
  nbthread 1
  tune.maxrewrite 4096
  maxconn ${variant.many ? proxiedConnections() : 2000}
  log stdout format raw local0
  ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
  mode http
  log global
  option httplog
  option forwardfor
  http-reuse always
  timeout connect 3s
  timeout client 75s
  timeout server 75s
  timeout tunnel 1h
  timeout http-keep-alive 75s

frontend public
  bind 127.0.0.1:${port} ssl crt ${place.pairPath} alpn ${variant.http2 ? 'h2,' : ''}http/1.1 backlog 4096
  stick-table type ipv6 size 100k expire 2m store http_req_rate(60s)
  http-request track-sc0 src
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 100000000 }
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  unique-id-format %{+X}o%ci%cp%Ts%rt
  unique-id-header X-Request-Id
  http-response del-header server
${headers}
  use_backend sockets if { path ${SOCKET_PATH} }
  default_backend site

backend site
  server one 127.0.0.1:${place.sitePort} pool-max-conn -1

backend sockets
  server one 127.0.0.1:${place.socketPort}
`
}

/** A log-format string between double quotes. */
function quoted(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`
}
