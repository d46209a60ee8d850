/**
 * What is known of an endpoint and outlives a reload: what runs there, what its checks and its requests said. It decides
 * nothing.
 */
export class EndpointState {
  /** Requests and event streams that run. */
  requests = 0
  /** WebSockets that are open, or being opened. */
  sockets = 0

  /** What the active checks say. */
  isUp = true
  /** Checks in a row that said otherwise. */
  streak = 0

  /** Failures of requests in a row. */
  failures = 0
  /** Requests, and failed ones, since the window began. */
  seen = 0
  failed = 0
  windowBegan = 0
  /** When it comes back, in `performance.now()` milliseconds; 0 where it is not ejected. */
  ejectedUntil = 0
  /** Times in a row. */
  ejections = 0

  /** An operator took it out. */
  isDrained = false
  /** When it came back last; it warms up from then on. */
  backAt = Number.NEGATIVE_INFINITY

  /** Its name does not lead to it any more. */
  isGone = false

  /** New clients may come. */
  get isIn(): boolean {
    return this.isUp && this.ejectedUntil === 0 && !this.isDrained && !this.isGone
  }
}
