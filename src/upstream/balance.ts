/**
 * Who gets the next request: the methods of balancing, each over the endpoints that may be chosen now. They know weights
 * and loads, no health and no exchange.
 */
import type { ServiceConfig } from '../config/shape.ts'
import type { Endpoint } from './endpoint.ts'
import { scramble } from './hash.ts'

/** What a choice depends on. */
export interface Wish {
  readonly isWebSocket: boolean
  /** 32 bits that keep requests together, for the method that hashes. */
  readonly key: number
}

/** Chooses among `from` (at least one) an endpoint that is not full and not `not`; null where there is none. */
export type Balance = (from: readonly Endpoint[], wish: Wish, not: Endpoint | null) => Endpoint | null

export function makeBalance(method: ServiceConfig['balance']): Balance {
  if (method === 'round-robin') return roundRobin
  if (method === 'least-load') return leastLoad
  if (method === 'two-choices') return twoChoices
  return hashing(method.overload === undefined ? Number.POSITIVE_INFINITY : method.overload / 100)
}

/** Smooth weighted round robin: everybody earns its weight, the richest pays the sum. */
const roundRobin: Balance = (from, wish, not) => {
  let best: Endpoint | null = null
  let total = 0
  for (let i = 0; i < from.length; i++) {
    const each = from[i]!
    if (each === not || each.isFull(wish.isWebSocket)) continue
    each.credit += each.share
    total += each.share
    if (best === null || each.credit > best.credit) best = each
  }
  if (best !== null) best.credit -= total
  return best
}

/** Equally loaded ones by lot and weight. */
const leastLoad: Balance = (from, wish, not) => {
  let least = Number.POSITIVE_INFINITY
  let best: Endpoint | null = null
  let total = 0
  for (let i = 0; i < from.length; i++) {
    const each = from[i]!
    if (each === not || each.isFull(wish.isWebSocket)) continue
    const load = each.load / each.share
    if (load > least) continue
    if (load < least) {
      least = load
      best = null
      total = 0
    }
    total += each.share
    if (best === null || Math.random() * total < each.share) best = each
  }
  return best
}

/** Two that are drawn by lot, each by its weight; the less loaded one of them. */
const twoChoices: Balance = (from, wish, not) => {
  const one = draw(from, wish, not, null)
  if (one === null) return null
  const other = draw(from, wish, not, one)
  if (other === null) return one
  return other.load / other.share < one.load / one.share ? other : one
}

function draw(from: readonly Endpoint[], wish: Wish, not: Endpoint | null, nor: Endpoint | null): Endpoint | null {
  let total = 0
  for (let i = 0; i < from.length; i++) {
    const each = from[i]!
    if (each !== not && each !== nor && !each.isFull(wish.isWebSocket)) total += each.share
  }
  let left = Math.random() * total
  let last: Endpoint | null = null
  for (let i = 0; i < from.length; i++) {
    const each = from[i]!
    if (each === not || each === nor || each.isFull(wish.isWebSocket)) continue
    last = each
    left -= each.share
    if (left < 0) return each
  }
  return last
}

/**
 * Weighted rendezvous: every endpoint draws a number from the key, and the least one wins. Without the winner the second
 * one has it, and nobody else's key moves. It needs no table, and is the same on every gateway.
 */
function hashing(overload: number): Balance {
  const isBounded = overload !== Number.POSITIVE_INFINITY
  return (from, wish, not) => {
    const most = isBounded ? mostPerShare(from, overload) : Number.POSITIVE_INFINITY
    let best: Endpoint | null = null
    let least = Number.POSITIVE_INFINITY
    let spare: Endpoint | null = null
    for (let i = 0; i < from.length; i++) {
      const each = from[i]!
      if (each === not || each.isFull(wish.isWebSocket)) continue
      spare ??= each
      if (isBounded && each.load >= Math.ceil(most * each.share)) continue
      const drawn = -Math.log((scramble(wish.key ^ each.seed) + 0.5) / 4294967296) / each.share
      if (drawn >= least) continue
      least = drawn
      best = each
    }
    return best ?? spare
  }
}

function mostPerShare(from: readonly Endpoint[], overload: number): number {
  let load = 1
  let shares = 0
  for (let i = 0; i < from.length; i++) {
    load += from[i]!.load
    shares += from[i]!.share
  }
  return (overload * load) / shares
}
