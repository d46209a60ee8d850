/** Builds the one route of the transcripts listener: limits, sign-in, then a folder or a service, every read audited. */
import { loadAccounts } from '../access/accounts.ts'
import { makeLockout } from '../access/lockout.ts'
import { makeSignIn } from '../access/sign-in.ts'
import { Verifier } from '../access/verifier.ts'
import type { HeadersConfig, SignInConfig, TranscriptsListenerConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { AuditLog, Responder, RouteTimeouts, Stage } from '../exchange/contracts.ts'
import type { RoutePlace } from '../exchange/router.ts'
import type { NameTokens, SealedOpener } from '../exchange/sealed.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { SealedContent } from '../keys/sealed-stream.ts'
import { looksLikeToken, problemOfValue } from '../keys/url-token.ts'
import { makeUserBan } from '../limits/ban-check.ts'
import type { Log } from '../observe/log.ts'
import { answerBy, routeStages } from '../pipeline.ts'
import { makeTranscripts, realFolder } from '../responders/transcripts.ts'
import { purgeTranscripts } from '../responders/transcripts-purge.ts'
import { makeForward } from '../upstream/forward.ts'
import type { Service } from '../upstream/service.ts'
import { type Keys, neededKeys } from './keys.ts'
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
  keys: Keys | null,
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
    end: lastStage(config, standing, services, keys),
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
  keys: Keys | null,
): Stage {
  const { source } = config
  const { audit } = standing.log
  if ('folder' in source) {
    return answerBy(folderResponder(source, config.auth === 'none', audit, keys))
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

type FolderConfig = Extract<TranscriptsListenerConfig['source'], { readonly folder: string }>

function folderResponder(source: FolderConfig, allowAnonymous: boolean, audit: AuditLog, keys: Keys | null): Responder {
  const { folder, sealedNames } = source
  const atRest = source.atRest ?? (keys === null ? 'plain' : 'sealed')
  const opener = atRest === 'plain' ? null : openerOf(neededKeys(keys).ring)
  return makeTranscripts({
    folder,
    audit,
    allowAnonymous,
    atRest: { opener, servesPlain: atRest !== 'sealed' },
    nameTokens: sealedNames === undefined ? null : nameTokens(neededKeys(keys), sealedNames),
  })
}

function openerOf(ring: KeyRing): SealedOpener {
  return (name, storedBytes, readAt) => SealedContent.open(ring, name, storedBytes, readAt)
}

function nameTokens({ tokens, kinds }: Keys, kind: string): NameTokens {
  const lifeMs = kinds.get(kind)!
  return {
    looksLikeToken,
    seal: (name) => (problemOfValue(name) === null ? tokens.seal(kind, name, lifeMs) : null),
    open: (token) => tokens.open(kind, token),
  }
}

const DAY_MS = 86_400_000

/** Takes away what is over its time; null where nothing ever is. Rejects never. */
export function transcriptsPurge(config: TranscriptsListenerConfig, log: Log): (() => Promise<void>) | null {
  const { source } = config
  if (!('folder' in source) || source.keepDays === undefined) return null
  const keepMs = source.keepDays * DAY_MS
  return async () => {
    try {
      const outcome = await purgeTranscripts({
        folder: realFolder(source.folder),
        keepMs,
        now: Date.now(),
        isDryRun: false,
        record: (event) => log.audit.record({ ...event, user: '-', address: '-', requestId: '-' }),
        written: async () => {
          await log.flush()
          return log.audit.isUp
        },
      })
      const { removed, failed, leftovers, isDone } = outcome
      if (!isDone)
        log.gateway.info('Transcripts not purged now: the folder is being changed, or lines cannot be written')
      else log.gateway.info('Purged transcripts', { removed: removed.length, failed: failed.length, leftovers })
    } catch (error) {
      log.gateway.error('Transcripts could not be purged', { error })
    }
  }
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
