/**
 * Makes the self-signed certificate for localhost that a first start uses, and says where it may be used. It knows no
 * configuration beyond that.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isLoopback } from '../config/addresses.ts'
import type { TlsConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import { serverExtensions } from '../pki/extensions.ts'
import { makeOwnCertificate } from '../pki/own-certificate.ts'

export interface SelfSignedPair {
  readonly cert: string
  readonly key: string
  readonly expiresAt: Date
  /** True when this call made the pair: worth a line at start. */
  readonly made: boolean
}

const DAY_MS = 86_400_000
/** Under the 398 days that browsers accept at most, minus the hour before now. */
const LIFE_DAYS = 396
const RENEW_DAYS = 7
/** Marks what may be replaced: a certificate of somebody else's under this file name is never touched. */
const ORGANISATION = 'portcullis self-signed'

/**
 * The pair `localhost.pem` and `localhost.key` in `folder`: kept where it is sound, made where it is missing, made anew in
 * its last 7 days. Throws a ConfigurationError where the folder cannot be written, or where the files are not this
 * function's own and unusable.
 */
export function ensureSelfSigned(folder = 'certs'): SelfSignedPair {
  const cert = join(folder, 'localhost.pem')
  const key = join(folder, 'localhost.key')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const present = readPair(cert, key)
    if (present !== null) return { cert, key, expiresAt: present, made: false }
    const lock = join(folder, '.localhost.lock')
    takeLock(lock)
    try {
      // Another process may have made it while this one waited.
      const meanwhile = readPair(cert, key)
      if (meanwhile !== null) return { cert, key, expiresAt: meanwhile, made: false }
      return { cert, key, expiresAt: makePair(cert, key), made: true }
    } finally {
      rmdirSync(lock)
    }
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw new ConfigurationError([
      `${folder}: the self-signed certificate cannot be made (${(error as Error).message}); name certificates in tls.certificates, or let the gateway write there`,
    ])
  }
}

/** When the pair ends; null where it is to be made. */
function readPair(certFile: string, keyFile: string): Date | null {
  const certText = readIfThere(certFile)
  const keyText = readIfThere(keyFile)
  if (certText === null && keyText === null) return null
  if (certText === null) {
    throw new ConfigurationError([
      `${keyFile} stands there without ${certFile}; move it away, or put its certificate beside it`,
    ])
  }
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(certText)
  } catch {
    throw new ConfigurationError([`${certFile} is damaged; delete it and ${keyFile}, and a new pair is made`])
  }
  // Somebody's own pair under these names: certificates.ts judges it, nothing replaces it.
  if (!certificate.subject.includes(`O=${ORGANISATION}`)) return certificate.validToDate
  if (certificate.validToDate.getTime() - Date.now() < RENEW_DAYS * DAY_MS) return null
  return keyText !== null && isKeyOf(certificate, keyText) && (statSync(keyFile).mode & 0o077) === 0
    ? certificate.validToDate
    : null
}

function isKeyOf(certificate: X509Certificate, pem: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(pem))
  } catch {
    return false
  }
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'latin1')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

function makePair(certFile: string, keyFile: string): Date {
  const { certificate, cert, key } = makeOwnCertificate({
    organisation: ORGANISATION,
    commonName: 'localhost',
    days: LIFE_DAYS,
    extensions: serverExtensions(['localhost', '127.0.0.1', '::1']),
  })
  // The certificate first: a crash in between leaves a pair that the next start knows as its own, and makes anew.
  replaceFile(certFile, cert)
  replaceFile(keyFile, key)
  return certificate.validToDate
}

function replaceFile(file: string, text: string): void {
  const draft = `${file}.${process.pid}.new`
  rmSync(draft, { force: true })
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx' })
  renameSync(draft, file)
}

const LOCK_STALE_MS = 10_000
const LOCK_POLL_MS = 50

/** One process makes the pair when several start at once. Start time only: it may block. */
function takeLock(lock: string): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  const deadline = Date.now() + 2 * LOCK_STALE_MS
  while (Date.now() < deadline) {
    try {
      mkdirSync(lock)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    try {
      if (Date.now() - statSync(lock).mtimeMs > LOCK_STALE_MS) rmdirSync(lock)
      else Atomics.wait(sleeper, 0, 0, LOCK_POLL_MS)
    } catch (error) {
      // Its holder was done first.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  throw new Error(`another process holds ${lock}; delete it if none runs`)
}

/** For an IP address: the self-signed certificate stays on loopback, unless `selfSigned: true` is written out for the listener. */
export function isSelfSignedAllowed(address: string, tls: Pick<TlsConfig, 'selfSigned'>): boolean {
  return tls.selfSigned || isLoopback(address)
}
