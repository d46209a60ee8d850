/**
 * What one HTTP/2 client may cost in frames that carry nothing (RFC 9113, 10.5). Node and nghttp2 bound resets, invalid and
 * empty frames, CONTINUATION and priorities by themselves; not PING, SETTINGS, WINDOW_UPDATE and header blocks that are
 * refused while they are decoded. The first two are counted, the others only show as bytes that became nothing.
 */

/** PING and SETTINGS at once, and how many come back each second. */
const CONTROL_BURST = 200
const CONTROL_PER_SECOND = 20
/** Bytes of idle frames at once, and how many come back each second. */
const IDLE_BURST = 256 * 1024
/** The same as long as there was no request, beside the largest head there may be: what opens a session, and some more. */
const FIRST_IDLE_BURST = 24 * 1024
const IDLE_PER_SECOND = 64 * 1024
/** A client returns window as it reads: one byte of that for so many that were sent to it. */
const SENT_PER_WINDOW_BYTE = 64
/** Requests that were taken back before anybody saw them, at once, and how many come back each second. */
const TAKEN_BACK_BURST = 50
/** The same as long as there was no request: a page that is left was asked for before. */
const FIRST_TAKEN_BACK_BURST = 15
const TAKEN_BACK_PER_SECOND = 20
/** Frame headers, flags and padding of a request that became an exchange. */
const REQUEST_FRAMES = 64

export class FrameBudget {
  #controls = CONTROL_BURST
  readonly #mostBurst: number
  #burst: number
  #idle: number
  #takenBackBurst = FIRST_TAKEN_BACK_BURST
  #takenBack = FIRST_TAKEN_BACK_BURST
  #readBefore = 0
  #writtenBefore = 0
  #used = 0
  #refilledAt = performance.now()

  /** `maxHeadBytes`: of a request. */
  constructor(maxHeadBytes: number) {
    this.#burst = FIRST_IDLE_BURST + maxHeadBytes
    this.#mostBurst = Math.max(IDLE_BURST, this.#burst)
    this.#idle = this.#burst
  }

  /** A PING or SETTINGS came. False: over the budget, end the session. */
  takeControl(): boolean {
    return --this.#controls >= 0
  }

  /** Whether so many requests more may be taken back. */
  mayTakeBack(count: number): boolean {
    return count <= this.#takenBack
  }

  /** So many were. False: over the budget, end the session. */
  takeBack(count: number): boolean {
    this.#takenBack -= count
    return this.#takenBack >= 0
  }

  /** A request became an exchange; `bytes` of its field names and values. */
  onRequest(bytes: number): void {
    this.#used += bytes + REQUEST_FRAMES
    this.#idle += this.#mostBurst - this.#burst
    this.#burst = this.#mostBurst
    this.#takenBack += TAKEN_BACK_BURST - this.#takenBackBurst
    this.#takenBackBurst = TAKEN_BACK_BURST
  }

  /** Body bytes that came: as much again is allowed for the frames around them. */
  onData(bytes: number): void {
    this.#used += bytes * 2
  }

  /**
   * Settles the bytes of the connection since the last time; called every tick.
   *
   * @param read All bytes read so far.
   * @param written All bytes written so far.
   * @returns False: over the budget, end the session.
   */
  settle(read: number, written: number, now: number): boolean {
    const seconds = (now - this.#refilledAt) / 1000
    this.#refilledAt = now
    this.#controls = Math.min(CONTROL_BURST, this.#controls + seconds * CONTROL_PER_SECOND)
    this.#takenBack = Math.min(this.#takenBackBurst, this.#takenBack + seconds * TAKEN_BACK_PER_SECOND)
    const allowed = this.#used + (written - this.#writtenBefore) / SENT_PER_WINDOW_BYTE + seconds * IDLE_PER_SECOND
    this.#idle = Math.min(this.#burst, this.#idle + allowed - (read - this.#readBefore))
    this.#used = 0
    this.#readBefore = read
    this.#writtenBefore = written
    return this.#idle >= 0
  }
}
