// The run rows (C5) on the real compose file, and proof that breaking a row is seen.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { loadConfiguration } from '../../src/config/load.ts'
import { composeFindings } from './compose-rows.ts'

const root = new URL('../../', import.meta.url)
const compose = readFileSync(new URL('compose.yaml', root), 'utf8')

const ROWS: Record<string, string> = {
  'C5 4.10': 'secrets are files, never environment variables',
  'C5 5.1': 'AppArmor or SELinux is left on',
  'C5 5.3': 'every capability is dropped',
  'C5 5.4': 'not privileged',
  'C5 5.5': 'no sensitive host folders, every mount read-only',
  'C5 5.6': 'no SSH server',
  'C5 5.7': 'no privileged ports',
  'C5 5.8': 'only needed ports',
  'C5 5.9': 'own network namespace',
  'C5 5.10': 'memory is bounded',
  'C5 5.11': 'CPU is bounded',
  'C5 5.12': 'read-only root file system',
  'C5 5.13': 'ports on one host interface',
  'C5 5.14': 'restart on-failure:5',
  'C5 5.15': 'own process namespace',
  'C5 5.16': 'own IPC namespace',
  'C5 5.17': 'no host devices',
  'C5 5.18': 'limits on files and core dumps',
  'C5 5.19': 'mounts are not propagated',
  'C5 5.20': 'own UTS namespace',
  'C5 5.21': 'seccomp is on',
  'C5 5.23': 'a numeric user that is not root',
  'C5 5.24': 'own control group',
  'C5 5.25': 'no new privileges',
  'C5 5.26': 'health is checked at run time',
  'C5 5.27': 'images are pinned by digest',
  'C5 5.28': 'processes and logs are bounded',
  'C5 5.29': 'own bridge networks',
  'C5 5.30': 'user namespace is not shared',
  'C5 5.31': 'no Docker socket',
}

for (const [row, says] of Object.entries(ROWS))
  t.test(`${row}: ${says}`, async (t) => {
    t.same(
      composeFindings(compose).filter((each) => each.row === row),
      [],
    )
  })

/** Adds lines to the gateway's service. */
const plus = (lines: string) => compose.replace("    user: '65532:65532'\n", (found) => `${found}${lines}\n`)
const bind = (source: string) =>
  `      - type: bind\n        source: ${source}\n        target: /x\n        read_only: true\n`
const mounted = (source: string) => compose.replace('    volumes:\n', (found) => found + bind(source))

