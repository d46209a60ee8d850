/**
 * The frame of a load program: it prepares, says so, waits for the word, works for a while, tells its result as a line of
 * JSON, and stays as it is until its standard input ends. It knows no load.
 */
import { createInterface } from 'node:readline'

export interface ClientSettings {
  readonly port: number
  readonly seconds: number
  /** Connections, at once or in turn. */
  readonly count: number
  readonly mode: string
}

/** `prepare` opens what the load needs and returns the work, which runs for the seconds of the settings. */
export async function runClient(prepare: (settings: ClientSettings) => Promise<() => Promise<object>>): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  try {
    const work = await prepare(JSON.parse(process.argv[2]!) as ClientSettings)
    console.log('"ready"')
    await lines.next()
    console.log(JSON.stringify(await work()))
    await lines.next()
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }))
  }
  process.exit(0)
}
