/** Commands that touch keys or transcripts: the configuration they work for, and the audit lines they leave. */
import { userInfo } from 'node:os'
import { loadConfiguration } from '../config/load.ts'
import type { Configuration } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { AuditEvent } from '../exchange/contracts.ts'
import { type Log, makeLog } from '../observe/log.ts'

const STANDARD_ERROR = 2

export interface CommandAudit {
  record(event: Pick<AuditEvent, 'event' | 'outcome' | 'object' | 'reason'>): void
  /** Waits until what was recorded is written; throws where it is not. */
  written(): Promise<void>
}

/** Files are not checked: what a command makes may be among them. */
export function configurationOf(path: string): Configuration {
  return loadConfiguration(path, { env: process.env, checkFiles: false }).configuration
}

/**
 * Runs a command that is recorded, whether it succeeds or not. Where the audit log is standard output, its lines go to
 * standard error: standard output is for what the command gives.
 */
export async function withAudit<T>(config: Configuration, work: (audit: CommandAudit) => Promise<T>): Promise<T> {
  const log = makeLog({ ...config.log, access: 'off' }, { auditTarget: STANDARD_ERROR })
  const user = commandUser()
  try {
    return await work({
      record: (event) => log.audit.record({ ...event, user, address: '-', requestId: '-' }),
      written: () => written(log),
    })
  } finally {
    await log.close()
  }
}

async function written(log: Log): Promise<void> {
  await log.flush()
  if (!log.audit.isUp) throw new ConfigurationError(['log.audit: cannot be written; nothing is done unrecorded'])
}

/** Who runs the command, as the system says; behind sudo both. */
function commandUser(): string {
  let name: string
  try {
    name = userInfo().username
  } catch {
    name = `uid ${process.getuid?.() ?? '?'}`
  }
  const before = process.env.SUDO_USER
  return before === undefined ? `os:${name}` : `os:${name} (sudo by ${before})`
}
