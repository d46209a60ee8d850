/** `portcullis url ...`: makes a token, or says what one holds; recorded, the value itself never. */
import type { Configuration } from '../config/shape.ts'
import { suggestion } from '../config/suggestion.ts'
import { ConfigurationError } from '../errors.ts'
import { loadKeyRing } from '../keys/ring-file.ts'
import { problemOfValue, UrlTokens } from '../keys/url-token.ts'
import { withAudit } from './audited-command.ts'

export interface UrlOutcome {
  readonly out: string
  /** For standard error; '' where all is well. */
  readonly problem: string
}

/** `value` is what is to be sealed, or the token that is to be opened. Throws ConfigurationError. */
export function runUrl(
  action: 'seal' | 'open',
  config: Configuration,
  kind: string,
  value: string,
): Promise<UrlOutcome> {
  const kinds = Object.keys(config.sealed)
  const { keys } = config
  if (keys === undefined) {
    throw new ConfigurationError(['the configuration has no key ring; write "keys": { "ring": "config/keys.json" }'])
  }
  if (!kinds.includes(kind)) {
    throw new ConfigurationError([`no sealed kind named ${JSON.stringify(kind)}${suggestion(kind, kinds, '')}`])
  }
  return withAudit(config, async (audit) => {
    const tokens = new UrlTokens(loadKeyRing(keys.ring))
    const isSeal = action === 'seal'
    const event = { event: isSeal ? 'sensitive_create' : 'sensitive_read', object: `url token of kind ${kind}` }
    const outcome = isSeal ? seal(tokens, kind, value, config.sealed[kind]!.expires) : open(tokens, kind, value)
    audit.record({ ...event, outcome: outcome.out === '' ? 'failure' : 'success', reason: outcome.problem })
    await audit.written()
    return outcome
  })
}

function seal(tokens: UrlTokens, kind: string, value: string, lifeMs: number): UrlOutcome {
  const problem = problemOfValue(value)
  if (problem !== null) return { out: '', problem: `the value ${problem}` }
  return { out: `${tokens.seal(kind, value, lifeMs)}\n`, problem: '' }
}

/** An expired token is told to be so, and its value too: it is for those who read logs. */
function open(tokens: UrlTokens, kind: string, token: string): UrlOutcome {
  const reading = tokens.open(kind, token)
  if (reading.kind === 'invalid') return { out: '', problem: `no token of kind ${kind} under the keys of this ring` }
  const problem = reading.kind === 'expired' ? `expired ${new Date(reading.expiresAt).toISOString()}` : ''
  return { out: `${reading.value}\n`, problem }
}
