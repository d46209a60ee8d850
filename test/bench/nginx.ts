/** nginx as a peer, and as the upstream of all peers: its configuration. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ECHO_PATH, METRICS_PATH, type Place, SMALL_PATH, SOCKET_PATH, type Variant } from './place.ts'
import { proxiedConnections } from './programs.ts'

const LUA = import.meta.dirname
const MODULES = '/usr/lib/nginx/modules'
const LUA_MODULES = ['ndk_http_module.so', 'ngx_http_lua_module.so']
const CJSON = ['/usr/lib/x86_64-linux-gnu/lua/5.1/cjson.so', '/usr/lib/aarch64-linux-gnu/lua/5.1/cjson.so']

/** What nginx needs for the chat scenario and is not here; null where it is all there. */
export function missingLua(): string | null {
  if (LUA_MODULES.some((file) => !existsSync(join(MODULES, file)))) return 'libnginx-mod-http-lua is not installed'
  return CJSON.some(existsSync) ? null : 'lua-cjson is not installed'
}

function frame(folder: string, name: string, connections: number, http: string, modules = ''): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${name}-${kind};`)
    .join(' ')
  return `${modules}
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
daemon off;
pid ${folder}/${name}.pid;
error_log stderr warn;
events { worker_connections ${connections}; }
http {
  ${temporary}
  default_type text/plain;
  keepalive_requests 100000000;
  keepalive_timeout 75s;
  tcp_nodelay on;
${http}
}
`
}

/** The upstream: pages from files, a fixed answer to chat messages. It writes no log. */
export function upstreamConfig(folder: string, port: number, echoPort: number): string {
  return frame(
    folder,
    'upstream',
    4096,
    `  access_log off;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=16 inactive=1h;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${folder}/site;
    location /routes/ { try_files ${SMALL_PATH} =404; }
    location = /api/messages { default_type application/json; return 200 '{"ok":true}'; }
    location = ${ECHO_PATH} { proxy_pass http://127.0.0.1:${echoPort}; }
  }`,
  )
}

const FORWARDED = [
  ['Host', '$http_host'],
  ['X-Forwarded-For', '$remote_addr'],
  ['X-Forwarded-Proto', 'https'],
  ['X-Forwarded-Host', '$http_host'],
  ['X-Forwarded-Port', '$server_port'],
  ['X-Request-Id', '$request_id'],
] as const

/** The same by RFC 7239, and a trace of the request's own. */
const TRACED = [
  ['Forwarded', '"for=$remote_addr;host=\\"$http_host\\";proto=https"'],
  ['traceparent', '"00-$request_id-$span-01"'],
] as const

function forwarded(more: readonly (readonly [string, string])[]): string {
  return [...FORWARDED, ...more].map(([name, value]) => `proxy_set_header ${name} ${value};`).join(' ')
}

export function nginxAccessPath({ folder }: Place, port: number): string {
  return `${folder}/nginx-${port}.access.log`
}

export function nginxConfig(place: Place, variant: Variant, port: number): string {
  const headers = place.headers
    .map(([name, value]) => `    add_header ${name} "${value.replaceAll('"', '\\"')}" always;`)
    .join('\n')
  const modules = variant.filter ? LUA_MODULES.map((file) => `load_module ${MODULES}/${file};`).join('\n') : ''
  const { isWhole } = variant
  const chat = variant.filter
    ? `location /api/ {
      set $redis_port ${place.redisPort};
      client_body_buffer_size 64k;
      access_by_lua_block { require("chat").access(${isWhole}) }
      ${isWhole ? 'log_by_lua_block { require("chat").log() }' : ''}
      ${forwarded([['Connection', '""'], ...(isWhole ? TRACED : [])])}
      proxy_pass http://site;
    }
    location = ${METRICS_PATH} {
      allow 127.0.0.1;
      deny all;
      content_by_lua_block { require("chat").page() }
    }`
    : ''
  const lua = variant.filter
    ? `lua_package_path "${LUA}/?.lua;;";
  lua_shared_dict metrics 1m;
  init_worker_by_lua_block { require("chat").start() }
  map $request_id $span { "~^(?<first>.{16})" $first; }
  lua_socket_log_errors on;
  lua_code_cache on;`
    : ''
  // Where less than a sixteenth of the connections is free, nginx closes some: hence three, and not two, for each socket.
  return frame(
    place.folder,
    `nginx-${port}`,
    variant.many ? 3 * proxiedConnections() : 4096,
    `  access_log ${nginxAccessPath(place, port)} combined buffer=64k flush=1s;
  limit_req_zone $binary_remote_addr zone=clients:10m rate=1000000r/s;
  ${lua}
  upstream site { server 127.0.0.1:${place.sitePort};${variant.keepsUpstream ? ' keepalive 256; keepalive_requests 100000000;' : ''} }
  upstream sockets { server 127.0.0.1:${place.socketPort}; }
  server {
    listen 127.0.0.1:${port} ssl${variant.http2 ? ' http2' : ''} backlog=4096;
    ssl_certificate ${place.certPath};
    ssl_certificate_key ${place.keyPath};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:10m;
    server_tokens off;
    client_max_body_size 64k;
    proxy_http_version 1.1;
    proxy_read_timeout 1h;
${headers}
    location / {
      limit_req zone=clients burst=1000000 nodelay;
      ${forwarded([['Connection', '""']])}
      proxy_pass http://site;
    }
    location ${SOCKET_PATH} {
      limit_req zone=clients burst=1000000 nodelay;
      ${forwarded([
        ['Connection', 'upgrade'],
        ['Upgrade', '$http_upgrade'],
      ])}
      proxy_pass http://sockets;
    }
    ${chat}
  }`,
    modules,
  )
}
