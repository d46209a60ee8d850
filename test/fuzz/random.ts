/** Seeded chance: the same seed makes the same case on every machine. It knows no grammar. */

export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 to below 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }

  /** Whole number, 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  /** True once in so many. */
  oneIn(times: number): boolean {
    return this.below(times) === 0
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  /** Cuts into pieces at random places; mostly few, sometimes single bytes. */
  split(bytes: Buffer): Buffer[] {
    if (bytes.length < 2 || this.oneIn(3)) return [bytes]
    if (bytes.length < 300 && this.oneIn(12)) return [...bytes].map((byte) => Buffer.from([byte]))
    const places = new Set([0, bytes.length])
    for (let count = 1 + this.below(6); count > 0; count--) places.add(this.below(bytes.length))
    // Between CR and LF, and just before and after a line: where parsers keep state.
    const breaks = [...bytes.keys()].filter((at) => bytes[at] === 0x0d || bytes[at] === 0x0a)
    if (breaks.length > 0) places.add(this.pick(breaks) + this.below(2))
    const sorted = [...places].sort((a, b) => a - b)
    return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end))
  }
}
