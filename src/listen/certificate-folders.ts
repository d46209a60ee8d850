/** Finds the pairs of certificate and key that an entry of the configuration stands for. It opens none of them. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TlsConfig } from '../config/shape.ts'
import { reason } from './file-reasons.ts'

type Entry = TlsConfig['certificates'][number]

/** One pair, wherever it was named. */
export type CertificatePair = Extract<Entry, { cert: string }>

const MOST_PAIRS = 20_000
const CERTIFICATE = /^(.+)\.(?:pem|crt|cer)$/

/**
 * The pairs of an entry: itself, or those of its folder in the order of their names. A certificate without a key beside it
 * is a mistake; other files and hidden ones are passed over.
 */
export function pairsOf(entry: Entry, report: (problem: string) => void): CertificatePair[] {
  if (!('folder' in entry)) return [entry]
  const { folder, passphrase } = entry
  let names: string[]
  try {
    names = readdirSync(folder).sort()
  } catch (error) {
    report(`the folder ${folder} cannot be read: ${reason(error)}`)
    return []
  }
  const there = new Set(names)
  const pairs: CertificatePair[] = []
  for (const name of names) {
    if (name.startsWith('.')) continue
    const place = join(folder, name)
    const stem = CERTIFICATE.exec(name)?.[1]
    if (stem !== undefined) {
      if (there.has(`${stem}.key`)) pairs.push({ cert: place, key: join(folder, `${stem}.key`), passphrase })
      else report(`${place} has no key beside it; put it there as ${stem}.key`)
    } else if (!name.includes('.key') && holdsPair(place)) {
      pairs.push({ cert: join(place, 'fullchain.pem'), key: join(place, 'privkey.pem'), passphrase })
    }
  }
  if (pairs.length > MOST_PAIRS) {
    report(`the folder ${folder} holds ${pairs.length} pairs; ${MOST_PAIRS} at most`)
    return []
  }
  if (pairs.length === 0) report(`the folder ${folder} holds no pair (NAME.pem beside NAME.key)`)
  return pairs
}

/** As certbot keeps them: one folder for each name. */
function holdsPair(folder: string): boolean {
  try {
    const names = readdirSync(folder)
    return names.includes('fullchain.pem') && names.includes('privkey.pem')
  } catch {
    return false
  }
}
