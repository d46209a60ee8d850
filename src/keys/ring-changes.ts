/**
 * Makes a ring, gives it a new primary, takes an old key away: each written as a whole, by one writer at a time. What a
 * crashed writer left behind is removed first.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { FileLock } from '../config/file-lock.ts'
import { reasonOf } from '../config/file-reader.ts'
import { removeLeftovers, replacePrivateFile } from '../config/file-writer.ts'
import { ConfigurationError } from '../errors.ts'
import { idOf, type KeyRing, type RingKey } from './key-ring.ts'
import { KEY_BYTES, weaknessOf } from './key-strength.ts'
import { loadKeyRing, MAX_KEYS, ringText } from './ring-file.ts'

/** A new ring with one key. Throws ConfigurationError where a file stands there already. */
export function initKeyRing(path: string): RingKey {
  return alone(path, () => {
    if (existsSync(path)) throw new ConfigurationError([`${path}: is there already; it is never replaced`])
    const key = makeKey([])
    replacePrivateFile(path, ringText([key], key), { erasesOld: false })
    return key
  })
}

/** A new primary; the keys before it go on opening. */
export function rotateKeyRing(path: string): RingKey {
  return alone(path, () => {
    const ring = loadKeyRing(path)
    if (ring.keys.length >= MAX_KEYS) {
      throw new ConfigurationError([`${path}: has ${MAX_KEYS} keys; retire old ones first`])
    }
    const key = makeKey(ring.keys)
    replacePrivateFile(path, ringText([key, ...ring.keys], key), { erasesOld: false })
    return key
  })
}

/** Takes a key away for good: what it sealed opens no more. Throws ConfigurationError for the primary and for unknown ids. */
export function retireKey(path: string, id: string): void {
  alone(path, () => {
    const ring = loadKeyRing(path)
    if (ring.primary.id === id) throw new ConfigurationError([`${path}: ${id} is the primary; rotate first`])
    const kept = ring.keys.filter((each) => each.id !== id)
    if (kept.length === ring.keys.length) throw new ConfigurationError([`${path}: no key ${id}; ${known(ring)}`])
    replacePrivateFile(path, ringText(kept, ring.primary), { erasesOld: true })
  })
}

function known(ring: KeyRing): string {
  return `it has ${ring.keys.map(({ id }) => id).join(', ')}`
}

function alone<T>(path: string, work: () => T): T {
  let lock: FileLock | null = null
  try {
    lock = FileLock.take(`${path}.lock`)
    if (lock === null) throw new ConfigurationError([`${path}: is being changed by another command; try again`])
    removeLeftovers(path)
    return work()
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw new ConfigurationError([`${path}: ${reasonOf(error).replace('read', 'written')}`])
  } finally {
    lock?.release()
  }
}

/** One random key in a thousand has five equal hex digits in a row: the next one is taken. */
function makeKey(others: readonly RingKey[]): RingKey {
  for (;;) {
    const key = randomBytes(KEY_BYTES)
    const id = idOf(key)
    if (weaknessOf(key) === null && !others.some((each) => each.id === id)) {
      return { id, created: new Date().toISOString(), key }
    }
  }
}
