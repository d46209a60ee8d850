/**
 * What was found in a request head, or made of it, kept for the next head of the same connection that is equal to it byte
 * for byte. It knows no connection; what depends on the time, on a limit or on a plan does not belong here.
 */
import type { HeaderList } from '../http/headers.ts'
import type { Route } from './contracts.ts'
import type { HeadFacts } from './head-facts.ts'
import type { RepeatedText } from './repeated-text.ts'

export class HeadMemo {
  facts: HeadFacts | null = null
  upstreamText: UpstreamText | null = null
  logText: LogText | null = null
  outcomeText: OutcomeText | null = null
  bodyFields: BodyFields | null = null
  withoutToken: WithoutToken | null = null
  tokenName: TokenName | null = null
}

/** The head as an upstream is told it, and all that it was made from: it holds only where these are the same. */
export interface UpstreamText {
  readonly method: string
  readonly target: string
  readonly headers: HeaderList
  readonly identity: readonly string[]
  readonly authority: string
  readonly client: string
  readonly scheme: string
  readonly isFromTrustedProxy: boolean
  readonly via: string | null
  readonly forwardedBy: string
  /** Request line and fields, each line with its CRLF. */
  readonly text: RepeatedText
}

/** What the access log says of a head, and all that it was made from: it holds only where these are the same. */
export interface LogText {
  readonly listener: string
  readonly client: string
  readonly method: string
  readonly host: string
  readonly path: string
  readonly maskPath: (path: string) => string
  readonly text: RepeatedText
}

/** What the access log says of an outcome, and all that it was made from. */
export interface OutcomeText {
  readonly route: Route | null
  readonly endpoint: string
  readonly user: string
  readonly text: RepeatedText
}

/** What a list of fields says of the body, by the names that the message rules have for it. */
export interface BodyFields {
  readonly headers: HeaderList
  readonly kind: string
  /** Null: none that anybody here decodes. */
  readonly coding: string | null
}

/** The fields of a head without a token, and where else than in Authorization that was looked for. */
export interface WithoutToken {
  readonly other: object | null
  readonly headers: HeaderList
}

/** What the token of a head is called, and by whose settings it was found. */
export interface TokenName {
  readonly settings: object
  readonly name: string
}
