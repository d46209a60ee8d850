/**
 * The one chat room of the demo: a bounded history and who listens to it. It cleans nothing and knows no transport: what
 * a client sent is stored and relayed as it came, which is exactly why such a service needs a gateway in front.
 */

export type Transport = 'rest' | 'socket.io' | 'websocket'

export interface ChatMessage {
  readonly id: number
  /** ISO 8601, UTC. */
  readonly at: string
  readonly name: string
  readonly text: string
  readonly via: Transport
  /** What the sender called the message, so that it knows its own when it comes back; null where it did not say. */
  readonly ref: string | null
}

export interface Draft {
  readonly name: string
  readonly text: string
  readonly ref: string | null
}

export interface Listener {
  onMessage(message: ChatMessage): void
  /** Somebody else is typing. */
  onTyping(name: string): void
  /** How many are connected now. */
  onPeople(count: number): void
}

const MAX_MESSAGES = 200
const MAX_LISTENERS = 1000
const MAX_REF = 64

/** Name and text where a client sent both as strings, else null. Shape only: the words are left as they are. */
export function readDraft(value: unknown): Draft | null {
  if (typeof value !== 'object' || value === null) return null
  const { name, text, ref } = value as Record<string, unknown>
  if (typeof name !== 'string' || typeof text !== 'string' || text === '') return null
  return { name, text, ref: typeof ref === 'string' && ref.length <= MAX_REF ? ref : null }
}

export class Room {
  readonly #listeners = new Set<Listener>()
  readonly #history: ChatMessage[] = []
  #lastId = 0

  get people(): number {
    return this.#listeners.size
  }

  get messageCount(): number {
    return this.#lastId
  }

  /** False when the room is full. */
  join(listener: Listener): boolean {
    if (this.#listeners.size >= MAX_LISTENERS) return false
    this.#listeners.add(listener)
    this.#tellPeople()
    return true
  }

  leave(listener: Listener): void {
    if (this.#listeners.delete(listener)) this.#tellPeople()
  }

  /** Stores the message and tells everyone, the sender too. */
  post(draft: Draft, via: Transport): ChatMessage {
    this.#lastId += 1
    const message = { id: this.#lastId, at: new Date().toISOString(), via, ...draft }
    this.#history.push(message)
    if (this.#history.length > MAX_MESSAGES) this.#history.shift()
    for (const listener of this.#listeners) listener.onMessage(message)
    return message
  }

  typing(from: Listener, name: string): void {
    for (const listener of this.#listeners) if (listener !== from) listener.onTyping(name)
  }

  /** Messages with an id above `after`, oldest first; at most the last 200 exist. */
  since(after: number): ChatMessage[] {
    return this.#history.filter((message) => message.id > after)
  }

  #tellPeople(): void {
    for (const listener of this.#listeners) listener.onPeople(this.#listeners.size)
  }
}
