/** Who a verified token speaks of: user, roles, attributes and scopes out of its claims. It verifies nothing. */
import type { IssuerConfig } from '../config/issuers-shape.ts'
import type { Principal } from '../exchange/access-contracts.ts'
import type { TokenFault } from './jws.ts'

type Claims = Readonly<Record<string, unknown>>

/** What is known of who holds a token. */
export interface Bearer {
  readonly principal: Principal
  readonly scopes: readonly string[]
  /** Fields for the service. */
  readonly identity: readonly string[]
}

const MOST_USER = 256
const MOST_ATTRIBUTE = 128
const CONTROL = /[\p{Cc}\p{Cs}]/u

/** Which claims mean what. */
export type ClaimRules = Pick<IssuerConfig, 'user' | 'roles' | 'attributes' | 'requiredClaims'>

/** `name`: of the issuer, as configured. `expiresAt`: milliseconds since 1970. */
export function readBearer(claims: Claims, rules: ClaimRules, name: string, expiresAt: number): Bearer | TokenFault {
  for (const [claim, wanted] of Object.entries(rules.requiredClaims)) {
    if (!Object.hasOwn(claims, claim) || claims[claim] !== wanted) return 'claims'
  }
  const user = claimAt(claims, rules.user)
  if (typeof user !== 'string' || user === '' || user.length > MOST_USER || CONTROL.test(user)) return 'user'
  const roles = [...new Set(rules.roles.flatMap((path) => textsIn(claimAt(claims, path))))]
  const attributes: Record<string, string> = {}
  for (const [attribute, path] of Object.entries(rules.attributes)) {
    const value = claimAt(claims, path)
    if (typeof value === 'string' && value !== '' && value.length <= MOST_ATTRIBUTE) attributes[attribute] = value
  }
  const principal = Object.freeze({
    user,
    roles: Object.freeze(roles),
    attributes,
    expiresAt,
    scheme: 'bearer',
  } as const)
  return { principal, scopes: scopesOf(claims), identity: identityOf(principal, name) }
}

/** Own members only: `constructor` is no claim. */
function claimAt(claims: Claims, path: readonly string[]): unknown {
  let value: unknown = claims
  for (const each of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, each)) return undefined
    value = (value as Record<string, unknown>)[each]
  }
  return value
}

function textsIn(value: unknown): string[] {
  const all: unknown[] = Array.isArray(value) ? value : [value]
  return all.filter((each): each is string => typeof each === 'string' && each !== '' && !CONTROL.test(each))
}

/** RFC 8693, 4.2; `scp` is what others call it. */
function scopesOf({ scope, scp }: Claims): readonly string[] {
  return [scope, scp].flatMap(textsIn).flatMap((text) => text.split(' '))
}

function identityOf({ user, roles }: Principal, issuer: string): readonly string[] {
  const fields = ['x-portcullis-user', fieldText(user), 'x-portcullis-issuer', issuer]
  if (roles.length > 0) fields.push('x-portcullis-roles', roles.map(fieldText).join(','))
  return Object.freeze(fields)
}

/** What a list in a field cannot carry as it is, is percent-encoded: anything but visible ASCII, the comma and `%`. */
function fieldText(text: string): string {
  return text.replace(/[^\x21-\x24\x26-\x2b\x2d-\x7e]+/gu, (some) =>
    [...Buffer.from(some)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}
