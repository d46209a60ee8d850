/** Every mistake that an operator may make gives its line, its column and a sentence that helps. */
import t from 'tap'
import { parseConfiguration } from '../../src/config/load.ts'
import { ConfigurationError } from '../../src/errors.ts'

/** Right as it is. Each row of the table below makes one mistake in it. */
const RIGHT = `{
  // comments and trailing commas are allowed
  "reviewed": "2026-11-01",
  "listeners": {
    "public": {
      "address": "0.0.0.0:8443", "hosts": ["chat.example.com"],
      "tls": { "certificates": [{ "cert": "certs/chat.pem", "key": "certs/chat.key" }] },
      "redirectFrom": "0.0.0.0:8080",
    },
    "agents": { "address": "10.1.0.5:8444", "profile": "internal", "hosts": ["agents.example.local"], "tls": "public" },
    "transcripts": {
      "address": "127.0.0.1:9443", "signIn": { "accounts": "config/accounts.json" },
      "source": { "folder": "transcripts" }, "limits": ["per-reader"], "roles": { "reader": { "read": [{ "paths": ["**"] }] } },
    },
    "admin": { "address": "127.0.0.1:9900" },
  },
  "issuers": { "staff": { "issuer": "https://id.example.com/realms/chat", "audience": ["chat"] } }, "services": {
    "chat": { "endpoints": ["http://10.2.0.11:3000", "http://10.2.0.12:3000"], "maxConnections": 64 },
    "files": { "endpoints": ["https://10.2.0.20:8443"], "tls": { "ca": "certs/internal-ca.pem" } },
  },
  "routes": [
    { "name": "chat", "path": "/socket.io/*", "service": "chat", "profiles": ["internet"], "purpose": "web chat",
      "messages": "customer", "limits": ["per-customer", "per-message"], "webSocket": true, "timeout": "5 minutes" },
    { "name": "files", "path": "/*", "methods": ["GET"], "service": "files", "profiles": ["internet"],
      "purpose": "widget files", "headers": "asset", "maxBody": "64 KB", "signIn": "staff" },
  ],
  "messages": {
    "customer": { "fields": ["$.text", "$..caption"], "events": { "message": ["$[0].text"] }, "html": "strip" },
  },
  "limits": {
    "per-customer": { "by": "address", "rate": "120 per minute", "burst": 40, "block": "5 minutes" },
    "per-message": { "rate": "30 per minute" },
    "per-reader": { "rate": "60 per minute" },
    "store": { "redis": { "url": { "env": "REDIS_URL" } }, "onOutage": "local" },
  },
  "log": { "access": "logs/access.log", "level": "info" },
}
`

/** What is right, what is written instead (▶ stands where the mistake is told), and the setting with its sentence. */
type Row = readonly [right: string, wrong: string, says: string]

