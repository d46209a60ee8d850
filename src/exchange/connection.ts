/** What a listener and an engine know of one another. */
import type { ListenerPlan } from './contracts.ts'

/** A listener, as an engine sees it. */
export interface ConnectionOwner {
  /** The plan for the next exchange. */
  readonly plan: ListenerPlan
  onConnectionEnd(connection: Connection): void
}

/** An engine, as a listener sees it. */
export interface Connection {
  /** Ends after the running exchanges; soon where there are none. */
  drain(): void
  destroy(): void
}
