/** Builds the routes of the transcripts listener: limits, sign-in, then a folder or a service, every read audited. */
import { compilePermissions } from '../access/permissions.ts'
import { parseSealedPath } from '../config/sealed-path.ts'
import type { HeadersConfig, TranscriptsListenerConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { ReadPermissions } from '../exchange/access-contracts.ts'
import { type AuditLog, DONE, GO, type Responder, type RouteTimeouts, type Stage } from '../exchange/contracts.ts'
import type { RoutePlace } from '../exchange/router.ts'
import type { NameTokens, SealedOpener } from '../exchange/sealed.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { makeOpenSealed } from '../keys/open-sealed.ts'
import { SealedContent } from '../keys/sealed-stream.ts'
import { looksLikeToken, problemOfValue } from '../keys/url-token.ts'
import { makeUserBan } from '../limits/ban-check.ts'
import type { Log } from '../observe/log.ts'
import { answerBy, type RouteStages, routeStages } from '../pipeline.ts'
import { MOST_FORM_BYTES } from '../responders/account-pages.ts'
import { PAGE_STYLE } from '../responders/page.ts'
import { makeTranscripts, realFolder } from '../responders/transcripts.ts'
import { dateInName } from '../responders/transcripts-list.ts'
import { type PurgeRecord, purgeTranscripts } from '../responders/transcripts-purge.ts'
import { maskedAnswers } from '../responders/transcripts-service.ts'
import { makeForward } from '../upstream/forward.ts'
import type { Service } from '../upstream/service.ts'
import { type Door, makeDoor } from './access.ts'
import { type Keys, neededKeys } from './keys.ts'
import type { AdmitStages } from './limits.ts'
import { ownRoute, plainHeaders } from './routes.ts'
import { capsOf, type Standing } from './standing.ts'

/** What a service of transcripts may not loosen; the folder's own pages bring stricter policies. */
const SERVICE_POLICY = `default-src 'self'; style-src 'self' ${PAGE_STYLE}; form-action 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'none'; upgrade-insecure-requests`

/** Throws a ConfigurationError where accounts or folder are not usable. */
export function transcriptsPlaces(
  config: TranscriptsListenerConfig,
  standing: Standing,
  services: ReadonlyMap<string, Service>,
  admit: AdmitStages,
  keys: Keys | null,
  providerDoor: Door | null,
): RoutePlace[] {
  // The configuration was checked for this; without sign-in nothing is served, whatever checked it.
  if (config.auth === 'basic' && config.signIn === undefined && providerDoor === null) {
    throw new ConfigurationError(['listeners.transcripts.signIn: is missing; nobody could sign in'])
  }
  const door =
    providerDoor ?? (config.auth === 'none' || config.signIn === undefined ? null : makeDoor(config.signIn, standing))
  const { source } = config
  const serviceName = 'service' in source ? source.service : '-'
  const common = {
    inFlight: capsOf(standing, 'transcripts in flight', config.connections.inFlightPerAddress),
    admit: admit.before,
    audited: standing.log.audit,
    socket: null,
    lastHop: null,
    inspect: null,
  }
  const stages = routeStages({
    ...common,
    signIn: door?.signIn ?? null,
    userBan: door === null ? null : makeUserBan(standing.bans, standing.metrics),
    admitUser: admit.after,
    sealed: 'service' in source && source.sealed !== undefined ? sourceOpener(source.sealed, keys, standing) : null,
    end: lastStage(config, standing, services, keys),
  })
  const headers: HeadersConfig = plainHeaders('transcript')
  const strict = serviceName === '-' ? headers : { ...headers, set: { 'content-security-policy': SERVICE_POLICY } }
  const transcripts = ownRoute('transcripts', ['GET', 'HEAD'], strict, true, stages, {
    serviceName,
    timeouts: timeoutsOf(services.get(serviceName)),
  })
  return door === null ? [transcripts] : [...accountPlaces(door, { ...common, admit: admit.alone }), transcripts]
}

/** What both routes have alike. */
type CommonStages = Omit<RouteStages, 'signIn' | 'userBan' | 'admitUser' | 'end'>

const ACCOUNT_FORMS = ['application/x-www-form-urlencoded', 'application/json']

/** Where people sign in: before any sign-in, and behind the same limits. */
function accountPlaces(door: Door, common: CommonStages): RoutePlace[] {
  const stages = routeStages({ ...common, signIn: null, userBan: null, admitUser: null, end: answerBy(door.pages) })
  const options = { path: '/.account/*', maxBodyBytes: MOST_FORM_BYTES, accepts: ACCOUNT_FORMS }
  return [ownRoute('account', ['GET', 'HEAD', 'POST'], plainHeaders('transcript'), true, stages, options)]
}

/** Opens the tokens of those paths that hold one. */
function sourceOpener(sealed: { kind: string; path: string }, keys: Keys | null, { metrics }: Standing): Stage {
  const at = parseSealedPath(sealed.path)
  // It was checked with the file.
  if (typeof at === 'string') throw new ConfigurationError([])
  const open = makeOpenSealed({ kind: sealed.kind, at, to: null }, neededKeys(keys).tokens, metrics)
  return (x) => (x.path.startsWith(at.before) ? open(x) : GO)
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
    return answerBy(folderResponder(source, permissionsOf(config), config.auth === 'none', audit, keys))
  }
  const service = services.get(source.service)
  if (service === undefined) throw new ConfigurationError([`services.${source.service}: cannot be used`])
  return allowed(
    audited(
      makeForward(service, {
        metrics: standing.metrics,
        bounds: null,
        answers: maskedAnswers,
        care: null,
        outlets: null,
      }),
      audit,
    ),
    permissionsOf(config),
    audit,
  )
}