const TABLE: readonly Row[] = [
  // certificates that are ordered
  [
    '"tls": { "certificates"',
    '"tls": { "acme": { "names": [▶"*.example.com"], "agreeToTerms": true, "sharedSecret": { "env": "X" } }, "certificates"',
    'listeners.public.tls.acme.names[0]: is a wildcard, which takes a DNS challenge; name each host',
  ],
  [
    '"tls": { "certificates"',
    '"tls": { "acme": { "names": [▶"other.example.com"], "agreeToTerms": true, "sharedSecret": { "env": "X" } }, "certificates"',
    'listeners.public.tls.acme.names[0]: is not among the "hosts" of this listener, so nobody could use it',
  ],
  [
    '"tls": { "certificates"',
    '"tls": { "acme": { "names": ["chat.example.com"], "agreeToTerms": ▶false, "sharedSecret": { "env": "X" } }, "certificates"',
    'listeners.public.tls.acme.agreeToTerms: must be written out as true: the authority asks for agreement to its terms of service',
  ],
  [
    '"tls": { "certificates"',
    '"tls": { "acme": ▶{ "names": ["chat.example.com"], "agreeToTerms": true }, "certificates"',
    'listeners.public.tls.acme: has no "sharedSecret", but nodes share Redis',
  ],
  [
    '"tls": { "certificates"',
    '"tls": { "acme": { "names": ["chat.example.com"], "agreeToTerms": true, "authorities": [{ "directory": ▶"http://ca.example.com" }], "sharedSecret": { "env": "X" } }, "certificates"',
    'listeners.public.tls.acme.authorities[0].directory: is not the URL of a directory',
  ],
  // keys
  ['"redirectFrom"', '▶"redirectForm"', 'listeners.public.redirectForm: no such setting; did you mean "redirectFrom"?'],
  ['"reviewed"', '▶"reveiwed"', 'reveiwed: no such setting; did you mean "reviewed"?'],
  [
    '"maxConnections": 64',
    '▶"zzz": 64',
    'services.chat.zzz: no such setting; here may stand endpoints, dns, balance, sticky, health',
  ],
  [
    '"ca": "certs',
    '▶"cafile": "certs',
    'services.files.tls.cafile: no such setting; here may stand ca, crl, serverName',
  ],
  ['"level": "info"', '"level": "info", ▶"level": "warn"', 'log.level: is given twice; first in line 36'],
  [
    '"cert": "certs/chat.pem", ',
    '"cert": "a", ▶"cert": "b", ',
    'certificates[0].cert: is given twice; first in line 7',
  ],
  ['"events": { "message"', '"events": { ▶"__proto__"', 'messages.customer.events.__proto__: cannot be used as a name'],
  ['"files": { "endpoints"', '▶"2files": {}, "files": { "endpoints"', 'services["2files"]: is not a name; use letters'],
  [
    '"per-message": { "rate"',
    '▶"per message": { "rate": "1 per s" }, "per-message": { "rate"',
    'limits["per message"]: is not a name',
  ],
  ['"agents": {', '▶"9": { "address": "127.0.0.1:1" }, "agents": {', 'listeners["9"]: is not a name'],
  [
    ', "roles": { "reader": { "read": [{ "paths": ["**"] }] } }',
    '',
    'listeners.transcripts: has no "roles", so nobody may read anything; for everybody who signs in',
  ],
  ['"paths": ["**"]', '"paths": ▶[]', 'roles.reader.read[0].paths: is empty, so nothing could be read; write ["**"]'],
  ['"paths": ["**"]', '"paths": [▶"/north/**"]', 'roles.reader.read[0].paths[0]: is not a path below the source'],
  ['"paths": ["**"]', '"paths": ["**"], "from": ▶"soon"', 'roles.reader.read[0].from: is not a date; write it as'],
  [
    '"accounts": "config/accounts.json" }',
    '"accounts": "config/accounts.json", "defaultRoles": [▶"raeder"] }',
    'signIn.defaultRoles[0]: no role named "raeder"; did you mean "reader"?',
  ],
  [
    '"accounts": "config/accounts.json" }',
    '"accounts": "config/accounts.json", "passwords": { "preset": ▶"pci-5" } }',
    'signIn.passwords.preset: ',
  ],
  [
    '"accounts": "config/accounts.json" }',
    '"accounts": "config/accounts.json", "passwords": { "minLength": ▶4 } }',
    'signIn.passwords.minLength: ',
  ],
  [
    '"accounts": "config/accounts.json" }',
    '"accounts": "config/accounts.json", "hashing": ▶{ "passes": 1 } }',
    'signIn.hashing: is weaker than OWASP advises',
  ],
  // tokens
  ['"signIn": "staff"', '"signIn": ▶"stuff"', 'routes[1].signIn: no issuer named "stuff"; did you mean "staff"?'],
  [
    '"signIn": "staff"',
    '"signIn": { "oidc": ▶"stuff" }',
    'routes[1].signIn.oidc: no issuer named "stuff"; did you mean "staff"?',
  ],
  ['"signIn": "staff"', '"signIn": ▶true', 'routes[1].signIn: must be the name of an issuer, or { "oidc": "name"'],
  [
    '"signIn": "staff"',
    '"signIn": { "oidc": "staff", "alsoIn": ▶{ "query": "token" } }',
    'routes[1].signIn.alsoIn: is for WebSocket handshakes; the route has no "webSocket": true',
  ],
  ['"audience": ["chat"]', '"audience": ▶[]', 'issuers.staff.audience: is empty, so tokens for any other application'],
  [
    '"audience": ["chat"]',
    '"audience": ["chat"], "algorithms": [▶"HS256"]',
    'issuers.staff.algorithms[0]: must be one of "RS256"',
  ],
  [
    '"audience": ["chat"]',
    '"audience": ["chat"], "algorithms": [▶"none"]',
    'issuers.staff.algorithms[0]: must be one of "RS256"',
  ],
  ['"https://id.example.com/realms/chat"', '▶"http://id.example.com"', 'issuers.staff.issuer: is not an https URL'],
  [
    '"audience": ["chat"]',
    '"audience": ["chat"], "keys": ▶7',
    'issuers.staff.keys: must be "discovery", { "url": "https://..." } or { "file": "path" }',
  ],
  [
    '"audience": ["chat"]',
    '"audience": ["chat"], "keys": { "file": "keys.json" }, "maxAge": ▶"1 day"',
    'issuers.staff.maxAge: has no effect: the keys come from a file',
  ],
  [
    '"audience": ["chat"]',
    '"audience": ["chat"], "roles": ▶7',
    'issuers.staff.roles: must be "keycloak" (realm_access.roles)',
  ],
  [
    '"signIn": { "accounts": "config/accounts.json" },',
    '"oidc": { "issuer": ▶"stuff" },',
    'listeners.transcripts.oidc.issuer: no issuer named "stuff"; did you mean "staff"?',
  ],
  [
    '"signIn": { "accounts": "config/accounts.json" },',
    '"signIn": { "accounts": "config/accounts.json" }, "oidc": ▶{ "issuer": "staff" },',
    'listeners.transcripts.oidc: is given beside "signIn"; leave one of them out',
  ],
  [
    '"signIn": { "accounts": "config/accounts.json" },',
    '"oidc": { "issuer": "staff", "client": { "id": "x", "redirect": ▶"https://t.example.com/back", "sessionKey": { "env": "K" } } },',
    'oidc.client.redirect: has another path; write for example',
  ],
  [
    '"signIn": { "accounts": "config/accounts.json" },',
    '"oidc": { "issuer": "staff", "client": { "id": "x", "redirect": "https://t.example.com/.account/callback", "sessionKey": ▶"hunter2" } },',
    'oidc.client.sessionKey: is a secret and is never written here',
  ],
  // what is missing
  [
    '"service": "chat", "profiles"',
    '"profiles"',
    'routes[0]: says not who answers; write "service", "redirect" or "respond"',
  ],
  ['"purpose": "web chat",', '', 'routes[0].purpose: is missing: why this route exists (PCI DSS 1)'],
  ['"rate": "30 per minute" ', '', 'limits.per-message.rate: is missing: how many requests in which time'],
  [', "key": "certs/chat.key"', '', 'listeners.public.tls.certificates[0].key: is missing: PEM file: the private key'],
  [
    '"source": { "folder": "transcripts" }, ',
    '',
    'listeners.transcripts.source: is missing: where transcripts come from',
  ],
  [
    '"signIn": { "accounts": "config/accounts.json" },',
    '',
    'listeners.transcripts: has no "signIn", so nobody could read',
  ],
  // wrong kinds
  [
    '"services": {\n    "chat": {',
    '"services": {\n    "none": ▶[], "chat": {',
    'services.none: must be an object, not a list',
  ],
  [
    '"html": "strip"',
    '"html": ▶true',
    'messages.customer.html: must be one of "strip", "escape", "allow", "reject", not true',
  ],
  [
    '"maxConnections": 64',
    '"maxConnections": ▶"64"',
    'services.chat.maxConnections: must be a whole number, not a text',
  ],
  [
    '"maxConnections": 64',
    '"maxConnections": ▶6.4',
    'services.chat.maxConnections: must be a whole number, not the number 6.4',
  ],
  ['"timeout": "5 minutes"', '"timeout": ▶300', 'routes[0].timeout: must be a text, not the number 300'],
  ['"webSocket": true', '"webSocket": ▶"yes"', 'routes[0].webSocket: must be true or false, not a text'],
  ['"methods": ["GET"]', '"methods": ▶"GET"', 'routes[1].methods: must be a list, not a text'],
  ['"purpose": "widget files"', '"purpose": ▶null', 'routes[1].purpose: must be a text, not null'],
  ['"tls": "public"', '"tls": ▶5', 'listeners.agents.tls: must be TLS settings { ... } or the name of a listener'],
  // values
  ['"reviewed": "2026-11-01"', '"reviewed": ▶"2026-02-30"', 'reviewed: is not a date; write it as "2026-11-01"'],
  ['"0.0.0.0:8080"', '▶"0.0.0.0"', 'listeners.public.redirectFrom: is not an address with a port; write for example'],
  ['"0.0.0.0:8080"', '▶"0.0.0.0:80800"', 'listeners.public.redirectFrom: is not an address with a port'],
  [
    '["chat.example.com"]',
    '[▶"https://chat.example.com"]',
    'listeners.public.hosts[0]: is not a host name; write it in lower case',
  ],
  [
    '"profile": "internal"',
    '"profile": ▶"internl"',
    'listeners.agents.profile: must be one of "internet", "internal", not "internl"; did you mean',
  ],
  [
    '"http://10.2.0.12:3000"',
    '▶"http://10.2.0.12:3000/api"',
    'services.chat.endpoints[1]: is not the URL of an endpoint',
  ],
  [
    '"http://10.2.0.12:3000"]',
    '{ "url": "http://10.2.0.12:3000", "weight": ▶0 }]',
    'services.chat.endpoints[1].weight: must be at least 1, not 0',
  ],
  ['"http://10.2.0.12:3000"]', '▶5]', 'services.chat.endpoints[1]: must be a URL, or { "url": ..., "weight": ... }'],
  ['"maxConnections": 64', '"health": ▶"health"', 'services.chat.health: is not a path; write for example "/health"'],
  [
    '"maxConnections": 64',
    '"health": { "kind": ▶"ping" }',
    'services.chat.health.kind: must be one of "http", "tcp", "websocket", not "ping"',
  ],
  [
    '"maxConnections": 64',
    '"health": { "kind": "tcp", ▶"body": "ok" }',
    'services.chat.health.body: has no effect on a "tcp" check',
  ],
  ['"maxConnections": 64', '"ejection": { "most": ▶101 }', 'services.chat.ejection.most: must be at most 100, not 101'],
  [
    '"maxConnections": 64',
    '"retries": { "statuses": [▶404] }',
    'services.chat.retries.statuses[0]: must be at least 500, not 404',
  ],
  [
    '"maxConnections": 64',
    '"balance": ▶"random"',
    'services.chat.balance: must be one of "round-robin", "least-load", "two-choices", not "random"',
  ],
  [
    '"maxConnections": 64',
    '"balance": { "hash": { "header": ▶"a b" } }',
    'services.chat.balance.hash.header: is not the name of a header',
  ],
  [
    '"maxConnections": 64',
    '"sticky": { "by": ▶"sid" }',
    'services.chat.sticky.by: must be one of "socket.io", "cookie", not "sid"',
  ],
  [
    '"maxConnections": 64',
    '"sticky": { "by": "socket.io", "cookie": ▶"node" }',
    'services.chat.sticky.cookie: is for "by": "cookie"; socket.io needs none',
  ],
  ['["https://10.2.0.20:8443"]', '▶[]', 'services.files.endpoints: has no endpoint; write at least one URL'],
  [
    '"maxConnections": 64',
    '"dns": { "resolvers": [▶"dns.example.local"] }',
    'services.chat.dns.resolvers[0]: is not the address of a DNS server; write for example "10.0.0.53"',
  ],
  [
    '"maxConnections": 64',
    '"dns": { "resolvers": ["10.0.0.53:5353", "[::1]:53", "::1", ▶"localhost:53"] }',
    'services.chat.dns.resolvers[3]: is not the address of a DNS server',
  ],
  [
    '"maxConnections": 64',
    '"dns": { "networks": [▶"10.0.0.0/33"] }',
    'services.chat.dns.networks[0]: is not an address or a CIDR block',
  ],
  [
    '["http://10.2.0.11:3000", "http://10.2.0.12:3000"], "maxConnections": 64',
    '["http://chat.internal:3000"], "dns": {}, "sticky": ▶{ "by": "socket.io" }',
    'services.chat.sticky: needs a "key" beside "dns"',
  ],
  [
    '["http://10.2.0.11:3000", "http://10.2.0.12:3000"], "maxConnections": 64',
    '["http://_chat._tcp.internal", ▶"http://10.2.0.12:3000"], "dns": { "records": "srv" }',
    'services.chat.endpoints[1]: is an address; "records": "srv" needs a name',
  ],
  [
    '["http://10.2.0.11:3000", "http://10.2.0.12:3000"], "maxConnections": 64',
    '[▶"http://_chat._tcp.internal:3000"], "dns": { "records": "srv" }',
    'services.chat.endpoints[0]: has a port; SRV records say the ports',
  ],
  [
    '["http://10.2.0.11:3000", "http://10.2.0.12:3000"], "maxConnections": 64',
    '["https://_chat._tcp.internal"], "dns": { "records": ▶"srv" }',
    'services.chat.dns.records: is "srv" for https endpoints; write in "tls" the "serverName"',
  ],
  ['"maxConnections": 64', '"maxTotalSockets": ▶0', 'services.chat.maxTotalSockets: must be at least 1, not 0'],
  [
    '"path": "/*"',
    '"path": ▶"/*/x"',
    'routes[1].path: is not a path; write an absolute one, with "*" only as its last segment',
  ],
  [
    '"path": "/*"',
    '"path": "/*", "rewrite": ▶"/{id}"',
    'routes[1].rewrite: uses a "{name}" or "*" that "/*" does not have',
  ],
  [
    '"path": "/*"',
    '"path": "/*", ▶"redirect": "/x"',
    'routes[1].redirect: stands beside "service"; a route has one of both',
  ],
  [
    '"service": "files", "profiles": ["internet"],',
    '"redirect": ▶"//evil.example.com/*", "profiles": ["internet"],',
    'routes[1].redirect: is not where a redirect can lead',
  ],
  [
    '"profiles": ["internet"], "purpose": "web chat"',
    '"profiles": ["internet"], "errorPages": { ▶"200": "a.html" }, "purpose": "web chat"',
    'routes[0].errorPages["200"]: is not a status of an error',
  ],
  [
    '"maxConnections": 64',
    '"proxy": { "url": ▶"http://user:pass@proxy:3128" }',
    'services.chat.proxy.url: is not the URL of a proxy',
  ],
  [
    '"endpoints": ["https://10.2.0.20:8443"]',
    '"proxy": { "url": "http://proxy:3128" }, "endpoints": ["https://10.2.0.20:8443", ▶"unix:/run/x.sock"]',
    'services.files.endpoints[1]: is a Unix socket, to which no proxy leads; make it a service of its own',
  ],
  [
    '["http://10.2.0.11:3000", "http://10.2.0.12:3000"], "maxConnections": 64',
    '["http://chat.internal:3000"], "proxy": { "url": "http://proxy:3128" }, "dns": ▶{}',
    'services.chat.dns: cannot stand beside "proxy", which looks names up itself (SRV records it does not know); remove "dns" and write every endpoint as a URL with its name and port',
  ],
  [
    '["http://10.2.0.11:3000", "http://10.2.0.12:3000"], "maxConnections": 64',
    '["http://_chat._tcp.internal"], "proxy": { "url": "http://proxy:3128" }, "dns": ▶{ "records": "srv" }',
    'services.chat.dns: cannot stand beside "proxy"',
  ],
  [
    '"endpoints": ["https://10.2.0.20:8443"]',
    '"protocol": "h2", "endpoints": ["https://10.2.0.20:8443", ▶"unix:/run/x.sock"]',
    'services.files.endpoints[1]: is a Unix socket, which speaks "http/1.1" only',
  ],
  [
    '"maxConnections": 64',
    '"health": { "path": "/", "interval": ▶"30 ms" }',
    'services.chat.health.interval: is too short; it must be at least 50 ms',
  ],
  [
    '"http://10.2.0.12:3000"], "maxConnections": 64',
    '▶"unix:run/x.sock"], "maxConnections": 64',
    'services.chat.endpoints[1]: is not the URL of an endpoint; write scheme, host and port only, for example "http://10.2.0.11:3000", or a Unix socket, "unix:/run/chat.sock"',
  ],
  ['"path": "/*"', '"path": ▶"/chats*"', 'routes[1].path: is not a path'],
  ['"path": "/*"', '"path": ▶"/chats/x{id}"', 'routes[1].path: is not a path'],
  ['"path": "/*"', '"path": ▶"/a/{id}/b/{id}"', 'routes[1].path: has {id} twice; give each segment a name of its own'],
  [
    '"path": "/*"',
    '"path": "/*", "match": { "headers": { ▶"host": "a" } }',
    'routes[1].match.headers.host: cannot be matched',
  ],
  ['"path": "/*"', '"path": ▶"/a/../b"', 'routes[1].path: has empty or dot segments'],
  ['"methods": ["GET"]', '"methods": ["GET", ▶"TRACE"]', 'routes[1].methods[1]: must be one of "GET", "HEAD"'],
  [
    '"headers": "asset"',
    '"headers": ▶"assett"',
    'routes[1].headers: must be one of "api", "page", "embed", "asset", "transcript", not "assett"; did you mean "asset"?',
  ],
  ['"headers": "asset"', '"headers": { "profile": ▶"aset" }', 'routes[1].headers.profile: must be one of'],
  [
    '"headers": "asset"',
    '"headers": { "profile": "asset", "set": { "X-A": "1", ▶"x-a": "2" } }',
    'routes[1].headers.set.x-a: is given twice',
  ],
  ['"maxBody": "64 KB"', '"maxBody": ▶"64 kilos"', 'routes[1].maxBody: is not a size; write for example "64 KB"'],
  [
    '"timeout": "5 minutes"',
    '"timeout": ▶"5 bananas"',
    'routes[0].timeout: is not a duration; write for example "30 seconds"',
  ],
  [
    '"block": "5 minutes"',
    '"block": ▶"25 days"',
    'limits.per-customer.block: is too long; a timer runs for 24 days at most',
  ],
  [
    '"rate": "30 per minute"',
    '"rate": ▶"30 minutes"',
    'limits.per-message.rate: is not a rate; write for example "120 per minute"',
  ],
  [
    '"rate": "30 per minute"',
    '"rate": ▶"0 per minute"',
    'limits.per-message.rate: must let at least 1 request through',
  ],
  ['"maxConnections": 64', '"maxConnections": ▶0', 'services.chat.maxConnections: must be at least 1, not 0'],
  ['"burst": 40', '"burst": ▶1e9', 'limits.per-customer.burst: must be at most 10000000, not 1000000000'],
  ['"$..caption"', '▶"text"', 'messages.customer.fields[1]: is not a field path, which starts with "$"'],
  ['"$..caption"', '▶"$.a[x]"', 'messages.customer.fields[1]: is not a field path: "[*]", a number in brackets'],
  ['"$[0].text"', '▶"$.text"', "messages.customer.events.message[0]: must start at one of the event's arguments"],
  [
    '"url": { "env": "REDIS_URL" }',
    '"url": ▶"redis://:hunter2@10.0.0.1"',
    'limits.store.redis.url: is not a Redis URL without a password',
  ],
  [
    '{ "env": "REDIS_URL" }',
    '{ "env": ▶"REDIS URL" }',
    'limits.store.redis.url.env: is not the name of an environment variable',
  ],
  [
    '"redis": { "url": { "env": "REDIS_URL" } }',
    '"redis": ▶{ "url": { "env": "REDIS_URL" }, "cluster": { "nodes": ["a:6379"] } }',
    'limits.store.redis: needs one of "url" (one server), "sentinel" and "cluster", and no second one',
  ],
  [
    '"redis": { "url": { "env": "REDIS_URL" } }',
    '"redis": ▶{ }',
    'limits.store.redis: needs one of "url" (one server), "sentinel" and "cluster", and no second one',
  ],
  [
    '"redis": { "url": { "env": "REDIS_URL" } }',
    '"redis": { "cluster": { "nodes": [▶"a"] } }',
    'limits.store.redis.cluster.nodes[0]: is not host and port; write for example "redis-1.example.com:6379"',
  ],
  [
    '"redis": { "url": { "env": "REDIS_URL" } }',
    '"redis": { "cluster": { "nodes": ["a:1"] }, "database": ▶2 }',
    'limits.store.redis.database: is not 0, and a Cluster has no other',
  ],
  [
    '"redis": { "url": { "env": "REDIS_URL" } }',
    '"redis": { "sentinel": { "master": "m", "nodes": ▶[] } }',
    'limits.store.redis.sentinel.nodes: names no node; write at least one "host:port"',
  ],
  [
    '"redis": { "url": { "env": "REDIS_URL" } }',
    '"redis": { "sentinel": { "master": "m", "nodes": ["a:1"], "tls": ▶true } }',
    'limits.store.redis.sentinel.tls: is on, but "tls" of redis is missing',
  ],
  [
    '"redis": { "url": { "env": "REDIS_URL" } }',
    '"redis": { "sentinel": { "master": "m", "nodes": ["a:1"] }, "password": ▶"hunter2" }',
    'limits.store.redis.password: is a secret and is never written here',
  ],
  [
    '"redis": { "url": { "env": "REDIS_URL" } }',
    '"redis": { "url": "redis://a", "username": ▶"u" }',
    'limits.store.redis.username: comes without "password"',
  ],
  [
    '"redis": { "url": { "env": "REDIS_URL" } }',
    '"redis": { "url": "redis://a", "tls": ▶{} }',
    'limits.store.redis.tls: is for TLS, but the URL is not a rediss:// URL',
  ],
  [
    '"redis": { "url": { "env": "REDIS_URL" } }',
    '"redis": { "url": "rediss://a", "tls": ▶{ "cert": "a.pem" } }',
    'limits.store.redis.tls: has a client certificate or its key alone; write "cert" and "key"',
  ],
  [
    '"key": "certs/chat.key"',
    '"key": "certs/chat.key", "passphrase": ▶"hunter2"',
    'passphrase: is a secret and is never written here',
  ],
  [
    '{ "folder": "transcripts" }',
    '▶{ "folder": "a", "service": "chat" }',
    'source: must be { "folder": "path" } or { "service": "name" }',
  ],
  // names that lead nowhere
  ['"service": "files"', '"service": ▶"fiels"', 'routes[1].service: no service named "fiels"; did you mean "files"?'],
  [
    '"per-message"], "web',
    '▶"per-mesage"], "web',
    'routes[0].limits[1]: no limit named "per-mesage"; did you mean "per-message"?',
  ],
  ['"messages": "customer"', '"messages": ▶"bots"', 'routes[0].messages: no set of message rules named "bots"'],
  ['"by": "address"', '"by": ▶"addres"', 'limits.per-customer.by: is nothing to count by; write "address", "user"'],
  [
    '"by": "address"',
    '"by": ["address", ▶"header"]',
    'limits.per-customer.by[1]: is nothing to count by; write "address"',
  ],
  ['"by": "address"', '"by": ["address", ▶"header X Y"]', 'limits.per-customer.by[1]: is nothing to count by'],
  [
    '"per-reader": { "rate"',
    '"per-reader": { "by": "field user", "rate"',
    'listeners.transcripts.limits[0]: counts by a field of the body, which is looked into for "routes[].limits" only',
  ],
  [
    '"redirectFrom": "0.0.0.0:8080",',
    '"redirectFrom": "0.0.0.0:8080", "limits": [▶"per-mesage"],',
    'listeners.public.limits[0]: no limit named "per-mesage"; did you mean "per-message"?',
  ],
  ['"burst": 40', '"dryRunShown": ▶true', 'limits.per-customer.dryRunShown: has no effect; it needs "dryRun": true'],
  ['"burst": 40', '"known": ▶{}', 'limits.per-customer.known.statuses: is missing'],
  ['"burst": 40', '"known": { "statuses": [▶401] }', 'limits.per-customer.known.statuses[0]: must be at most 399'],
  ['"by": "address"', '"by": ▶[]', 'limits.per-customer.by: is empty; name at least one'],
  ['"block": "5 minutes"', '"block": ["1 minute", ▶"soon"]', 'limits.per-customer.block[1]: is not a duration'],
  ['"burst": 40', '"penalties": { ▶"200": 1 }', 'limits.per-customer.penalties["200"]: is not the status of a failure'],
  ['"burst": 40', '"penalties": { "404": ▶0 }', 'limits.per-customer.penalties["404"]: must be at least 1, not 0'],
  ['"burst": 40', '"concurrent": ▶0', 'limits.per-customer.concurrent: must be at least 1, not 0'],
  ['"burst": 40', '"dryRun": ▶"yes"', 'limits.per-customer.dryRun: must be true or false'],
  ['"burst": 40', '"exempt": [▶"10.0.0.0/40"]', 'limits.per-customer.exempt[0]: is not an address or a CIDR block'],
  ['"burst": 40', '"ban": { ▶"afer": 3 }', 'limits.per-customer.ban.afer: no such setting; did you mean "after"?'],
  ['"by": "address"', '"by": ["user", "address"]', 'routes[0].limits[0]: counts by user, but nobody signs in here'],
  ['["per-reader"]', '[▶"store"]', 'listeners.transcripts.limits[0]: "store" is where counts live and no limit'],
  [
    '{ "folder": "transcripts" }',
    '{ "service": ▶"caht" }',
    'transcripts.source.service: no service named "caht"; did you mean "chat"?',
  ],
  [
    '"tls": "public"',
    '"tls": ▶"pubic"',
    'listeners.agents.tls: no listener named "pubic" to share TLS settings with; did you mean "public"?',
  ],
  ['"tls": "public"', '"tls": ▶"agents"', 'listeners.agents.tls: names itself'],
  [
    '"127.0.0.1:9443",',
    '"127.0.0.1:9443", "tls": ▶"agents",',
    'listeners.transcripts.tls: listener "agents" shares the settings of "public"',
  ],
  [
    '"hosts": ["agents.example.local"], ',
    '"hosts": ["agents.example.local"], "proxyProtocol": { "from": ▶[] }, ',
    'listeners.agents.proxyProtocol.from: is empty, so nobody could connect; name the balancers',
  ],
  [
    '"hosts": ["agents.example.local"], ',
    '"hosts": ["agents.example.local"], "proxyProtocol": ▶{}, ',
    'listeners.agents.proxyProtocol.from: is missing: balancers that send it',
  ],
  [
    '"hosts": ["agents.example.local"], ',
    '"hosts": ["agents.example.local"], "forwardedBy": ▶"x-real-ip", ',
    'listeners.agents.forwardedBy: must be one of "x-forwarded-for", "forwarded", not "x-real-ip"',
  ],
  [
    '"hosts": ["agents.example.local"], ',
    '"hosts": ["agents.example.local"], "via": ▶"a gate", ',
    'listeners.agents.via: is not a pseudonym; use letters, digits and "-"',
  ],
  // what does not go together
  [
    '"10.1.0.5:8444"',
    '▶"10.1.0.5:8443"',
    'listeners.agents.address: 10.1.0.5:8443 is taken by listeners.public.address (0.0.0.0:8443)',
  ],
  ['"10.1.0.5:8444"', '▶"[::]:8080"', 'listeners.agents.address: [::]:8080 is taken by listeners.public.redirectFrom'],
  ['"127.0.0.1:9900"', '▶"0.0.0.0:9900"', 'listeners.admin.address: must be on loopback'],
  [
    '"hosts": ["agents.example.local"], ',
    '"hosts": ▶[], ',
    'listeners.agents.hosts: is empty; only a listener on loopback may serve every Host',
  ],
  ['"tls": "public" }', '"tls": ▶{} }', 'listeners.agents.tls: has no certificate; write "certificates"'],
  [
    '"127.0.0.1:9443", "signIn"',
    '"127.0.0.1:9443", "auth": ▶"none", "signIn"',
    'listeners.transcripts.auth: is "none", but "signIn" is given',
  ],
  [
    '"127.0.0.1:9443", "signIn": { "accounts": "config/accounts.json" },',
    '"10.0.0.1:9443", "hosts": ["t"], "tls": "public", "auth": ▶"none",',
    'listeners.transcripts.auth: may be "none" on loopback only',
  ],
  [
    '"path": "/*", "methods"',
    '"path": ▶"/socket.io/*", "methods"',
    'routes[1].path: GET "/socket.io/*" belongs to routes[0] ("chat") already',
  ],
  ['"name": "files"', '"name": ▶"chat"', 'routes[1].name: is the name of routes[0] too'],
  [
    '"webSocket": true',
    '"webSocket": true, "methods": ▶["POST"]',
    'routes[0].methods: lacks "GET", with which every WebSocket begins',
  ],
  [
    '"html": "strip"',
    '"html": ▶"keep"',
    'messages.customer.html: must be one of "strip", "escape", "allow", "reject", not "keep"',
  ],
  ['"html": "strip"', '"html": ▶"allow"', 'messages.customer.html: needs "allowTags" beside it'],
  ['"html": "strip"', '"html": "strip", "allowTags": ▶["b"]', 'messages.customer.allowTags: has no effect'],
  ['"html": "strip"', '"html": "allow", "allowTags": ▶[]', 'messages.customer.allowTags: is empty'],
  [
    '"html": "strip"',
    '"html": "allow", "allowTags": ["b", ▶"script"]',
    'messages.customer.allowTags[1]: "script" is no element that a message may keep: it could run or load something',
  ],
  [
    '"html": "strip"',
    '"html": "allow", "allowTags": [▶"<b>"]',
    'messages.customer.allowTags[0]: is not the name of an element; write it in lower case and without brackets',
  ],
  ['"tls": { "ca"', '"tls": { "key": ▶"k", "ca"', 'services.files.tls.key: needs "cert" beside it'],
  ['"maxConnections": 64', '"protocol": ▶"h3"', 'services.chat.protocol: '],
  // syntax
  ['"2026-11-01",', '"2026-11-01"▶', 'a comma is missing here'],
  ['"log": {', '"log" ▶{', 'a colon is missing after the key, before "{"'],
  ['"level": "info"', '"level": ▶}', 'a value is expected here, not "}"'],
  ['"level": "info"', "▶'level': 1", 'texts and keys stand in double quotes'],
  [
    '"level": "info" },\n}\n',
    '"level": "info" },▶',
    'a key in double quotes is expected here, not the end of the file',
  ],
  [
    '"level": "info" },\n}\n',
    '"level": "info" }▶',
    'an object is not closed: "}" is expected here, not the end of the file',
  ],
  ['// comments', '/* comments', 'is not closed'],
  ['"level": "info" },\n}\n', '"level": "info" },\n}\n▶{}', 'nothing more is expected here, but there is "{"'],
  ['"info"', '▶"in\\qfo"', 'has an escape that JSON does not know'],
]

