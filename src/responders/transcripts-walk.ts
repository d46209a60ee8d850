/**
 * Walks a folder of transcripts: what is there, sealed or not, bounded in depth and number. It follows no link, and what has
 * an unfit name is not there for it.
 */
import type { Dirent } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { isFitSegment, kindOf, LEFTOVER, MOST_DEPTH, SEALED_ENDING } from './transcripts-path.ts'

export interface StoredTranscript {
  /** Relative to the folder, with `/` between the segments, without the ending of sealed files. */
  readonly name: string
  /** Where it is stored. */
  readonly path: string
  readonly isSealed: boolean
}

export interface Walk {
  /** False where the folder holds more than was looked at. */
  isWhole: boolean
  /** Files that a crash left behind. */
  readonly leftovers: string[]
}

/** Gives what it finds, and fills in `walk` on the way. */
export async function* walkTranscripts(
  folder: string,
  mostEntries: number,
  walk: Walk,
): AsyncGenerator<StoredTranscript> {
  const folders: { name: string; depth: number }[] = [{ name: '', depth: 1 }]
  let left = mostEntries
  for (let within = folders.pop(); within !== undefined; within = folders.pop()) {
    for await (const entry of entriesOf(join(folder, within.name))) {
      if (left-- <= 0) {
        walk.isWhole = false
        return
      }
      const path = join(folder, within.name, entry.name)
      if (LEFTOVER.test(entry.name) && entry.isFile()) walk.leftovers.push(path)
      const isSealed = entry.isFile() && entry.name.endsWith(SEALED_ENDING)
      const segment = isSealed ? entry.name.slice(0, -SEALED_ENDING.length) : entry.name
      if (!isFitSegment(segment)) continue
      const name = within.name === '' ? segment : `${within.name}/${segment}`
      if (entry.isDirectory()) {
        if (within.depth < MOST_DEPTH) folders.push({ name, depth: within.depth + 1 })
      } else if (entry.isFile() && kindOf(segment) !== null) yield { name, path, isSealed }
    }
  }
}

async function* entriesOf(path: string): AsyncGenerator<Dirent> {
  try {
    // The iterator closes the folder, also when it is left early.
    for await (const entry of await opendir(path, { bufferSize: 256 })) yield entry
  } catch {
    // A folder that cannot be read, or went away meanwhile, holds nothing.
  }
}
