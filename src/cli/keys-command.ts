/** `portcullis keys ...`: makes, rotates, lists and retires keys, each recorded. It prints fingerprints and no key. */
import type { Configuration } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import { fingerprintOf, type RingKey } from '../keys/key-ring.ts'
import { initKeyRing, retireKey, rotateKeyRing } from '../keys/ring-changes.ts'
import { loadKeyRing } from '../keys/ring-file.ts'
import { withAudit } from './audited-command.ts'

export type KeysAction = 'init' | 'rotate' | 'list' | 'retire'

/** The text for standard output. Throws ConfigurationError. */
export function runKeys(action: KeysAction, config: Configuration, id: string | null): Promise<string> {
  const path = config.keys?.ring
  if (path === undefined) {
    throw new ConfigurationError(['the configuration has no key ring; write "keys": { "ring": "config/keys.json" }'])
  }
  return withAudit(config, async (audit) => {
    const event = { event: EVENTS[action], object: path }
    const reason = id === null ? action : `${action} ${id}`
    // Before the deed: what cannot be recorded is not done.
    audit.record({ ...event, outcome: 'success', reason: `${reason}: begun` })
    await audit.written()
    try {
      const text = act(action, path, id)
      audit.record({ ...event, outcome: 'success', reason: `${reason}: done` })
      return text
    } catch (error) {
      audit.record({ ...event, outcome: 'failure', reason: `${reason}: not done` })
      throw error
    }
  })
}

const EVENTS: Readonly<Record<KeysAction, string>> = {
  init: 'sensitive_create',
  rotate: 'sensitive_update',
  list: 'sensitive_read',
  retire: 'sensitive_delete',
}

function act(action: KeysAction, path: string, id: string | null): string {
  switch (action) {
    case 'init':
      return `made ${path}\n${line(initKeyRing(path), 'primary')}\nNote the fingerprint apart from this machine, and back the file up: see docs/keys.md\n`
    case 'rotate':
      return `${line(rotateKeyRing(path), 'primary')}\nThe keys before it go on opening; \`portcullis transcripts seal\` seals stored transcripts anew\n`
    case 'retire':
      retireKey(path, id!)
      return `${id} is gone\n`
    case 'list': {
      const { keys, primary } = loadKeyRing(path)
      return `${keys.map((key) => line(key, key === primary ? 'primary' : 'opens only')).join('\n')}\n`
    }
  }
}

function line({ id, created, key }: RingKey, state: string): string {
  const fingerprint = fingerprintOf(key)
    .toString('hex')
    .replace(/.{4}(?=.)/g, '$& ')
  return `${id}  ${state.padEnd(10)}  ${created.slice(0, 10)}  ${fingerprint}`
}