const BREAKS: [row: string, what: string, broken: string][] = [
  ['C5 4.10', 'a password in the environment', compose.replace('NODE_EXTRA_CA_CERTS:', 'REDIS_PASSWORD:')],
  ['C5 4.10', 'an undeclared secret', compose.replace('secrets: [redis_url, accounts]', 'secrets: [other]')],
  [
    'C5 5.1',
    'AppArmor off',
    compose.replace("'no-new-privileges:true'", "'no-new-privileges:true', 'apparmor:unconfined'"),
  ],
  ['C5 5.3', 'capabilities kept', compose.replace('cap_drop: [ALL]', 'cap_drop: [NET_RAW]')],
  ['C5 5.3', 'a capability added', plus('    cap_add: [NET_ADMIN]')],
  ['C5 5.4', 'privileged', plus('    privileged: true')],
  ['C5 5.5', 'the host root', mounted('/')],
  ['C5 5.5', 'a folder of the host', mounted('/etc/ssl')],
  ['C5 5.5', 'a writable mount', compose.replace('read_only: true\n        bind', 'read_only: false\n        bind')],
  ['C5 5.6', 'an SSH server', plus('    command: [/usr/sbin/sshd]')],
  ['C5 5.7', 'a privileged port', compose.replace(':8443:8443', ':443:8443')],
  ['C5 5.8', 'the admin port', compose.replace(':9443:9443', ':9900:9900')],
  [
    'C5 5.8',
    'Redis published',
    compose.replace("    user: '999:1000'\n", (f) => `${f}    ports: ['127.0.0.1:6379:6379']\n`),
  ],
  ['C5 5.8', 'Redis on an outside network', compose.replace('networks: [store]', 'networks: [store, edge]')],
  ['C5 5.9', 'the host network', plus('    network_mode: host')],
  ['C5 5.10', 'no memory limit', compose.replace('    mem_limit: 512m\n', '')],
  ['C5 5.10', 'swap unbounded', compose.replace('memswap_limit: 512m', 'memswap_limit: -1')],
  ['C5 5.11', 'no CPU limit', compose.replace('    cpus: 2\n', '')],
  ['C5 5.12', 'a writable root', compose.replace('  read_only: true\n  restart', '  restart')],
  ['C5 5.12', 'tmpfs without a size', compose.replace('size=16m,', '')],
  ['C5 5.13', 'every interface', compose.replace(/\$\{PORTCULLIS_ADDRESS:-127\.0\.0\.1\}:/, '')],
  ['C5 5.13', 'every interface by default', compose.replace('ADDRESS:-127.0.0.1', 'ADDRESS:-0.0.0.0')],
  ['C5 5.14', 'restarted for ever', compose.replace('on-failure:5', 'always')],
  ['C5 5.15', 'host processes', plus('    pid: host')],
  ['C5 5.16', 'host IPC', plus('    ipc: host')],
  ['C5 5.17', 'a device', plus("    devices: ['/dev/mem:/dev/mem']")],
  ['C5 5.18', 'core dumps', compose.replace('      core: 0\n', '')],
  ['C5 5.19', 'shared mounts', compose.replace('propagation: rprivate', 'propagation: shared')],
  ['C5 5.20', 'host UTS', plus('    uts: host')],
  [
    'C5 5.21',
    'seccomp off',
    compose.replace("'no-new-privileges:true'", "'no-new-privileges:true', 'seccomp:unconfined'"),
  ],
  ['C5 5.23', 'root', compose.replace("user: '65532:65532'", "user: '0:0'")],
  ['C5 5.23', 'Redis as root', compose.replace("    user: '999:1000'\n", '')],
  ['C5 5.24', 'the host control group', compose.replace('cgroup: private', 'cgroup: host')],
  ['C5 5.24', 'another control group', plus('    cgroup_parent: other')],
  ['C5 5.25', 'new privileges', compose.replace("security_opt: ['no-new-privileges:true']", 'security_opt: []')],
  [
    'C5 5.26',
    'no health check',
    compose.replace(/ {4}healthcheck:\n {6}test: \[CMD, node(?:.*\n){1,4}? {6}retries: 3\n/, ''),
  ],
  ['C5 5.27', 'Redis by tag', compose.replace(/@sha256:[0-9a-f]{64}/, '')],
  ['C5 5.28', 'no process limit', compose.replace('    pids_limit: 128\n', '')],
  ['C5 5.28', 'unbounded logs', compose.replace('      max-size: 10m\n', '')],
  ['C5 5.29', 'the default network', compose.replace('    networks: [edge, services, store]\n', '')],
  ['C5 5.29', 'a network that is not declared', compose.replace('networks: [store]', 'networks: [other]')],
  ['C5 5.30', 'host users', plus('    userns_mode: host')],
  ['C5 5.31', 'the Docker socket', mounted('/var/run/docker.sock')],
]

t.test('every broken row is reported', async (t) => {
  const proven = new Set<string>()
  for (const [row, what, broken] of BREAKS) {
    t.not(broken, compose, `${what}: the example breaks something`)
    t.ok(
      composeFindings(broken).some((each) => each.row === row),
      `${row}: ${what}`,
    )
    proven.add(row)
  }
  t.same([...proven].toSorted(), Object.keys(ROWS).toSorted(), 'every row has an example')
})

t.test('A1: the configuration beside it is valid, and speaks TLS outside and between services', async (t) => {
  const path = fileURLToPath(new URL('deploy/config/gateway.json', root))
  const loaded = loadConfiguration(path, { env: {}, checkFiles: false })
  t.same(loaded.warnings, [])
  const read = loaded.configuration
  for (const service of Object.values(read.services))
    for (const endpoint of service.endpoints) t.match(endpoint.url, /^https:/)
  for (const [name, listener] of Object.entries(read.listeners))
    t.notOk('redirectFrom' in listener && listener.redirectFrom, `${name} opens no plain port`)
  t.equal(read.listeners.admin.address.host, '127.0.0.1', 'administration stays inside the container')
  t.same(read.limits.store.redis?.url, { file: '/run/secrets/redis_url' })
})
