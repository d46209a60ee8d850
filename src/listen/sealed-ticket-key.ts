/**
 * A key of session tickets as it travels between nodes: AES-256-GCM under a key made of their common secret, bound to its name,
 * its place and its period, so that it opens there and then only. It knows no store and no clock.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/** Name, HMAC key and AES key, 16 bytes each, as Node wants them. */
export const TICKET_KEY_BYTES = 48
const NAME_BYTES = 16
const NONCE_BYTES = 12
const TAG_BYTES = 16
const LONGEST = 1024

/**
 * Why a value is not used: it is no sealed key at all, was sealed for another place (another prefix, listener or length of
 * periods), with another secret, for another period; or it says the right things and they are not true.
 */
export type TicketKeyRefusal = 'malformed' | 'other-place' | 'other-secret' | 'other-period' | 'tampered'

/** What stands beside the sealed bytes, and is authenticated with them. */
interface Label {
  readonly place: string
  readonly period: number
  /** The name that tickets carry in the clear, hex. */
  readonly name: string
  /** Tells secrets apart; the secret does not follow from it. */
  readonly secret: string
}

export class TicketKeySeal {
  readonly #place: string
  readonly #key: Buffer
  readonly #secretId: string

  /** `place`: all that nodes must have in common besides the secret. */
  constructor(secret: string, place: string) {
    this.#place = place
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'portcullis ticket key sealing 2', 32))
    this.#secretId = Buffer.from(hkdfSync('sha256', secret, '', 'portcullis ticket secret id 2', 8)).toString('hex')
  }

  /** Does it open what the other one seals? */
  isSame(other: TicketKeySeal): boolean {
    return this.#place === other.#place && this.#secretId === other.#secretId
  }

  seal(key: Buffer, period: number): string {
    const label = { place: this.#place, period, name: nameOf(key), secret: this.#secretId }
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(bound(label))
    const sealed = Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()])
    return JSON.stringify({ ...label, sealed: sealed.toString('base64') })
  }

  /** The key, for its caller to wipe; or why it is none for this place and period. */
  open(text: string, period: number): Buffer | TicketKeyRefusal {
    const found = parse(text)
    if (found === null) return 'malformed'
    const { label, sealed } = found
    if (label.place !== this.#place) return 'other-place'
    if (label.secret !== this.#secretId) return 'other-secret'
    if (label.period !== period) return 'other-period'
    const end = sealed.length - TAG_BYTES
    const cipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    })
    cipher.setAAD(bound(label)).setAuthTag(sealed.subarray(end))
    const key = cipher.update(sealed.subarray(NONCE_BYTES, end))
    try {
      cipher.final()
    } catch {
      key.fill(0)
      return 'tampered'
    }
    if (nameOf(key) === label.name) return key
    key.fill(0)
    return 'tampered'
  }

  wipe(): void {
    this.#key.fill(0)
  }
}

const nameOf = (key: Buffer): string => key.toString('hex', 0, NAME_BYTES)

const bound = ({ place, period, name, secret }: Label): Buffer =>
  Buffer.from(JSON.stringify(['portcullis ticket key 2', place, period, name, secret]))

function parse(text: string): { readonly label: Label; readonly sealed: Buffer } | null {
  if (text.length > LONGEST) return null
  let value: Partial<Record<string, unknown>> | null
  try {
    value = JSON.parse(text) as Partial<Record<string, unknown>> | null
  } catch {
    return null
  }
  const { place, period, name, secret, sealed } = value ?? {}
  if (typeof place !== 'string' || typeof name !== 'string' || typeof secret !== 'string') return null
  if (!Number.isSafeInteger(period) || typeof sealed !== 'string') return null
  const bytes = Buffer.from(sealed, 'base64')
  if (bytes.length !== NONCE_BYTES + TICKET_KEY_BYTES + TAG_BYTES) return null
  return { label: { place, period: period as number, name, secret }, sealed: bytes }
}
