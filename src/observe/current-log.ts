/**
 * The logs in force: those who write keep this one over reloads, and what is behind it is exchanged when the settings of
 * the logs change. It knows no file.
 */
import type { AuditLog } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { Log, Logger } from './log.ts'

export class CurrentLog implements Log {
  readonly gateway: Logger
  readonly audit: AuditLog
  #now: Log
  #droppedBefore = 0

  constructor(first: Log) {
    this.#now = first
    this.gateway = {
      debug: (message, fields) => this.#now.gateway.debug(message, fields),
      info: (message, fields) => this.#now.gateway.info(message, fields),
      warn: (message, fields) => this.#now.gateway.warn(message, fields),
      error: (message, fields) => this.#now.gateway.error(message, fields),
    }
    const now = (): Log => this.#now
    this.audit = {
      get isUp() {
        return now().audit.isUp
      },
      record: (event) => now().audit.record(event),
    }
  }

  /** What is written from now on goes to `next`; the logs before are written out and closed. */
  replace(next: Log): void {
    const before = this.#now
    this.#now = next
    void before.close().then(() => {
      this.#droppedBefore += before.dropped
    })
  }

  access(x: Exchange): void {
    this.#now.access(x)
  }

  get dropped(): number {
    return this.#droppedBefore + this.#now.dropped
  }

  flush(): Promise<void> {
    return this.#now.flush()
  }

  reopen(): void {
    this.#now.reopen()
  }

  close(): Promise<void> {
    return this.#now.close()
  }
}
