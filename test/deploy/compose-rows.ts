/** Holds a compose file to the container-run rows (C5) and says which are broken. It reads text and starts nothing. */
import { parse } from 'yaml'
import type { Finding } from './dockerfile-rows.ts'

interface Mount {
  readonly type?: string
  readonly source?: string
  readonly target?: string
  readonly read_only?: boolean
  readonly bind?: { readonly propagation?: string }
}

/** The part of a compose service that the rows speak of. */
interface ServiceSpec {
  readonly image?: string
  readonly build?: unknown
  readonly user?: string
  readonly command?: string | string[]
  readonly entrypoint?: string | string[]
  readonly environment?: Record<string, unknown> | string[]
  readonly ports?: (string | { target?: number; published?: string | number; host_ip?: string })[]
  readonly networks?: string[] | Record<string, unknown>
  readonly network_mode?: string
  readonly volumes?: (string | Mount)[]
  readonly secrets?: (string | { source: string })[]
  readonly tmpfs?: string | string[]
  readonly cap_drop?: string[]
  readonly cap_add?: string[]
  readonly security_opt?: string[]
  readonly privileged?: boolean
  readonly read_only?: boolean
  readonly restart?: string
  readonly devices?: unknown[]
  readonly device_cgroup_rules?: unknown[]
  readonly pid?: string
  readonly ipc?: string
  readonly uts?: string
  readonly userns_mode?: string
  readonly cgroup?: string
  readonly cgroup_parent?: string
  readonly mem_limit?: string | number
  readonly memswap_limit?: string | number
  readonly cpus?: string | number
  readonly pids_limit?: number
  readonly ulimits?: Record<string, unknown>
  readonly healthcheck?: { readonly test?: string | string[]; readonly disable?: boolean }
  readonly logging?: { readonly options?: Record<string, string> }
}

interface Composition {
  readonly services?: Record<string, ServiceSpec>
  readonly networks?: Record<string, { driver?: string; internal?: boolean; external?: boolean; name?: string } | null>
  readonly secrets?: Record<string, unknown>
}

/** Containers that customers or agents speak to; every other one publishes nothing. */
const PUBLISHED: Record<string, readonly number[]> = { gateway: [8443, 9443] }
const SENSITIVE = /^\/(?:boot|dev|etc|lib|lib64|proc|sys|usr|bin|sbin|root|home|run|var\/run|var\/lib\/docker)?(?:\/|$)/
const SECRET_NAME = /(?:PASS|SECRET|TOKEN|CREDENTIAL|PRIVATE|_KEY$|REDIS_URL)/i

const words = (value: string | string[] | undefined): string => [value ?? ''].flat().join(' ')
const listOf = (value: string | string[] | undefined): string[] => (value === undefined ? [] : [value].flat())

/** Host address, host port and container port; null where the mapping leaves the address open. */
function bound(port: NonNullable<ServiceSpec['ports']>[number]): [string, number, number] | null {
  if (typeof port === 'object') return port.host_ip ? [port.host_ip, Number(port.published), Number(port.target)] : null
  // A variable counts as its default.
  const plain = String(port).replace(/\$\{\w+:[-?]([^}]*)\}/g, '$1')
  const found = /^(\[[0-9a-fA-F:]+\]|[0-9.]+):(\d+):(\d+)(?:\/(?:tcp|udp))?$/.exec(plain)
  return found === null ? null : [found[1]!, Number(found[2]), Number(found[3])]
}

