/** Clients that ask without a pause, each over a connection of its own, while a test does something to the gateway. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Place, type RequestTransport, requestTransports } from './clients.ts'
import { until } from './wait.ts'

export interface LoadOptions {
  /** Clients per transport. */
  readonly clients?: number
  readonly transports?: readonly RequestTransport[]
  /** Requests go to `${path}/${client}-${number}`; each path is asked once. */
  readonly path?: string
}

export interface Shot {
  readonly transport: string
  readonly path: string
  readonly status: number
  readonly isComplete: boolean
  readonly error: string
  /** What came was the echo of what was asked. */
  readonly isEcho: boolean
  /** `performance.now()` milliseconds. */
  readonly startedAt: number
  readonly durationMs: number
}

/** Of a test: what is to be done at its end. */
export interface Teardown {
  teardown(handler: () => void): void
}

export interface SteadyLoad {
  /** All requests that ended, in the order of their end. */
  readonly shots: Shot[]
  /** Resolves when every client has had so many further answers. Rejects where one has none for too long, or failed. */
  more(perClient: number): Promise<void>
  stop(): Promise<Shot[]>
}

/**
 * Against the echo of `startUpstream`: GET and POST in turn. It ends with the test that it is for, also where that fails:
 * clients that ask for ever would hide what failed behind a time-out of the whole file.
 */
export function startLoad(t: Teardown, place: Place, options: LoadOptions = {}): SteadyLoad {
  const { clients = 3, transports = requestTransports, path = '/echo' } = options
  const shots: Shot[] = []
  const counts: number[] = []
  let running = true
  const run = async (transport: RequestTransport, index: number): Promise<void> => {
    const client = transport.open(place)
    for (let i = 0; running; i++) {
      const startedAt = performance.now()
      const own = `${path}/${index}-${i}`
      const body = i % 2 === 0 ? null : `body ${index} ${i}`
      const reply = await client.ask({ path: own, ...(body === null ? {} : { method: 'POST', body }) })
      shots.push({
        ...{ transport: transport.name, path: own, startedAt, durationMs: performance.now() - startedAt },
        ...{ status: reply.status, isComplete: reply.isComplete, error: reply.error },
        isEcho: reply.text.includes(`"url":"${own}"`) && reply.text.includes(`"body":"${body ?? ''}"`),
      })
      counts[index]!++
      // A client that is refused at once must not spin.
      await sleep(reply.status === 200 ? 1 : 20)
    }
    await client.close()
  }
  const workers: Promise<void>[] = []
  for (const transport of transports) {
    for (let i = 0; i < clients; i++) {
      counts.push(0)
      workers.push(run(transport, workers.length))
    }
  }
  const all = Promise.all(workers)
  // A client that fails is told by who waits for it.
  all.catch(() => {})
  t.teardown(() => {
    running = false
  })
  return {
    shots,
    more: async (perClient) => {
      const goals = counts.map((count) => count + perClient)
      const arrived = until(() => goals.every((goal, i) => counts[i]! >= goal), `${perClient} more answers each`)
      await Promise.race([arrived, all])
    },
    stop: async () => {
      running = false
      await all
      return shots
    },
  }
}

/** What did not come back as it should, one line each. */
export function failuresOf(shots: readonly Shot[]): string[] {
  return shots
    .filter((shot) => shot.status !== 200 || !shot.isComplete || !shot.isEcho)
    .map(({ transport, path, status, error }) => `${transport} ${path} ${status} ${error}`)
}
