/**
 * The open listeners of a gateway: exchanged as a whole or not at all, with those that are gone ending in their own time.
 * It knows no plan beyond their addresses.
 */
import { closeTunnels } from '../exchange/tunnels.ts'
import { Listener, type ListenerOptions } from './listener.ts'

/** How much time the connections of a listener have when it ends, in milliseconds. */
interface EndTimes {
  readonly timeout: number
  readonly webSocketWindow: number
}

/** Where a listener listens. */
export interface ListenerAddress {
  readonly setting: string
  readonly host: string
  readonly port: number
}

interface Open {
  readonly listener: Listener
  readonly planned: ListenerOptions
}

export class ListenerSet {
  readonly #onAcceptError: (setting: string, code: string) => void
  #open = new Map<string, Open>()
  /** Taken away by a reload, with connections that still end. */
  readonly #leaving = new Set<Listener>()

  /** `onAcceptError` is called when the system has no socket left for a client. */
  constructor(onAcceptError: (setting: string, code: string) => void) {
    this.#onAcceptError = onAcceptError
  }

  get addresses(): readonly ListenerAddress[] {
    return [...this.#open.values()].map(addressOf)
  }

  get connectionCount(): number {
    let count = 0
    for (const { listener } of this.#open.values()) count += listener.connectionCount
    for (const listener of this.#leaving) {
      count += listener.connectionCount
      if (listener.connectionCount === 0) this.#leaving.delete(listener)
    }
    return count
  }

  /** Where it listens, how, and the connections of each. */
  get overview(): (ListenerAddress & { readonly isTls: boolean; readonly connections: number })[] {
    return [...this.#open.values()].map((open) => ({
      ...addressOf(open),
      isTls: open.planned.tls !== null,
      connections: open.listener.connectionCount,
    }))
  }

  connectionCountOf(setting: string): number {
    for (const { listener, planned } of this.#open.values()) {
      if (planned.setting === setting) return listener.connectionCount
    }
    return 0
  }

  /**
   * Binds what is new, then swaps what stays, then drains what is gone. Rejects with a ConfigurationError where an address
   * cannot be had: then nothing has changed. Resolves to what was opened and what was closed.
   */
  async exchange(
    sockets: readonly ListenerOptions[],
    end: EndTimes,
  ): Promise<{ opened: ListenerAddress[]; closed: ListenerAddress[] }> {
    const next = new Map<string, Open>()
    const fresh: Open[] = []
    try {
      for (const planned of sockets) {
        const key = keyOf(planned)
        const now = this.#open.get(key)
        if (now !== undefined) {
          next.set(key, { listener: now.listener, planned })
          continue
        }
        const listener = new Listener(planned, this.#onAcceptError)
        await listener.open()
        const open = { listener, planned }
        fresh.push(open)
        next.set(key, open)
      }
    } catch (error) {
      for (const { listener } of fresh) listener.destroy()
      throw error
    }
    for (const open of next.values()) if (!fresh.includes(open)) open.listener.serve(open.planned)
    const gone = [...this.#open].filter(([key]) => !next.has(key)).map(([, open]) => open)
    const closed = gone.map(addressOf)
    this.#open = next
    for (const { listener } of gone) this.#leave(listener, end)
    return { opened: fresh.map(addressOf), closed }
  }

  /** Every listener but one stops accepting and lets its running answers end. WebSockets are the caller's. */
  drain(exceptSetting: string): void {
    for (const { listener, planned } of this.#open.values()) {
      if (planned.setting !== exceptSetting) listener.drain()
    }
  }

  /** Cuts what is left. */
  destroy(): void {
    for (const { listener } of this.#open.values()) listener.destroy()
    for (const listener of this.#leaving) listener.destroy()
  }

  #leave(listener: Listener, end: EndTimes): void {
    this.#leaving.add(listener)
    listener.drain()
    void closeTunnels(Math.min(end.webSocketWindow, end.timeout / 2), (tunnel) => listener.holds(tunnel.peer))
    const timer = setTimeout(() => listener.destroy(), end.timeout)
    timer.unref()
  }
}

/** A listener with the same key stays open over a reload. Port 0 is any free port: there the setting tells who is who. */
function keyOf(planned: ListenerOptions): string {
  const place = `${planned.tls === null ? 'http' : 'https'} ${planned.host} ${planned.port}`
  return planned.port === 0 ? `${place} ${planned.setting}` : place
}

function addressOf({ planned, listener }: Open): ListenerAddress {
  return { setting: planned.setting, host: planned.host, port: listener.port }
}
