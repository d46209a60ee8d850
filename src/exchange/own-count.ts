/** How a claim names the count of one client alone, beside the common one. It knows no store. */
import type { Counter } from './contracts.ts'

/** Where the common count of a claim refuses, a client that is known is counted by itself, in the same step. */
export interface OwnCount {
  /** The client is known where its key has a count here. */
  readonly known: Counter
  /** Of the client, under that of the claim, here and in the claim's counter; by `ownKey`. */
  readonly key: string
}

/** The key of one client under a common one. Stores keep both at one place. */
export function ownKey(key: string, client: string): string {
  return `${key}${OWN}${client}`
}

/** In no key but these: others are hashes, addresses and words. */
export const OWN = '\n'
