/**
 * Visits the strings that field paths name in a parsed JSON document, and replaces them in place. It knows no rule: what
 * becomes of a string is the visitor's to say.
 */
import { type FieldSegment, parseFieldPath } from '../config/field-path.ts'
import { isExactNumber, wholeDigits } from './exact-json.ts'

/** Objects and arrays within one another. A deeper document is refused. */
export const MAX_DEPTH = 32

/** What a visitor returns for a string that must not pass. */
export const REFUSE = null
export type Visit = (text: string) => string | typeof REFUSE

/** A key is compared without case (`step.folded`): many services bind `Text` to `text`. */
interface Step {
  readonly kind: FieldSegment['kind']
  readonly folded: string
  readonly index: number
}
export type FieldPath = readonly Step[]

/** Compiles a path; throws an Error with a sentence for people. */
export function compileField(path: string): FieldPath {
  const parsed = parseFieldPath(path)
  if (typeof parsed === 'string') throw new Error(`"${path}" ${parsed}`)
  return Object.freeze(
    parsed.map((each) => ({
      kind: each.kind,
      folded: 'name' in each ? fold(each.name) : '',
      index: each.kind === 'index' ? each.index : -1,
    })),
  )
}

/** What is wrong with a path, as a sentence; null where nothing is. */
export function validateField(path: string): string | null {
  const parsed = parseFieldPath(path)
  return typeof parsed === 'string' ? parsed : null
}

/** Makes names equal that a service might take for one: `TEXT`, `text`, and the letters that case folding joins (`ſ`, `K`). */
export function fold(name: string): string {
  return name.toUpperCase().toLowerCase()
}

/** A key that could reach a prototype in a careless service. */
export function isForbiddenKey(key: string): boolean {
  return key === '__proto__' || key === 'constructor' || key === 'prototype'
}

/** The document after a visit. `root` is the document itself, or its replacement where it is a single string. */
export interface Visited {
  root: unknown
  changed: boolean
  refused: boolean
}

/** Visits every string below each path; where a path ends at an object or array, every string in it. */
export function applyFields(document: unknown, paths: readonly FieldPath[], visit: Visit): Visited {
  const walk = new Walk(document, visit)
  for (let i = 0; i < paths.length && !walk.refused; i++) walk.root = walk.follow(walk.root, paths[i]!, 0)
  return walk
}

/** Visits every string, and refuses a document in which the visitor would change a key. */
export function applyEverywhere(document: unknown, visit: Visit): Visited {
  const walk = new Walk(document, visit)
  walk.root = walk.everything(document, true)
  return walk
}

/** Members of all objects in the document; -1 where a key is forbidden. The depth must be bounded already. */
export function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let keys = 0
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const below = countKeys(value[i])
      if (below === -1) return -1
      keys += below
    }
    return keys
  }
  for (const key in value) {
    if (isForbiddenKey(key)) return -1
    const below = countKeys((value as Record<string, unknown>)[key])
    if (below === -1) return -1
    keys += below + 1
  }
  return keys
}

/** Shorter numbers are nothing without their names. */
const LEAST_DIGITS = 12

/** A number, visited with its name before it: `cvv` and `123`, `orderId` and a long one. Other values are visited alone. */
export function visitNamed(visit: Visit, name: string, value: string): string | typeof REFUSE {
  if (!isNumber(value) || !PLAIN_NAME.test(name)) return visit(value)
  const result = visit(`${name.replace(/[-_]/g, ' ')}: ${value}`)
  if (result === REFUSE) return REFUSE
  // Whatever the visitor makes of the name, the value is the last of it.
  return result.endsWith(value) ? value : result.slice(-value.length)
}

const PLAIN_NAME = /^[\p{L}\d _-]{1,40}$/u
const NUMBER = /^(?:\d{3,4}|\d{12,40})$/

function isNumber(text: string): boolean {
  return text.length > 2 && text.length <= 40 && NUMBER.test(text)
}

class Walk implements Visited {
  root: unknown
  changed = false
  refused = false
  readonly #visit: Visit

  constructor(root: unknown, visit: Visit) {
    this.root = root
    this.#visit = visit
  }

  /** The value, or what replaces it. */
  follow(value: unknown, path: FieldPath, at: number): unknown {
    if (at === path.length) return this.everything(value, false)
    if (typeof value !== 'object' || value === null || isExactNumber(value)) return value
    const step = path[at]!
    if (Array.isArray(value)) this.#intoArray(value, step, path, at)
    else this.#intoObject(value as Record<string, unknown>, step, path, at)
    return value
  }

  #intoArray(value: unknown[], step: Step, path: FieldPath, at: number): void {
    if (step.kind === 'index') {
      if (step.index < value.length) value[step.index] = this.follow(value[step.index], path, at + 1)
    } else if (step.kind !== 'key') {
      const next = step.kind === 'deep' ? at : at + 1
      for (let i = 0; i < value.length; i++) value[i] = this.follow(value[i], path, next)
    }
  }

  #intoObject(value: Record<string, unknown>, step: Step, path: FieldPath, at: number): void {
    if (step.kind === 'index') return
    for (const key in value) {
      if (step.kind === 'every' || isKey(key, step.folded)) {
        value[key] =
          at + 1 === path.length ? this.#member(key, value[key], false) : this.follow(value[key], path, at + 1)
      }
      if (step.kind === 'deep') value[key] = this.follow(value[key], path, at)
    }
  }

  everything(value: unknown, keysToo: boolean): unknown {
    if (typeof value === 'string') return this.#text(value)
    if (typeof value === 'number' || isExactNumber(value)) return this.#number(value)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) value[i] = this.everything(value[i], keysToo)
      return value
    }
    const object = value as Record<string, unknown>
    for (const key in object) {
      if (keysToo && this.#visit(key) !== key) this.refused = true
      object[key] = this.#member(key, object[key], keysToo)
    }
    return value
  }

  /** What stands alone under a name may mean something only with it. */
  #member(key: string, value: unknown, keysToo: boolean): unknown {
    const text = typeof value === 'string' ? value : wholeDigits(value)
    if (text === null || !isNumber(text)) return this.everything(value, keysToo)
    const result = visitNamed(this.#visit, key, text)
    if (result === REFUSE) this.refused = true
    if (result === REFUSE || result === text) return value
    this.changed = true
    return result
  }

  /** A number is visited as its digits; where they must not pass, a string takes its place. */
  #number(value: unknown): unknown {
    const digits = wholeDigits(value)
    if (digits === null || digits.length < LEAST_DIGITS) return value
    const result = this.#text(digits)
    return result === digits ? value : result
  }

  #text(text: string): string {
    const result = this.#visit(text)
    if (result === REFUSE) {
      this.refused = true
      return text
    }
    if (result !== text) this.changed = true
    return result
  }
}

function isKey(key: string, folded: string): boolean {
  return key === folded || (key.length === folded.length && fold(key) === folded)
}
