/** Runs a load program in a process of its own and talks with it in lines. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ClientSettings } from './client-program.ts'
import { asProgram, withFiles } from './programs.ts'

const PREPARE_MS = 60_000
const GRACE_MS = 20_000

export interface Client<Result> {
  /** Lets it work and resolves to what it tells. */
  work(): Promise<Result>
  /** Closes all its connections. */
  stop(): Promise<void>
}

/** Resolves when the program is prepared. Rejects with its complaint. */
export async function startClient<Result>(file: string, settings: ClientSettings): Promise<Client<Result>> {
  const path = join(import.meta.dirname, file)
  const child = spawn(...withFiles(process.execPath, [path, JSON.stringify(settings)]), {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const program = asProgram(child)
  child.stdin.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (limitMs: number): Promise<unknown> => {
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
    const line = await lines.next()
    clearTimeout(timer)
    if (line.done === true) throw new Error(`${file} ended without a result`)
    const told = JSON.parse(line.value) as { error?: string }
    if (told.error !== undefined) throw new Error(`${file}: ${told.error}`)
    return told
  }
  const stop = async (): Promise<void> => {
    child.stdin.end()
    await program.stop()
  }
  try {
    await next(PREPARE_MS)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    work: async () => {
      child.stdin.write('go\n')
      return (await next(settings.seconds * 1000 + GRACE_MS)) as Result
    },
    stop,
  }
}
