/**
 * The life of a request, in one list. Every listener and every protocol runs these stages in this order; a route carries
 * only those that it needs.
 */
import type { AddressCaps } from './exchange/address-caps.ts'
import { type AuditLog, DONE, GO, type Responder, type Stage } from './exchange/contracts.ts'
import type { CrossOrigin } from './exchange/cross-origin.ts'
import { guard, route } from './exchange/guard.ts'
import { vet } from './exchange/vet.ts'

/** Before a route is known. `ban` null: where nobody is kept out. */
export function frontStages(ban: Stage | null): readonly Stage[] {
  const stages: Stage[] = [
    vet, // First: what can be read in two ways is read by nobody.
  ]
  if (ban !== null) stages.push(ban) // Then, as soon as the address is known: nothing here is for banned clients.
  stages.push(route) // What no route names does not exist. From here on the stages of the route run.
  return Object.freeze(stages)
}

export interface RouteStages {
  /** Where the route is for some addresses only. */
  readonly addresses?: Stage | null
  /** Where the gateway says which pages of other origins may read. */
  readonly crossOrigin?: CrossOrigin | null
  /** Closes the route for a while. */
  readonly maintenance?: Stage | null
  /** Bounds on what one address has running. */
  readonly inFlight: AddressCaps | null
  readonly admit: Stage | null
  /** Where every access must be recorded. */
  readonly audited: AuditLog | null
  readonly signIn: Stage | null
  /** Banned users, where there are users. */
  readonly userBan?: Stage | null
  /** All limits in one step, where some count by user. */
  readonly admitUser?: Stage | null
  /** Opens a sealed identifier of the URL. */
  readonly sealed?: Stage | null
  /** Gives the service another path. */
  readonly rewrite?: Stage | null
  /** The same, where some count by a field of the body. */
  readonly admitBody?: Stage | null
  /** For routes that offer WebSocket. */
  readonly socket: Stage | null
  /** For routes with OPTIONS. */
  readonly lastHop: Stage | null
  readonly inspect: Stage | null
  /** Forwards to a service, or answers. */
  readonly end: Stage
}

export function routeStages(parts: RouteStages): readonly Stage[] {
  const stages: Stage[] = []
  if (parts.addresses) stages.push(parts.addresses) // Who may not be here learns nothing of what is.
  if (parts.crossOrigin) stages.push(parts.crossOrigin.tell) // Errors of all that follows may be read too.
  stages.push(
    guard, // Facts that are settled cost nothing to check: before anything that counts or waits.
  )
  if (parts.maintenance) stages.push(parts.maintenance) // Before anything that counts: nothing of it is the client's fault.
  if (parts.inFlight !== null) stages.push(makeInFlight(parts.inFlight)) // In memory: cheaper than the store behind it.
  if (parts.admit !== null) stages.push(parts.admit) // One step of the store, or what needs none, before any real work.
  if (parts.crossOrigin) stages.push(parts.crossOrigin.answerPreflight) // Counted, and never signed in.
  if (parts.audited !== null) stages.push(makeAudited(parts.audited)) // Nobody signs in or reads while it cannot be recorded.
  if (parts.signIn !== null) stages.push(parts.signIn) // After admit: a guesser is slowed first, and asked for before a hash.
  if (parts.userBan) stages.push(parts.userBan) // Now the user is known.
  if (parts.admitUser) stages.push(parts.admitUser) // The one step, only where limits name the user.
  if (parts.sealed) stages.push(parts.sealed) // Once it is known who asks: guessing tokens is slowed by the limits too.
  if (parts.rewrite) stages.push(parts.rewrite) // Of what was opened, too: this path is for the service only.
  if (parts.socket !== null) stages.push(parts.socket) // In memory too, but after admit: handshakes that are refused count.
  if (parts.lastHop !== null) stages.push(parts.lastHop) // An answer of our own, for those only who may ask the service.
  if (parts.admitBody) stages.push(parts.admitBody) // The one step, with the body collected: so as late as it may be.
  if (parts.inspect !== null) stages.push(parts.inspect) // Only for those who may send: collects the body under a cap.
  stages.push(parts.end) // Last: what is forwarded is what all of the above saw.
  return Object.freeze(stages)
}

/** A responder as the last stage. */
export function answerBy(responder: Responder): Stage {
  return (x) => {
    responder(x)
    return DONE
  }
}

function makeAudited(audit: AuditLog): Stage {
  return (x) => {
    if (audit.isUp) return GO
    x.refuse('audit-down')
    return DONE
  }
}

/** Takes a slot of the client's address until the exchange ends. */
function makeInFlight(caps: AddressCaps): Stage {
  return (x) => {
    const key = x.clientKey
    if (!caps.take(key)) {
      x.answerHeaders.push('retry-after', '1')
      x.refuse('too-many-in-flight')
      return DONE
    }
    x.onRelease = () => caps.release(key)
    return GO
  }
}
