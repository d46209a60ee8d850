/**
 * Where those who decide who somebody is, those who ask it of a person, and those who serve what he may read meet. It knows no
 * scheme of signing in.
 */
import type { Exchange } from './exchange.ts'

/** Who is signed in, by whatever scheme: what rights are decided from. */
export interface Principal {
  readonly user: string
  readonly roles: readonly string[]
  /** For rules of roles: single values by name. */
  readonly attributes: Readonly<Record<string, string>>
  /** Milliseconds since 1970 when the sign-in ends by itself; 0 where each request signs in anew. */
  readonly expiresAt: number
  readonly scheme: 'basic' | 'session' | 'bearer' | 'provider'
}

/** What somebody offers at the desk. */
export interface DeskEvidence {
  readonly user: string
  readonly password: string
  /** Of the second factor, or a recovery code; null: none. */
  readonly code: string | null
}

export type DeskVerdict =
  | { readonly kind: 'done' | 'wrong' | 'busy' }
  /** Signed in, but for changing the password only. */
  | { readonly kind: 'must-change'; readonly why: 'first-use' | 'too-old' }
  | { readonly kind: 'locked'; readonly waitMs: number }
  /** Each problem as "must ...". */
  | { readonly kind: 'refused'; readonly problems: readonly string[] }
  /** The accounts file cannot be changed by the gateway. */
  | { readonly kind: 'unwritable' }

/** Where people sign in, change their password and sign out. Session cookies are added to the answer of the exchange. */
export interface AccountDesk {
  /** What a new password must be, for people. */
  readonly rules: readonly string[]
  signIn(x: Exchange, evidence: DeskEvidence): Promise<DeskVerdict>
  changePassword(x: Exchange, evidence: DeskEvidence, next: string): Promise<DeskVerdict>
  signOut(x: Exchange): Promise<void>
  /** The name of who shows a session that holds; null where nobody does. */
  who(x: Exchange): Promise<string | null>
}

export type ProviderVerdict =
  /** Signed in; `next` is the path to go to. */
  { readonly kind: 'done'; readonly next: string } | { readonly kind: 'refused' } | { readonly kind: 'down' }

/** Where people sign in by a provider, and sign out. Cookies are added to the answer of the exchange. */
export interface ProviderDesk {
  /** The URL to go to; null where the provider does not answer. */
  begin(x: Exchange, next: string): Promise<string | null>
  /** Somebody comes back from there. */
  finish(x: Exchange): Promise<ProviderVerdict>
  /** The URL to go to, where the provider has a session to end too. */
  signOut(x: Exchange): Promise<string>
}

/** What rights to a transcript are decided from. What is not known is null, and no rule about it is met. */
export interface TranscriptFacts {
  /** Below the folder, `/` between the segments; of a service the path without its first slash. */
  readonly name: string
  /** Milliseconds since 1970; 0 where not known. */
  readonly dateMs: number
  readonly channel: string | null
  readonly attributes: Readonly<Record<string, string>> | null
}

/** What who is signed in may read: nothing that no role of his allows. */
export interface ReadPermissions {
  mayRead(principal: Principal | null, transcript: TranscriptFacts): boolean
  /** True where a rule asks for attributes, which stand in the transcript itself. */
  needsAttributes(principal: Principal | null): boolean
}
