/**
 * The circuit before a whole service: closed, open when too much fails, half open while a few requests try it again. It knows
 * no endpoint.
 */
import type { ServiceConfig } from '../config/shape.ts'

export type CircuitState = 'closed' | 'open' | 'half-open'

/** What outlives a reload. */
export class Circuit {
  state: CircuitState = 'closed'
  seen = 0
  failed = 0
  windowBegan = 0
  openUntil = 0
  /** Probes that may still start, and those that succeeded. */
  probesLeft = 0
  probesWell = 0
  /** A probe that never ends must not keep the circuit half open for ever. */
  probesUntil = 0
}

export class Breaker {
  readonly circuit: Circuit
  readonly #settings: NonNullable<ServiceConfig['breaker']>
  readonly #onChange: (state: 'opened' | 'closed') => void

  constructor(
    settings: NonNullable<ServiceConfig['breaker']>,
    circuit: Circuit,
    onChange: (state: 'opened' | 'closed') => void,
  ) {
    this.#settings = settings
    this.circuit = circuit
    this.#onChange = onChange
  }

  /** Whether a request may go now. */
  admits(now: number): boolean {
    const { circuit } = this
    if (circuit.state === 'closed') return true
    if (circuit.state === 'open' && now >= circuit.openUntil) this.#try(now)
    if (circuit.state === 'half-open' && circuit.probesLeft === 0 && now >= circuit.probesUntil) this.#try(now)
    if (circuit.state === 'open' || circuit.probesLeft === 0) return false
    circuit.probesLeft--
    return true
  }

  #try(now: number): void {
    const { circuit } = this
    circuit.state = 'half-open'
    circuit.probesLeft = this.#settings.probes
    circuit.probesWell = 0
    circuit.probesUntil = now + this.#settings.open
  }

  onSuccess(): void {
    const { circuit } = this
    circuit.seen++
    if (circuit.state !== 'half-open' || ++circuit.probesWell < this.#settings.probes) return
    circuit.state = 'closed'
    circuit.seen = 0
    circuit.failed = 0
    this.#onChange('closed')
  }

  onFailure(now: number): void {
    const { circuit } = this
    const { window, rate, least, open } = this.#settings
    if (now - circuit.windowBegan > window) {
      circuit.windowBegan = now
      circuit.seen = 0
      circuit.failed = 0
    }
    circuit.seen++
    circuit.failed++
    if (circuit.state === 'open') return
    const tooMuch = circuit.seen >= least && circuit.failed * 100 >= rate * circuit.seen
    if (circuit.state === 'closed' && !tooMuch) return
    const isNew = circuit.state === 'closed'
    circuit.state = 'open'
    circuit.openUntil = now + open
    if (isNew) this.#onChange('opened')
  }
}
