/** The key of an account with an authority, and what is signed by it (JWS, RFC 7515; RFC 8555, 6.2). It knows no server. */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto'
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { readBounded } from '../config/file-reader.ts'
import { replacePrivateFile } from '../config/file-writer.ts'

interface Jwk {
  readonly crv: string
  readonly kty: string
  readonly x: string
  readonly y: string
}

/** As it goes to the server. */
export interface Jws {
  readonly protected: string
  readonly payload: string
  readonly signature: string
}

/** An account elsewhere to which this one is bound (RFC 8555, 7.3.4). */
export interface ExternalAccount {
  readonly keyId: string
  /** base64url. Never printed. */
  readonly key: string
}

const MAX_KEY_BYTES = 16_384

export class AccountKey {
  readonly jwk: Jwk
  /** RFC 7638. */
  readonly thumbprint: string
  readonly #key: KeyObject

  /** PEM of an EC key on P-256. */
  constructor(pem: string | Buffer) {
    this.#key = createPrivateKey(pem)
    const { crv, kty, x, y } = createPublicKey(this.#key).export({ format: 'jwk' })
    if (crv !== 'P-256') throw new TypeError('is no ECDSA key on P-256')
    // Members in the order of their names, as RFC 7638 wants it.
    this.jwk = { crv, kty: kty!, x: x!, y: y! }
    this.thumbprint = createHash('sha256').update(JSON.stringify(this.jwk)).digest('base64url')
  }

  /** `head` goes into the protected header; `payload` null is the empty one of POST-as-GET. */
  sign(head: Readonly<Record<string, unknown>>, payload: unknown): Jws {
    const protectedHead = encode({ alg: 'ES256', ...head })
    const body = payload === null ? '' : encode(payload)
    const input = Buffer.from(`${protectedHead}.${body}`)
    const signature = sign('sha256', input, { key: this.#key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
    return { protected: protectedHead, payload: body, signature }
  }

  bindTo(account: ExternalAccount, url: string): Jws {
    const protectedHead = encode({ alg: 'HS256', kid: account.keyId, url })
    const payload = encode(this.jwk)
    const mac = createHmac('sha256', Buffer.from(account.key, 'base64url'))
    return {
      protected: protectedHead,
      payload,
      signature: mac.update(`${protectedHead}.${payload}`).digest('base64url'),
    }
  }
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The key in this file, made where there is none. Throws an Error that names the file. */
export function accountKeyIn(file: string): AccountKey {
  if (!isThere(file)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    replacePrivateFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), { erasesOld: false })
  }
  const pem = readBounded(file, { maxBytes: MAX_KEY_BYTES, isSecret: true })
  if (typeof pem === 'string') throw new Error(`the account key ${file} ${pem}`)
  try {
    return new AccountKey(pem)
  } catch {
    throw new Error(`the account key ${file} is damaged; move it away, and a new account is made`)
  }
}

function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined
}
