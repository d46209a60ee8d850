/** The part of autocannon that the load script uses; the package brings no types. */
declare module 'autocannon' {
  export interface Options {
    readonly url: string
    readonly connections: number
    /** Seconds. */
    readonly duration: number
    /** Requests a second over all connections; left out: as fast as they are answered. */
    readonly overallRate?: number
    readonly timeout?: number
    readonly method?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  }
  export interface Result {
    readonly duration: number
    readonly errors: number
    readonly timeouts: number
    readonly statusCodeStats: Readonly<Record<string, { readonly count: number }>>
    readonly latency: Readonly<Record<'p50' | 'p97_5' | 'p99' | 'max', number>>
    readonly requests: { readonly average: number; readonly total: number }
  }
  export default function autocannon(options: Options): Promise<Result>
}
