/** Collects what the checks find, and reads values of unknown form for them. It knows no setting. */
import type { ConfigDocument, Problem, SettingPath } from './document.ts'

export class Findings {
  readonly document: ConfigDocument
  readonly errors: Problem[] = []
  readonly warnings: Problem[] = []

  constructor(document: ConfigDocument) {
    this.document = document
  }

  /** The value itself is wrong, whatever else the file says. */
  wrong(path: SettingPath, sentence: string): void {
    this.errors.push({ offset: this.document.offsetOf(path), path, sentence, kind: 'value' })
  }

  /** The key is wrong. */
  wrongKey(path: SettingPath, sentence: string): void {
    this.errors.push({ offset: this.document.keyOffsetOf(path), path, sentence, kind: 'value' })
  }

  /** The value does not go with what stands, or does not stand, elsewhere. */
  mismatch(path: SettingPath, sentence: string): void {
    this.errors.push({ offset: this.document.offsetOf(path), path, sentence, kind: 'reference' })
  }

  warn(path: SettingPath, sentence: string): void {
    this.warnings.push({ offset: this.document.keyOffsetOf(path), path, sentence, kind: 'reference' })
  }
}

type Members = Readonly<Record<string, unknown>>
const NO_MEMBERS: Members = Object.freeze(Object.create(null))

/** The members of an object; none where the value is something else. */
export function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : NO_MEMBERS
}

/** The entries of a list; none where the value is something else. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** The texts of a list with their indices. */
export function textsOf(value: unknown): [number, string][] {
  return listOf(value).flatMap((each, i): [number, string][] => (typeof each === 'string' ? [[i, each]] : []))
}

export const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)