export function composeFindings(text: string): Finding[] {
  const findings: Finding[] = []
  const report = (row: string, says: string) => findings.push({ row: `C5 ${row}`, says })
  const composition = parse(text, { merge: true }) as Composition
  const services = Object.entries(composition.services ?? {})
  if (services.length === 0) report('5.8', 'there are no services')

  for (const [name, service] of services) {
    const check = (holds: boolean, row: string, says: string) => {
      if (!holds) report(row, `${name}: ${says}`)
    }
    check(service.cap_drop?.includes('ALL') === true && !service.cap_add?.length, '5.3', 'capabilities stay')

    for (const volume of service.volumes ?? []) {
      const mount: Mount =
        typeof volume === 'string'
          ? { type: 'bind', source: volume.split(':')[0]!, read_only: /:ro\b/.test(volume) }
          : volume
      const source = mount.source ?? ''
      check(!/docker\.sock|containerd\.sock|podman\.sock/.test(source), '5.31', `${source} is a control socket`)
      check(!SENSITIVE.test(source), '5.5', `${source} is a folder of the host's own`)
      check(mount.read_only === true, '5.5', `${source} is writable`)
      if (mount.type === 'bind' || mount.bind !== undefined)
        check(!/shared|slave/.test(mount.bind?.propagation ?? 'rprivate'), '5.19', `${source} is propagated`)
    }

    const started = `${words(service.entrypoint)} ${words(service.command)} ${service.image ?? ''}`
    check(!/\bsshd\b|openssh|dropbear/.test(started), '5.6', 'runs an SSH server')

    const allowed = PUBLISHED[name] ?? []
    for (const port of service.ports ?? []) {
      const map = bound(port)
      check(map !== null && !/^(?:0\.0\.0\.0|\[::\]|::)$/.test(map[0]), '5.13', 'a port is open on every interface')
      check(map !== null && map[1] >= 1024 && map[2] >= 1024, '5.7', 'a port is privileged')
      check(map !== null && allowed.includes(map[2]), '5.8', `port ${JSON.stringify(port)} is not needed`)
    }

    check(service.network_mode === undefined, '5.9', 'network_mode is set')
    check(service.pid === undefined, '5.15', 'shares a process namespace')
    check(service.ipc === undefined || service.ipc === 'private', '5.16', 'shares an IPC namespace')
    check(service.uts === undefined, '5.20', 'shares the UTS namespace')
    check(service.userns_mode === undefined, '5.30', 'shares the user namespace')

    check(service.mem_limit !== undefined && service.memswap_limit === service.mem_limit, '5.10', 'memory is unbounded')
    check(Number(service.cpus) > 0, '5.11', 'CPU is unbounded')
    check(Number(service.pids_limit) > 0, '5.28', 'processes are unbounded')
    check(
      service.ulimits?.nofile !== undefined && service.ulimits.core === 0,
      '5.18',
      'no limits on files and core dumps',
    )

    check(service.read_only === true, '5.12', 'the root file system is writable')
    for (const mount of listOf(service.tmpfs))
      check(/size=\d+/.test(mount) && /noexec/.test(mount) && /nosuid/.test(mount), '5.12', `${mount} is unbounded`)
    check(service.restart === 'on-failure:5', '5.14', 'is not restarted on failure, five times at most')
    check(!service.devices?.length && !service.device_cgroup_rules?.length, '5.17', 'sees devices of the host')
    const options = service.security_opt ?? []
    check(!options.some((each) => /seccomp[:=]unconfined/.test(each)), '5.21', 'seccomp is off')
    check(
      !options.some((each) => /apparmor[:=]unconfined|label[:=]disable/.test(each)),
      '5.1',
      'AppArmor or SELinux is off',
    )
    check(service.privileged !== true, '5.4', 'is privileged')
    const user = /^(\d+):(\d+)$/.exec(service.user ?? '')
    check(user !== null && Number(user[1]) > 0 && Number(user[2]) > 0, '5.23', 'may run as root')
    check(service.cgroup !== 'host' && service.cgroup_parent === undefined, '5.24', 'leaves its control group')
    check(
      options.some((each) => /^no-new-privileges(?::true)?$/.test(each)),
      '5.25',
      'may gain privileges',
    )
    check(service.healthcheck?.test !== undefined && !service.healthcheck.disable, '5.26', 'is not checked')
    check(
      service.build !== undefined || /@sha256:[0-9a-f]{64}\}?$/.test(service.image ?? ''),
      '5.27',
      'the image is not pinned by digest',
    )
    const joined = Array.isArray(service.networks) ? service.networks : Object.keys(service.networks ?? {})
    check(joined.length > 0 && !joined.includes('default'), '5.29', 'is on a default network')
    for (const each of joined) {
      const network = composition.networks?.[each]
      check(
        network?.driver === 'bridge' && !network.external && network.name !== 'bridge',
        '5.29',
        `network ${each} is not its own bridge`,
      )
      if (service.ports === undefined) check(network?.internal === true, '5.8', `network ${each} leads outside`)
    }

    const environment = service.environment ?? {}
    const names = Array.isArray(environment) ? environment.map((each) => each.split('=')[0]!) : Object.keys(environment)
    for (const each of names) check(!SECRET_NAME.test(each), '4.10', `${each} is a secret in the environment`)
    for (const each of service.secrets ?? []) {
      const secret = typeof each === 'string' ? each : each.source
      check(composition.secrets?.[secret] !== undefined, '4.10', `secret ${secret} is not declared`)
    }
    const bounded = service.logging?.options
    check(bounded?.['max-size'] !== undefined && bounded['max-file'] !== undefined, '5.28', 'logs are unbounded')
  }
  return findings
}
