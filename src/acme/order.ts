/** One order (RFC 8555, 7.4): from the names to the certificate, with the challenges told to whoever answers them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { makeSigningRequest } from '../pki/signing-request.ts'
import { AcmeError, type Authority, type AuthorityAnswer, membersOf, problemText } from './authority.ts'
import { type Challenge, TOKEN } from './challenge-table.ts'

export interface OrderWish {
  readonly names: readonly string[]
  readonly email: string | null
  readonly challenge: Challenge['type']
  /** The certificate that this one takes the place of, as RFC 9773 names it; null for none, or where the authority knows no such thing. */
  readonly replaces: string | null
}

export interface Issued {
  /** PEM: the certificate and its chain. */
  readonly chain: string
  /** PEM. Never printed. */
  readonly key: string
}

/** Puts challenges where they are answered; resolves when every node answers them. */
export type Present = (challenges: readonly Challenge[]) => Promise<void>

/**
 * Called before each step that an authority counts; resolves where this node alone orders, and does so for `lifeMs` from now (a
 * while, where nothing is given). Rejects to stop the order.
 */
export type Commit = (lifeMs?: number) => Promise<void>

const ORDER_MS = 300_000
/** After the last step a certificate may be there: until the order is over, whatever becomes of this node, nobody else begins. */
const FINALIZE_MS = ORDER_MS + 30_000
const FIRST_LOOK_MS = 500
const LONGEST_LOOK_MS = 15_000
const MOST_AUTHORIZATIONS = 200
const MOST_CHAIN = 100_000

/** Rejects with an AcmeError that says what went wrong, at the latest after five minutes; or as `present` and `commit` do. */
export async function order(authority: Authority, wish: OrderWish, present: Present, commit: Commit): Promise<Issued> {
  const deadline = performance.now() + ORDER_MS
  await authority.signIn(wish.email)
  const identifiers = wish.names.map((value) => ({ type: 'dns', value }))
  const replaces = wish.replaces === null ? {} : { replaces: wish.replaces }
  await commit()
  const made = await authority.newOrder({ identifiers, ...replaces })
  const { location } = made
  const { authorizations, finalize } = membersOf(made.body)
  if (location === '' || typeof finalize !== 'string' || !isTexts(authorizations)) {
    throw new AcmeError('', 'the authority makes an order that cannot be followed')
  }
  await authorise(authority, wish, authorizations, present, deadline)
  const { der, key } = makeSigningRequest(wish.names)
  const ready = await settled(authority, location, ['pending', 'processing'], deadline)
  if (ready.status === 'ready') {
    await commit(FINALIZE_MS)
    await authority.post(finalize, { csr: der.toString('base64url') })
  }
  const done = await settled(authority, location, ['pending', 'ready', 'processing'], deadline)
  if (done.status !== 'valid' || typeof done.certificate !== 'string') {
    throw new AcmeError('', `the order ends as ${String(done.status)}: ${problemText(done.error)}`.slice(0, 300))
  }
  const chain = (await authority.post(done.certificate, null)).body.toString('latin1')
  if (chain.length > MOST_CHAIN) throw new AcmeError('', 'the chain is too long')
  return { chain, key }
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= MOST_AUTHORIZATIONS && value.every((each) => typeof each === 'string')

interface Pending {
  readonly authorization: string
  /** Where the authority is told that the challenge is there. */
  readonly url: string
  readonly challenge: Challenge
}

/** Every name at once: the authority comes when it likes. */
async function authorise(
  authority: Authority,
  { challenge: type }: OrderWish,
  urls: readonly string[],
  present: Present,
  deadline: number,
): Promise<void> {
  const pending: Pending[] = []
  for (const authorization of urls) {
    const { status, identifier, challenges } = membersOf((await authority.post(authorization, null)).body)
    // From an order before, which this one may use.
    if (status === 'valid') continue
    const name = String((identifier as { value?: unknown } | undefined)?.value)
    const offered = Array.isArray(challenges) ? (challenges as Partial<Record<string, unknown>>[]) : []
    const found = offered.find((each) => each?.type === type)
    const { url, token } = found ?? {}
    if (typeof url !== 'string') throw new AcmeError('', `the authority offers no ${type} for ${name.slice(0, 253)}`)
    if (typeof token !== 'string' || !TOKEN.test(token))
      throw new AcmeError('', 'the authority sends a token that is none')
    const keyAuthorization = `${token}.${authority.thumbprint}`
    pending.push({ authorization, url, challenge: { type, name: name.toLowerCase(), token, keyAuthorization } })
  }
  if (pending.length === 0) return
  await present(pending.map(({ challenge }) => challenge))
  for (const { url } of pending) await authority.post(url, {})
  for (const { authorization, challenge } of pending) {
    const { status, challenges } = await settled(authority, authorization, ['pending', 'processing'], deadline)
    if (status === 'valid') continue
    const tried = (Array.isArray(challenges) ? challenges : []).find((each) => each?.error !== undefined)
    throw new AcmeError('', `${challenge.name} is not authorised (${challenge.type}): ${problemText(tried?.error)}`)
  }
}

/** Looks until the status is none of these, at the pace that the authority asks for. */
async function settled(
  authority: Authority,
  url: string,
  waits: readonly string[],
  deadline: number,
): Promise<Readonly<Record<string, unknown>>> {
  for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(lookMs * 1.5, LONGEST_LOOK_MS)) {
    const answer: AuthorityAnswer = await authority.post(url, null)
    const resource = membersOf(answer.body)
    if (!waits.includes(String(resource.status))) return resource
    const waitMs = Math.min(Math.max(lookMs, answer.retryAfterMs), LONGEST_LOOK_MS)
    if (performance.now() + waitMs > deadline) throw new AcmeError('', 'the authority takes longer than five minutes')
    await sleep(waitMs, undefined, { ref: false })
  }
}
