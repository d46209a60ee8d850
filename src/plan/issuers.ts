/** Builds the judges of tokens, kept over reloads where nothing about them changed, and the stages that ask them. */
import { readFileSync } from 'node:fs'
import { type BearerEvents, type BearerOptions, makeBearer } from '../access/bearer.ts'
import { parseObject } from '../access/https-request.ts'
import { IssuerKeys } from '../access/issuer-keys.ts'
import { type KeyTable, readKeySet } from '../access/jws.ts'
import { fetchKeys } from '../access/key-source.ts'
import { TokenIssuer } from '../access/token-issuer.ts'
import type { IssuerConfig, RouteSignInConfig } from '../config/issuers-shape.ts'
import type { Configuration } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { AuditLog, Stage } from '../exchange/contracts.ts'
import { LineThrottle } from '../observe/line-throttle.ts'
import type { Findings, Standing } from './standing.ts'

/** Lines a second: everybody can cause them. */
const AUDIT_LINES = 20

/** A judge, and all that it was made from. */
export interface OpenIssuer {
  readonly madeFrom: string
  readonly issuer: TokenIssuer
  readonly keys: IssuerKeys
}

/** Those of which nothing changed go on with their keys. */
export function openIssuers(config: Configuration, standing: Standing, findings: Findings): Map<string, OpenIssuer> {
  const opened = new Map<string, OpenIssuer>()
  for (const [name, wanted] of Object.entries(config.issuers)) {
    const issuer = findings.attempt(() => openIssuer(name, wanted, standing, findings))
    if (issuer !== null) opened.set(name, issuer)
  }
  return opened
}

function openIssuer(name: string, config: IssuerConfig, standing: Standing, findings: Findings): OpenIssuer {
  const read = (path: string): string => {
    findings.files.push(path)
    return readFileSync(path, 'utf8')
  }
  const ca = config.ca === undefined ? null : read(config.ca)
  const file = typeof config.keys === 'object' && 'file' in config.keys ? config.keys.file : null
  const text = file === null ? null : read(file)
  const madeFrom = JSON.stringify([config, ca, text])
  const before = standing.issuers.get(name)
  if (before?.madeFrom === madeFrom) return before
  const stored = text === null ? null : keysInFile(name, text, config)
  const { log, metrics } = standing
  let hasFailed = false
  const keys = new IssuerKeys({
    fetch: stored ?? (() => fetchKeys(config, ca)),
    refreshMs: stored === null ? config.refresh : Number.MAX_VALUE,
    refetchMs: stored === null ? config.refetch : Number.MAX_VALUE,
    maxAgeMs: stored === null ? config.maxAge : Number.MAX_VALUE,
    onGone: () => issuer.forget(),
    onFetched: (problem) => {
      metrics.count('issuer_keys_total', problem === null ? 'fetched' : 'failed', name)
      if (problem !== null) log.gateway.warn('The keys of an issuer cannot be had', { issuer: name, problem })
      else if (hasFailed) log.gateway.info('The keys of an issuer are here again', { issuer: name })
      hasFailed = problem !== null
    },
  })
  const issuer = new TokenIssuer(name, config, keys)
  return { madeFrom, issuer, keys }
}

/** Throws ConfigurationError where the file holds no key set. */
function keysInFile(name: string, text: string, config: IssuerConfig): () => Promise<KeyTable> {
  try {
    const set = parseObject(text)
    if (Array.isArray(set.keys) && set.keys.length > 0) return () => readKeySet(set, config.algorithms)
  } catch {
    // Told below.
  }
  throw new ConfigurationError([`issuers.${name}.keys.file: is no key set; it must be { "keys": [...] }`])
}

/** Judges the ID tokens of a client: they are meant for it, and what other tokens must say is not asked of them. */
export function idTokenIssuer(
  name: string,
  clientId: string,
  config: Configuration,
  issuers: ReadonlyMap<string, OpenIssuer>,
): TokenIssuer {
  const opened = issuers.get(name)
  // Its problem is told already.
  if (opened === undefined) throw new ConfigurationError([])
  const { type: _type, ...rest } = config.issuers[name]!
  return new TokenIssuer(name, { ...rest, audience: [clientId], requiredClaims: {}, rememberFor: 0 }, opened.keys)
}

/** The stage of a route that asks for tokens of an issuer. */
export function bearerStage(
  route: RouteSignInConfig,
  issuers: ReadonlyMap<string, OpenIssuer>,
  standing: Standing,
  otherwise: BearerOptions['otherwise'] = null,
): Stage {
  const opened = issuers.get(route.oidc)
  // Its problem is told already.
  if (opened === undefined) throw new ConfigurationError([])
  const { metrics, log } = standing
  return makeBearer({ issuer: opened.issuer, route, metrics, events: bearerEvents(log.audit, route.oidc), otherwise })
}

function bearerEvents(audit: AuditLog, issuer: string): BearerEvents {
  const lines = new LineThrottle(AUDIT_LINES, 1000, (count) => {
    audit.record({ ...NOBODY, reason: `${count} more tokens in a second` })
  })
  return {
    onAccepted(x, user) {
      audit.record({
        event: 'authn_login_success',
        outcome: 'success',
        user,
        address: x.clientAddress,
        requestId: x.id,
        object: x.route?.name ?? '-',
        reason: `token of ${issuer}`,
      })
    },
    onRefused(x, why, user) {
      if (!lines.take(performance.now())) return
      audit.record({
        event: why === 'role-missing' ? 'authz_fail' : NOBODY.event,
        outcome: 'failure',
        user: user === '' ? '-' : user,
        address: x.clientAddress,
        requestId: x.id,
        object: x.route?.name ?? '-',
        reason: `token of ${issuer}: ${why}`,
      })
    },
  }
}

const NOBODY = {
  event: 'authn_login_fail',
  outcome: 'failure',
  user: '-',
  address: '-',
  requestId: '-',
  object: '-',
} as const
