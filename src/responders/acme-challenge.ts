/** Answers an authority's http-01 visit (RFC 8555, 8.3): the key authorisation of a token that waits, else 404. It knows no order. */
import type { AcmeChallenges } from '../exchange/acme-challenges.ts'
import type { Responder } from '../exchange/contracts.ts'

export const CHALLENGE_FOLDER = '/.well-known/acme-challenge/'

export function makeChallengeResponder(challenges: AcmeChallenges): Responder {
  return (x) => {
    const answer = challenges.answerFor(x.path.slice(CHALLENGE_FOLDER.length))
    if (answer === null) return x.refuse('not-found')
    x.respond(200, ['content-type', 'application/octet-stream', 'cache-control', 'no-store'], Buffer.from(answer))
  }
}
