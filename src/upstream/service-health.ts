/**
 * Which endpoints of a service are in: by active checks, by what became of requests, by an operator's word. Who comes back warms
 * up. It knows neither sockets nor who is next.
 */
import type { ServiceConfig } from '../config/shape.ts'
import { joinClock, leaveClock, type Ticking } from '../exchange/clock.ts'
import type { Endpoint } from './endpoint.ts'

export type Change =
  | ('down' | 'up' | 'ejected' | 'back' | 'drained' | 'undrained' | 'found' | 'gone')
  | ('opened' | 'closed')
  | ('unresolved' | 'resolved')
  | ('blocked' | 'cleared')

/** Who is told of changes: once each, for the log and the counters. `endpoint` is internal. */
export type OnChange = (change: Change, endpoint: string, reason: string) => void

const COLD_SHARE = 0.1

export class ServiceHealth implements Ticking {
  /** Those that new clients may come to. */
  available: readonly Endpoint[] = []
  readonly #config: ServiceConfig
  readonly #onChange: OnChange
  #endpoints: readonly Endpoint[] = []
  #ticks = false

  constructor(config: ServiceConfig, onChange: OnChange) {
    this.#config = config
    this.#onChange = onChange
  }

  /** Also where their number changes later. */
  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints
    this.#recount()
  }

  // --- requests ---

  onSuccess(endpoint: Endpoint): void {
    const { state } = endpoint
    if (state.failures !== 0) state.failures = 0
    state.seen++
  }

  onFailure(endpoint: Endpoint, reason: string): void {
    const { state } = endpoint
    const { failures, rate, least, window } = this.#config.ejection
    const now = performance.now()
    if (now - state.windowBegan > window) {
      state.windowBegan = now
      state.seen = 0
      state.failed = 0
    }
    state.failures++
    state.seen++
    state.failed++
    if (state.ejectedUntil !== 0) return
    const inARow = failures > 0 && state.failures >= failures
    const tooOften = rate > 0 && state.seen >= least && state.failed * 100 >= rate * state.seen
    if ((inARow || tooOften) && this.#maySpare(endpoint)) this.#eject(endpoint, now, reason)
  }

  #maySpare(endpoint: Endpoint): boolean {
    let all = 0
    let out = 0
    for (const each of this.#endpoints) {
      if (each.state.isGone) continue
      all++
      if (each !== endpoint && !each.state.isIn) out++
    }
    const most = Math.floor((all * this.#config.ejection.most) / 100)
    return out < most
  }

  #eject(endpoint: Endpoint, now: number, reason: string): void {
    const { state } = endpoint
    const { time, longest } = this.#config.ejection
    if (now - state.backAt > longest) state.ejections = 0
    const ms = Math.min(longest, time * 2 ** Math.min(state.ejections, 30))
    state.ejections++
    state.ejectedUntil = now + ms
    this.#recount()
    this.#onChange('ejected', endpoint.name, reason)
  }

  // --- checks and operators ---

  /** The result of one check; `problem` is null where it went well. */
  onCheck(endpoint: Endpoint, problem: string | null): void {
    const { state } = endpoint
    const isWell = problem === null
    if (isWell === state.isUp) {
      state.streak = 0
      return
    }
    const { rise, fall } = this.#config.health!
    if (++state.streak < (isWell ? rise : fall)) return
    state.streak = 0
    state.isUp = isWell
    if (isWell) this.#welcome(endpoint)
    this.#recount()
    this.#onChange(isWell ? 'up' : 'down', endpoint.name, problem ?? 'checks succeed')
  }

  drain(endpoint: Endpoint, isDrained: boolean): void {
    const { state } = endpoint
    if (state.isDrained === isDrained) return
    state.isDrained = isDrained
    if (!isDrained) this.#welcome(endpoint)
    this.#recount()
    this.#onChange(isDrained ? 'drained' : 'undrained', endpoint.name, 'an operator asked for it')
  }

  /** Its name leads to it since now. Where others are there, it warms up, and a check has to speak for it first. */
  onFound(endpoint: Endpoint, joins: boolean): void {
    const { state } = endpoint
    const { health } = this.#config
    if (joins) {
      if (health !== undefined) {
        state.isUp = false
        state.streak = health.rise - 1
      }
      this.#welcome(endpoint)
      this.#recount()
    }
    this.#onChange('found', endpoint.name, 'its name leads to it')
  }

  onGone(endpoint: Endpoint): void {
    this.#onChange('gone', endpoint.name, 'its name does not lead to it any more')
  }

  #welcome(endpoint: Endpoint): void {
    const { state } = endpoint
    state.backAt = performance.now()
    state.seen = 0
    state.failed = 0
    endpoint.credit = 0
  }

  // --- time ---

  onTick(now: number): void {
    for (const endpoint of this.#endpoints) {
      const { state } = endpoint
      if (state.ejectedUntil === 0 || now < state.ejectedUntil) continue
      state.ejectedUntil = 0
      // On probation: the first failure sends it back.
      state.failures = Math.max(0, this.#config.ejection.failures - 1)
      this.#welcome(endpoint)
      this.#onChange('back', endpoint.name, 'its time is over')
    }
    this.#recount()
  }

  #recount(): void {
    const now = performance.now()
    const { slowStart } = this.#config
    let isWaiting = false
    for (const endpoint of this.#endpoints) {
      const warm = slowStart === 0 ? 1 : Math.max(COLD_SHARE, Math.min(1, (now - endpoint.state.backAt) / slowStart))
      endpoint.share = endpoint.weight * warm
      if (warm < 1 || endpoint.state.ejectedUntil !== 0) isWaiting = true
    }
    this.available = nearest(this.#endpoints.filter(({ state }) => state.isIn))
    if (isWaiting === this.#ticks) return
    this.#ticks = isWaiting
    if (isWaiting) joinClock(this)
    else leaveClock(this)
  }

  close(): void {
    if (this.#ticks) leaveClock(this)
    this.#ticks = false
  }
}

/** Nobody further away while somebody is near (RFC 2782). */
function nearest(all: readonly Endpoint[]): readonly Endpoint[] {
  let least = Number.POSITIVE_INFINITY
  for (const { priority } of all) least = Math.min(least, priority)
  return all.every(({ priority }) => priority === least) ? all : all.filter(({ priority }) => priority === least)
}
