/** Counts the packets of a polling body by the limits of the route, each as a WebSocket message would be. It cleans nothing. */
import type { Metrics } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { MessageLimit } from '../exchange/socket-bounds.ts'
import { attachmentsOf, packetLabel } from './message-label.ts'
import type { Packets } from './polling.ts'
import type { MessageRules } from './rules.ts'

export interface PollingLimit {
  readonly limit: MessageLimit
  /** Over a limit the whole body is refused, which ends the session. */
  readonly closes: boolean
}

/** What is left of the body: the very string where all of it is; null where it is to be refused. May come at once. */
type OnAdmitted = (body: string | null) => void

/** Asks for one packet after the other. */
export function admitPackets(
  x: Exchange,
  rules: MessageRules,
  body: string,
  packets: Packets,
  limit: PollingLimit,
  metrics: Metrics,
  done: OnAdmitted,
): void {
  new PacketAdmission(x, rules, body, packets, limit, metrics, done).run()
}

class PacketAdmission {
  readonly #x: Exchange
  readonly #rules: MessageRules
  readonly #body: string
  readonly #packets: Packets
  readonly #limit: PollingLimit
  readonly #metrics: Metrics
  readonly #done: OnAdmitted
  readonly #all: readonly string[]
  readonly #kept: string[] = []
  #next = 0
  #dropsBinary = 0

  constructor(
    x: Exchange,
    rules: MessageRules,
    body: string,
    packets: Packets,
    limit: PollingLimit,
    metrics: Metrics,
    done: OnAdmitted,
  ) {
    this.#x = x
    this.#rules = rules
    this.#body = body
    this.#packets = packets
    this.#limit = limit
    this.#metrics = metrics
    this.#done = done
    this.#all = packets.split(body)
  }

  run(): void {
    while (this.#next < this.#all.length) {
      const label = packetLabel(this.#rules, this.#all[this.#next]!)
      const isAllowed = label === null ? true : this.#limit.limit.ask(this.#x, label, this.#onAnswer)
      if (isAllowed === null) return
      if (!this.#take(isAllowed)) return
    }
    this.#done(this.#kept.length === this.#all.length ? this.#body : this.#packets.join(this.#kept))
  }

  readonly #onAnswer = (isAllowed: boolean): void => {
    if (this.#x.finished) return
    if (this.#take(isAllowed)) this.run()
  }

  /** False where that was the end. */
  #take(isAllowed: boolean): boolean {
    const packet = this.#all[this.#next++]!
    if (!isAllowed) {
      this.#metrics.count('socket_refusals_total', packetLabel(this.#rules, packet) ?? 'other', 'limit')
      if (this.#limit.closes) {
        this.#done(null)
        return false
      }
      // Attachments of a dropped event would end the session where they came alone.
      this.#dropsBinary = attachmentsOf(packet)
    } else if (packet.startsWith('b') && this.#dropsBinary > 0) this.#dropsBinary--
    else {
      this.#dropsBinary = 0
      this.#kept.push(packet)
    }
    return true
  }
}