/** Where the sentence is expected when no ▶ says so: at the object in which something is missing. */
const OWNERS: Readonly<Record<string, string>> = {
  'listeners.transcripts.limits[0]': '"per-reader"]',
  'routes[0].limits[0]': '"per-customer", "per-message"',
  'routes[0]': '{ "name": "chat"',
  'routes[0].purpose': '{ "name": "chat"',
  'limits.per-message.rate': '{ },\n    "per-reader"',
  'listeners.public.tls.certificates[0].key': '{ "cert"',
  'listeners.transcripts.source': '{\n      "address": "127.0.0.1:9443"',
  'listeners.transcripts': '{\n      "address": "127.0.0.1:9443"',
  'messages.customer': '{ "html": "strip"',
  'is not closed': '/* comments',
}

function problemsOf(text: string): readonly string[] {
  try {
    parseConfiguration('gateway.json', text, { env: {}, checkFiles: false })
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
}

const lineAndColumn = (text: string, offset: number): string => {
  const before = text.slice(0, offset).split('\n')
  return `${before.length}:${before.at(-1)!.length + 1}`
}

t.test('the file that the table changes is right', async (t) => {
  t.same(problemsOf(RIGHT), [])
})

t.test('the table has more than forty rows', async (t) => {
  t.ok(TABLE.length >= 40, `${TABLE.length} rows`)
})

for (const [right, wrong, says] of TABLE) {
  t.test(says, async (t) => {
    t.equal(RIGHT.split(right).length, 2, `stands once in the right file: ${right}`)
    const marked = RIGHT.replace(right, () => wrong)
    const text = marked.replace('▶', '')
    const owner = OWNERS[says.split(':')[0]!]
    const offset = wrong.includes('▶') ? marked.indexOf('▶') : text.indexOf(owner ?? '▶')
    t.ok(offset >= 0, 'the row says where')
    const problems = problemsOf(text)
    t.equal(problems.length, 1, `one mistake, one line:\n${problems.join('\n')}`)
    const found = problems[0] ?? ''
    t.match(found, new RegExp(`^gateway\\.json:${lineAndColumn(text, offset)}[ :]`), found)
    t.ok(found.includes(says), `says: ${says}\nfound: ${found}`)
    t.notMatch(found, 'hunter2', 'no secret is repeated')
  })
}

t.test('five mistakes give five lines, in the order of the file', async (t) => {
  const text = RIGHT.replace('"redirectFrom"', '"redirectForm"')
    .replace('"http://10.2.0.12:3000"', '"10.2.0.12:3000"')
    .replace('"per-message"], "web', '"per-mesage"], "web')
    .replace('"html": "strip"', '"html": "stripp"')
    .replace('"rate": "30 per minute"', '"rate": "often"')
  const problems = problemsOf(text)
  t.same(
    problems.map((problem) => problem.split(': ')[0]),
    [
      'gateway.json:8:7 listeners.public.redirectForm',
      'gateway.json:18:54 services.chat.endpoints[1]',
      'gateway.json:23:58 routes[0].limits[1]',
      'gateway.json:28:103 messages.customer.html',
      'gateway.json:32:30 limits.per-message.rate',
    ],
    problems.join('\n'),
  )
})

t.test('what is wrong before a syntax error is told with it, what may be innocent is not', async (t) => {
  const text = RIGHT.replace('"redirectFrom"', '"redirectForm"').replace('"routes": [', '"routes": [[[')
  const problems = problemsOf(text)
  t.match(problems[0], /^gateway\.json:8:7 listeners\.public\.redirectForm: no such setting/)
  t.match(problems[1], /^gateway\.json:27:13: ":" is not expected here; a bracket or a quote before it may be missing/)
  t.equal(problems.length, 2, problems.join('\n'))
})

t.test('a missing comma hides no other mistake', async (t) => {
  const problems = problemsOf(
    RIGHT.replace('"2026-11-01",', '"2026-11-01"').replace('"service": "files"', '"service": "fils"'),
  )
  t.match(problems[0], /^gateway\.json:3:27: a comma is missing here/)
  t.match(problems[1], /routes\[1\]\.service: no service named "fils"/)
  t.equal(problems.length, 2)
})

t.test('lines are counted for files from Windows', async (t) => {
  const problems = problemsOf(RIGHT.replace('"service": "files"', '"service": "fils"').replaceAll('\n', '\r\n'))
  t.match(problems[0], /^gateway\.json:24:69 routes\[1\]\.service/)
})

t.test('a thousand mistakes are told in a hundred lines and a count', async (t) => {
  const problems = problemsOf(`{ "listeners": {}, "services": {}, "routes": [${'5,'.repeat(1000)}] }`)
  t.equal(problems.length, 101)
  t.equal(problems.at(-1), 'gateway.json: and 901 more')
})

t.test('nesting without end is told, not followed', async (t) => {
  t.match(problemsOf(`{ "routes": ${'['.repeat(100_000)}`), ['gateway.json:1:44: nests deeper than 32 levels'])
})

t.test('a secret for what nodes share, and nothing that they share it through', async (t) => {
  const text = RIGHT.replace('"redis": { "url": { "env": "REDIS_URL" } }, ', '').replace(
    '"tls": { "certificates"',
    '"tls": { "ticketSecret": { "env": "X" }, "certificates"',
  )
  const problems = problemsOf(text)
  t.match(problems[0], /^gateway\.json:7:32 listeners\.public\.tls\.ticketSecret: .*write "limits": .*or leave it out/)
  t.equal(problems.length, 1, problems.join('\n'))
})
