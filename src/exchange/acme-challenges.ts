/** What listeners see of ACME: answers to the challenges that wait for an authority's visit. It knows no order. */

/** Certificate and key for one handshake, PEM. */
export interface ChallengePair {
  readonly cert: string
  readonly key: string
}

export interface AcmeChallenges {
  /** Whether any handshake could be a challenge now. */
  readonly hasPairs: boolean
  /** For tls-alpn-01 (RFC 8737), by server name in lower case; null where none waits. */
  pairFor(serverName: string): ChallengePair | null
  /** For http-01 (RFC 8555, 8.3): the key authorisation of a token; null where none waits. */
  answerFor(token: string): string | null
}
