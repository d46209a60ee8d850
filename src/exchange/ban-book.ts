/** The bans as those see them who list, make and end some. It knows neither where they live nor how they hold. */
import type { Ban } from './shared-bans.ts'

export interface BanRequest {
  readonly subject: string
  /** Milliseconds; 0: until it is taken back. */
  readonly forMs: number
  /** Free of secrets. */
  readonly reason: string
}

export interface BanBook {
  /** Those in force, the first to end first. */
  all(): Ban[]
  /** The ban, or the end of a sentence that begins with the subject. */
  add(request: BanRequest): Promise<Ban | { readonly problem: string }>
  /** False where there is no such ban. */
  remove(subject: string): Promise<boolean>
}
