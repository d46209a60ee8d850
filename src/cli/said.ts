/** What commands say and how they end: standard output, standard error, exit codes. */

export const DONE = 0
export const FAILED = 1

/** The command was called in a way that it does not know: exit code 2. */
export class UsageError extends Error {}

export function print(text: string): number {
  process.stdout.write(text)
  return DONE
}

export function complain(text: string): void {
  process.stderr.write(`${text}\n`)
}
