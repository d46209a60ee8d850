/** Builds the one route of the transcripts listener: limits, sign-in, then a folder or a service, every read audited. */
import { loadAccounts } from '../access/accounts.ts'
import { makeLockout } from '../access/lockout.ts'
import { makeSignIn } from '../access/sign-in.ts'
import { Verifier } from '../access/verifier.ts'
import type { HeadersConfig, SignInConfig, TranscriptsListenerConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { AuditLog, RouteTimeouts, Stage } from '../exchange/contracts.ts'
import type { RoutePlace } from '../exchange/router.ts'
import { makeUserBan } from '../limits/ban-check.ts'
import { answerBy, routeStages } from '../pipeline.ts'
import { makeTranscripts } from '../responders/transcripts.ts'
import { makeForward } from '../upstream/forward.ts'
import type { Service } from '../upstream/service.ts'
import type { AdmitStages } from './limits.ts'
import { ownRoute, plainHeaders } from './routes.ts'
import { capsOf, type Findings, type Standing } from './standing.ts'

/** What a service of transcripts may not loosen; the folder's own pages bring stricter policies. */
const SERVICE_POLICY =
  "default-src 'self'; form-action 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'none'; upgrade-insecure-requests"

/** Throws a ConfigurationError where accounts or folder are not usable. */
export function transcriptsPlace(
  config: TranscriptsListenerConfig,
  standing: Standing,
  services: ReadonlyMap<string, Service>,
  admit: AdmitStages,
  findings: Findings,
): RoutePlace {
  // The configuration was checked for this; without sign-in nothing is served, whatever checked it.
  if (config.auth === 'basic' && config.signIn === undefined) {
    throw new ConfigurationError(['listeners.transcripts.signIn: is missing; nobody could sign in'])
  }
  const { source } = config
  const serviceName = 'service' in source ? source.service : '-'
  const stages = routeStages({
    inFlight: capsOf(standing, 'transcripts in flight', config.connections.inFlightPerAddress),
    admit: admit.before,
    audited: standing.log.audit,
    signIn: config.auth === 'none' || config.signIn === undefined ? null : signIn(config.signIn, standing, findings),
    userBan: config.auth === 'none' ? null : makeUserBan(standing.bans, standing.metrics),
    admitUser: admit.after,
    socket: null,
    lastHop: null,
    inspect: null,
    end: lastStage(config, standing, services),
  })
  const headers: HeadersConfig = plainHeaders('transcript')
  const strict = serviceName === '-' ? headers : { ...headers, set: { 'content-security-policy': SERVICE_POLICY } }
  return ownRoute(
    'transcripts',
    ['GET', 'HEAD'],
    strict,
    true,
    stages,
    serviceName,
    timeoutsOf(services.get(serviceName)),
  )
}

/** Undefined for a folder, which has none. */
function timeoutsOf(service: Service | undefined): RouteTimeouts | undefined {
  if (service === undefined) return undefined
  const { firstByte, betweenBytes } = service.config.timeouts
  return { firstByteMs: firstByte, betweenBytesMs: betweenBytes, totalMs: 0 }
}

function lastStage(
  config: TranscriptsListenerConfig,
  standing: Standing,
  services: ReadonlyMap<string, Service>,
): Stage {
  const { source } = config
  const { audit } = standing.log
  if ('folder' in source) {
    return answerBy(makeTranscripts({ folder: source.folder, audit, allowAnonymous: config.auth === 'none' }))
  }
  const service = services.get(source.service)
  if (service === undefined) throw new ConfigurationError([`services.${source.service}: cannot be used`])
  return audited(makeForward(service, standing.metrics), audit)
}

function signIn(config: SignInConfig, standing: Standing, findings: Findings): Stage {
  const { store, log, metrics } = standing
  findings.files.push(config.accounts)
  return makeSignIn({
    accounts: loadAccounts(config.accounts),
    verifier: new Verifier({ maxConcurrent: config.maxConcurrent, maxWaiting: config.maxWaiting }),
    lockout: makeLockout({ store, lockAfter: config.lockAfter, lockForMs: config.lockFor }),
    audit: log.audit,
    metrics,
    realm: 'transcripts',
  })
}

/** Transcripts that a service serves are sensitive reads all the same. */
function audited(forward: Stage, audit: AuditLog): Stage {
  return (x) => {
    const release = x.onRelease
    x.onRelease = () => {
      release?.()
      audit.record({
        event: 'sensitive_read',
        outcome: x.status >= 200 && x.status < 400 ? 'success' : 'failure',
        user: x.user,
        address: x.clientAddress,
        requestId: x.id,
        object: x.path,
      })
    }
    return forward(x)
  }
}
