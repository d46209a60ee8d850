/** Builds what stands at the door of the transcripts where a provider knows who somebody is: tokens, and pages for people. */
import { readFileSync } from 'node:fs'
import { ProviderClient } from '../access/provider-client.ts'
import { OidcDesk } from '../access/provider-desk.ts'
import { ProviderSessions } from '../access/provider-sessions.ts'
import { readSecret } from '../config/secrets.ts'
import type { Configuration, TranscriptsListenerConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { Responder } from '../exchange/contracts.ts'
import { makeProviderPages, offerProvider } from '../responders/provider-pages.ts'
import type { Door } from './access.ts'
import { bearerStage, idTokenIssuer, type OpenIssuer } from './issuers.ts'
import type { Standing } from './standing.ts'

const PLACE = 'transcripts'
/** Shorter keys could be guessed, and with them whole sessions. */
const LEAST_KEY = 32
const CALLBACK = '/.account/callback'

type OidcConfig = NonNullable<TranscriptsListenerConfig['oidc']>

/** Throws a ConfigurationError where keys are not usable. */
export function makeProviderDoor(
  listener: TranscriptsListenerConfig,
  oidc: OidcConfig,
  config: Configuration,
  issuers: ReadonlyMap<string, OpenIssuer>,
  standing: Standing,
): Door {
  const desk = oidc.client === undefined ? null : makeDesk(listener, oidc, oidc.client, config, issuers, standing)
  const route = {
    oidc: oidc.issuer,
    roles: [],
    scopes: [],
    alsoIn: undefined,
    forwardToken: false,
    forwardIdentity: true,
  }
  const signIn = bearerStage(route, issuers, standing, desk === null ? null : desk.admit)
  return { signIn, pages: desk === null ? nowhere : makeProviderPages(desk) }
}

const nowhere: Responder = (x) => x.refuse('not-found')

function makeDesk(
  listener: TranscriptsListenerConfig,
  oidc: OidcConfig,
  client: NonNullable<OidcConfig['client']>,
  config: Configuration,
  issuers: ReadonlyMap<string, OpenIssuer>,
  standing: Standing,
): OidcDesk {
  const { issuer, ca } = config.issuers[oidc.issuer]!
  const secret = Buffer.from(readSecret(client.sessionKey, standing.env))
  if (secret.length < LEAST_KEY) {
    const sentence = `is shorter than ${LEAST_KEY} characters`
    throw new ConfigurationError([`listeners.transcripts.oidc.client.sessionKey: ${sentence}`])
  }
  const { lifetime, idle } = client.session
  return new OidcDesk({
    client: new ProviderClient({
      issuer,
      clientId: client.id,
      secret: client.secret === undefined ? null : readSecret(client.secret, standing.env),
      redirect: client.redirect,
      scopes: client.scopes,
      ca: ca === undefined ? null : readFileSync(ca, 'utf8'),
    }),
    issuer: idTokenIssuer(oidc.issuer, client.id, config, issuers),
    sessions: new ProviderSessions({ store: standing.store, secret, lifetimeMs: lifetime, idleMs: idle }),
    roles: new Set(Object.keys(listener.roles ?? {})),
    audit: standing.log.audit,
    metrics: standing.metrics,
    place: PLACE,
    signedOut: client.redirect.replace(CALLBACK, '/.account/signed-out'),
    offerForm: offerProvider,
  })
}
