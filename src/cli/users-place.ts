/** Where the accounts of a command are, by which rules, and how it is recorded. It changes no account. */
import { PASSWORD_PRESETS, type PasswordRules, passwordRules } from '../access/password-rules.ts'
import { DEFAULT_COST, type HashCost } from '../access/scheme.ts'
import type { Configuration } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import { configurationOf, withAudit } from './audited-command.ts'

export interface UsersPlace {
  readonly path: string
  readonly rules: PasswordRules
  readonly cost: HashCost
  /** Runs the work, and writes into the audit log of the configuration how it ended. */
  recorded<T>(deed: { event: string; action: string; name: string }, work: () => Promise<T>): Promise<T>
}

/** One of them is given. Throws ConfigurationError. */
export function usersPlace(configPath: string | null, file: string | null): UsersPlace {
  const configuration = configPath === null ? null : configurationOf(configPath)
  const signIn = configuration?.listeners.transcripts?.signIn
  const path = file ?? signIn?.accounts
  if (path === undefined) {
    throw new ConfigurationError([`${configPath}: names no accounts file; write "signIn", or use --file`])
  }
  return {
    path,
    rules: signIn === undefined ? PASSWORD_PRESETS['pci-4'] : passwordRules(signIn.passwords),
    cost: signIn?.hashing ?? DEFAULT_COST,
    recorded: (deed, work) => recorded(configuration, path, deed, work),
  }
}

async function recorded<T>(
  configuration: Configuration | null,
  object: string,
  { event, action, name }: { event: string; action: string; name: string },
  work: () => Promise<T>,
): Promise<T> {
  // Without a configuration there is no audit log.
  if (configuration === null) return work()
  return withAudit(configuration, async (audit) => {
    const line = { event, object, reason: name === '' ? `users ${action}` : `users ${action} ${name}` }
    try {
      const result = await work()
      audit.record({ ...line, outcome: 'success' })
      return result
    } catch (error) {
      audit.record({ ...line, outcome: 'failure' })
      throw error
    }
  })
}
