/** The challenges that wait for an authority's visit, those of other nodes among them. It knows no order and no socket. */
import { createHash } from 'node:crypto'
import type { AcmeChallenges, ChallengePair } from '../exchange/acme-challenges.ts'
import { acmeIdentifier, serverExtensions } from '../pki/extensions.ts'
import { makeOwnCertificate } from '../pki/own-certificate.ts'

export interface Challenge {
  readonly type: 'http-01' | 'tls-alpn-01'
  readonly name: string
  readonly token: string
  readonly keyAuthorization: string
}

/** Tokens have 128 bits at least (RFC 8555, 8.1); what is longer than any known one is none. */
export const TOKEN = /^[A-Za-z0-9_-]{16,256}$/

const MOST_CHALLENGES = 1000

export class ChallengeTable implements AcmeChallenges {
  /** By what set them: a certificate's id. */
  readonly #sets = new Map<string, readonly Challenge[]>()
  #answers = new Map<string, string>()
  #byName = new Map<string, Challenge>()
  /** Made when first asked for. */
  #pairs = new Map<string, ChallengePair>()

  get hasPairs(): boolean {
    return this.#byName.size > 0
  }

  pairFor(serverName: string): ChallengePair | null {
    const challenge = this.#byName.get(serverName)
    if (challenge === undefined) return null
    let pair = this.#pairs.get(challenge.name)
    if (pair === undefined) {
      pair = makePair(challenge)
      this.#pairs.set(challenge.name, pair)
    }
    return pair
  }

  answerFor(token: string): string | null {
    return this.#answers.get(token) ?? null
  }

  /** The challenges of one certificate, in place of those before; none takes them away. */
  set(id: string, challenges: readonly Challenge[]): void {
    if (challenges.length === 0 && !this.#sets.has(id)) return
    if (challenges.length === 0) this.#sets.delete(id)
    else this.#sets.set(id, challenges)
    const all = [...this.#sets.values()].flat().slice(0, MOST_CHALLENGES)
    const byToken = all.filter(({ type }) => type === 'http-01')
    this.#answers = new Map(byToken.map(({ token, keyAuthorization }) => [token, keyAuthorization]))
    const byName = all.filter(({ type }) => type === 'tls-alpn-01')
    this.#byName = new Map(byName.map((challenge) => [challenge.name, challenge]))
    this.#pairs = new Map()
  }
}

function makePair({ name, keyAuthorization }: Challenge): ChallengePair {
  const digest = createHash('sha256').update(keyAuthorization).digest()
  const { cert, key } = makeOwnCertificate({
    organisation: 'portcullis challenge',
    commonName: name,
    days: 2,
    extensions: [...serverExtensions([name]), acmeIdentifier(digest)],
  })
  return { cert, key }
}
