/**
 * What proxies tell each other about the client: reading it from those that are trusted, writing it, and the names that a
 * client must not send because an upstream would believe them.
 */
import { normaliseAddress } from './address.ts'
import { TOKEN } from './headers.ts'

/** More hops than any real chain has: the reading stays bounded. */
export const MAX_HOPS = 32
const WITH_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d{1,5})?$/

/**
 * The client's address by X-Forwarded-For, read right to left for as long as the sender is trusted. What is not an address
 * ends the reading: the last address that was believed counts. `peer` where the peer itself is not trusted.
 */
export function clientFromForwardedFor(
  list: string | null,
  peer: string,
  isTrusted: (address: string) => boolean,
): string {
  let client = peer
  if (list === null) return client
  let end = list.length
  for (let hop = 0; hop < MAX_HOPS && end > 0 && isTrusted(client); hop++) {
    const comma = list.lastIndexOf(',', end - 1)
    const address = readHop(list.slice(comma + 1, end).trim())
    if (address === '') break
    client = address
    end = comma
  }
  return client
}

function readHop(text: string): string {
  if (text.length > 64) return ''
  const found = WITH_PORT.exec(text)
  return normaliseAddress(found === null ? text : (found[1] ?? found[2]!))
}

/** One element of Forwarded (RFC 7239, 4 and 6): IPv6 in brackets, and quotes where the value is no token. */
export function forwardedValue(clientAddress: string, authority: string, scheme: string): string {
  const node = clientAddress.includes(':') ? `"[${clientAddress}]"` : clientAddress === '' ? 'unknown' : clientAddress
  const host = TOKEN.test(authority) ? authority : `"${authority}"`
  return authority === '' ? `for=${node};proto=${scheme}` : `for=${node};host=${host};proto=${scheme}`
}

const FORGED_NAMES: ReadonlySet<string> = new Set([
  'forwarded',
  'proxy',
  'client-ip',
  'client-cert',
  'client-cert-chain',
  'x-client-ip',
  'x-client-dn',
  'x-cluster-client-ip',
  'x-real-ip',
  'x-remote-ip',
  'x-remote-addr',
  'x-remote-user',
  'x-host',
  'x-proxyuser-ip',
  'x-azure-clientip',
  'x-azure-socketip',
  'x-originating-ip',
  'x-http-method',
  'x-method-override',
  'x-http-host-override',
  'x-request-id',
  'x-middleware-subrequest',
  'x-user',
  'x-user-id',
  'x-username',
  'x-webauth-user',
  'x-authenticated-user',
  'x-authenticated-userid',
  'remote-user',
  'remote-addr',
  'true-client-ip',
  'fastly-client-ip',
  'fly-client-ip',
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-pseudo-ipv4',
  'client-cert',
  'client-cert-chain',
  'ssl-client-cert',
])

/** Families of names that gateways set for their upstreams. */
const FORGED_PREFIX =
  /^(?:x-forwarded|x-original-|x-rewrite-|x-http-method-override|x-ssl-|x-tls-|x-client-cert|x-client-verify|ssl-client-|ssl-|x-auth-request-|x-envoy-|x-portcullis-|x-real-|x-arr-)/

/**
 * True for names that are removed from every client request: forwarding and identity fields that upstreams believe, method
 * and path overrides, and names with underscores or dots, which CGI-like upstreams confuse with dashes. `name` is lower
 * case. A trusted proxy's X-Request-Id and X-Forwarded-For are read before this removes them.
 */
export function isForgedName(name: string): boolean {
  return name.includes('_') || name.includes('.') || FORGED_NAMES.has(name) || FORGED_PREFIX.test(name)
}
