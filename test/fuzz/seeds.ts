/** Runs cases by their seeds, some at once, over both protocols, until the seeds or the time are used up. It knows no case. */
import { Chance } from './random.ts'

export type FuzzProtocol = 'h1' | 'h2'

export interface Failed {
  readonly seed: number
  readonly protocol: FuzzProtocol
  readonly wrong: string
}

export interface SeedRange {
  readonly from: number
  /** The first that does not run. */
  readonly to: number
  /** When to begin no more, in `performance.now()` milliseconds. */
  readonly until: number
}

/** `run` tells what is wrong with the case of a seed; ''. */
export async function runSeeds(
  { from, to, until }: SeedRange,
  atOnce: number,
  protocolOf: (seed: number) => FuzzProtocol,
  run: (seed: number, protocol: FuzzProtocol, chance: Chance) => Promise<string>,
): Promise<{ failed: Failed[]; ran: number }> {
  const failed: Failed[] = []
  let next = from
  const worker = async (): Promise<void> => {
    while (next < to && performance.now() < until) {
      const seed = next++
      const protocol = protocolOf(seed)
      const wrong = await run(seed, protocol, new Chance(seed))
      if (wrong !== '') failed.push({ seed, protocol, wrong })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return { failed, ran: next - from }
}
