/** Starts a gateway process and connects it to its signals. Without a configuration of one's own: the demo. */
import { setDefaultHighWaterMark } from 'node:stream'
import { ConfigurationError } from './errors.ts'
import { Gateway } from './gateway.ts'
import { holdBackHelpers } from './helper-threads.ts'
import { keepYoungGeneration } from './young-generation.ts'

export interface MainOptions {
  /** Null: the demo service and its configuration. */
  readonly configPath: string | null
}

/** After a second signal nothing that hangs keeps the process longer than this. */
const HARD_END_MS = 1000

/** Resolves when the gateway serves. Mistakes go to standard error, one a line, and set the exit code 1. */
export async function main(options: MainOptions): Promise<void> {
  // What a client that stops reading may have waiting: one piece of an answer, as it is read (src/upstream/inlet.ts).
  setDefaultHighWaterMark(false, 32 * 1024)
  const demo = options.configPath === null ? await (await import('../demo/start.ts')).startBehindGateway() : null
  const gateway = new Gateway({
    configPath: options.configPath ?? demo!.configPath,
    env: process.env,
    onEnd: () => process.exit(0),
  })
  // Before the start, which they may meet half-way: unhandled, each of these signals would end the process.
  connectSignals(gateway)
  process.on('uncaughtExceptionMonitor', (error) => gateway.sayCrash(error))
  try {
    await gateway.start()
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    for (const problem of error.problems) process.stderr.write(`${problem}\n`)
    process.exit(1)
  }
  keepYoungGeneration()
  // By now all of them run: reading files has started the pool.
  holdBackHelpers()
  for (const { setting, host, port } of gateway.addresses) {
    gateway.log.gateway.info('Listening', { setting, address: `${host}:${port}` })
  }
  demo?.onServing()
}

function connectSignals(gateway: Gateway): void {
  process.on('SIGHUP', () => {
    gateway.reopenLogs()
    void gateway.reload('SIGHUP')
  })
  let stops = 0
  const stop = (): void => {
    stops++
    void gateway.drain()
    if (stops > 1) setTimeout(() => process.exit(1), HARD_END_MS).unref()
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
}