type FolderConfig = Extract<TranscriptsListenerConfig['source'], { readonly folder: string }>

function folderResponder(
  source: FolderConfig,
  permissions: ReadPermissions,
  allowAnonymous: boolean,
  audit: AuditLog,
  keys: Keys | null,
): Responder {
  const { folder, sealedNames } = source
  const atRest = source.atRest ?? (keys === null ? 'plain' : 'sealed')
  const opener = atRest === 'plain' ? null : openerOf(neededKeys(keys).ring)
  return makeTranscripts({
    folder,
    audit,
    permissions,
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

/**
 * Takes away what is over its time, and what a crash left behind; null where there is no folder. Never rejects. A folder
 * in which neither is due is not written.
 */
export function transcriptsPurge(
  config: TranscriptsListenerConfig,
  keys: Keys | null,
  log: Log,
): (() => Promise<void>) | null {
  const { source } = config
  if (!('folder' in source)) return null
  const names = source.sealedNames === undefined ? null : nameTokens(neededKeys(keys), source.sealedNames)
  const wish = {
    folder: realFolder(source.folder),
    keepMs: source.keepDays === undefined ? null : source.keepDays * DAY_MS,
    called: (name: string): string => (names === null ? name : (names.seal(name) ?? '-')),
    record: (event: Parameters<PurgeRecord>[0]) =>
      log.audit.record({ ...event, user: '-', address: '-', requestId: '-' }),
    written: async () => {
      await log.flush()
      return log.audit.isUp
    },
  }
  return async () => {
    try {
      const now = Date.now()
      const due = await purgeTranscripts({ ...wish, now, isDryRun: true })
      if (due.removed.length + due.leftovers === 0) return
      const { removed, failed, leftovers, isDone } = await purgeTranscripts({ ...wish, now, isDryRun: false })
      if (isDone) log.gateway.info('Purged transcripts', { removed: removed.length, failed: failed.length, leftovers })
      else log.gateway.info('Transcripts not purged now: the folder is being changed, or lines cannot be written')
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

const EVERYTHING: ReadPermissions = { mayRead: () => true, needsAttributes: () => false }

function permissionsOf({ auth, roles }: TranscriptsListenerConfig): ReadPermissions {
  return auth === 'none' ? EVERYTHING : compilePermissions(roles ?? {})
}

/** What a service serves is known by its path only: rules about channels and attributes are not met by it. */
function allowed(next: Stage, permissions: ReadPermissions, audit: AuditLog): Stage {
  return (x) => {
    const name = nameOf(x.path)
    const facts = { name: name ?? '', dateMs: dateInName(name ?? '') ?? 0, channel: null, attributes: null }
    if (name !== null && permissions.mayRead(x.principal, facts)) return next(x)
    const line = { user: x.user, address: x.clientAddress, requestId: x.id, object: x.path }
    audit.record({ event: 'authz_fail', outcome: 'failure', reason: 'no role allows it', ...line })
    x.refuse('not-found')
    return DONE
  }
}

/** Null for a path that is no UTF-8: it has no name. */
function nameOf(path: string): string | null {
  try {
    return decodeURIComponent(path.slice(1))
  } catch {
    return null
  }
}
