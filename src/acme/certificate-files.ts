/**
 * The files of one certificate: the pair as certbot has it, the account keys, and what is remembered of failures. It knows no
 * authority.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readBounded } from '../config/file-reader.ts'
import { replacePrivateFile } from '../config/file-writer.ts'
import type { Issued } from './order.ts'

const MAX_BYTES = 262_144

/** Failures in a row, and when the next try may be. Epoch milliseconds. */
export interface Pause {
  readonly failures: number
  readonly until: number
}

export class CertificateFiles {
  readonly cert: string
  readonly key: string
  readonly #folder: string
  readonly #place: string

  /** `name`: of the folder in `folder`. Makes nothing yet. */
  constructor(folder: string, name: string) {
    this.#folder = folder
    this.#place = join(folder, name)
    this.cert = join(this.#place, 'fullchain.pem')
    this.key = join(this.#place, 'privkey.pem')
  }

  accountKey(directory: string): string {
    return join(this.#folder, 'accounts', `${new URL(directory).host.replaceAll(/[^A-Za-z0-9.-]/g, '_')}.key`)
  }

  /** The certificate on disk with a key that belongs to it; null where there is none. */
  read(): X509Certificate | null {
    const cert = readBounded(this.cert, { maxBytes: MAX_BYTES, isSecret: false })
    const key = readBounded(this.key, { maxBytes: MAX_BYTES, isSecret: true })
    if (typeof cert === 'string' || typeof key === 'string') return null
    return leafOf({ chain: cert.toString('latin1'), key: key.toString('latin1') })
  }

  /** The key first: a crash in between leaves a pair that does not fit, and another one is ordered. Throws the system's error. */
  write({ chain, key }: Issued): void {
    mkdirSync(this.#place, { recursive: true, mode: 0o700 })
    replacePrivateFile(this.key, key, { erasesOld: true })
    replacePrivateFile(this.cert, chain, { erasesOld: false })
  }

  readPause(): Pause | null {
    const text = readBounded(this.#pauseFile, { maxBytes: 1000, isSecret: true })
    return typeof text === 'string' ? null : pauseOf(text.toString('utf8'))
  }

  /** Null forgets it. Throws the system's error. */
  writePause(pause: Pause | null): void {
    if (pause === null) return rmSync(this.#pauseFile, { force: true })
    mkdirSync(this.#place, { recursive: true, mode: 0o700 })
    replacePrivateFile(this.#pauseFile, JSON.stringify(pause), { erasesOld: false })
  }

  get #pauseFile(): string {
    return join(this.#place, 'pause.json')
  }
}

/** Null for what is no pause. */
export function pauseOf(text: string): Pause | null {
  try {
    const { failures, until } = JSON.parse(text) as Partial<Record<string, unknown>>
    return Number.isSafeInteger(failures) && Number.isSafeInteger(until) ? ({ failures, until } as Pause) : null
  } catch {
    return null
  }
}

/** Null where the chain is unreadable, or the key another one's. */
export function leafOf({ chain, key }: Issued): X509Certificate | null {
  try {
    const leaf = new X509Certificate(chain)
    return leaf.checkPrivateKey(createPrivateKey(key)) ? leaf : null
  } catch {
    return null
  }
}
