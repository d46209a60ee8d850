/**
 * Hides who a customer is: chosen fields of what services send are masked, hashed under a key, or left out. It knows
 * documents, no transport; what it cannot read it does not let pass.
 */
import { createHmac } from 'node:crypto'
import { isExactNumber } from './exact-json.ts'
import { compileField, type FieldPath, fold, type Visited } from './fields.ts'
import { type Cleaned, finish, parseStrict, UNREADABLE } from './rules.ts'

/** What stands in place of a value. */
type Replace = (text: string) => string

export interface Hider {
  /** A document by REST or in an event. */
  document(json: string): Cleaned
  /** The arguments of a socket.io packet: a path begins at their list, or at any one of them. */
  packet(json: string, isEvent: boolean): Cleaned
}

/** `key` is needed for `hash` alone. Throws an Error with a sentence for a path that is none. */
export function compileHider(paths: readonly string[], mode: 'mask' | 'hash' | 'drop', key: string | null): Hider {
  const compiled = paths.map(compileField)
  const replace: Replace | null = mode === 'drop' ? null : mode === 'mask' ? mask : (text) => keyed(key!, text)
  const hideIn = (json: string, visit: (hiding: Hiding, document: unknown) => Visited): Cleaned => {
    const document = parseStrict(json)
    if (document === undefined) return UNREADABLE
    return finish(json, document, (root) => visit(new Hiding(replace), root))
  }
  return {
    document: (json) => hideIn(json, (hiding, root) => hiding.hide([root], compiled)[0]!),
    packet: (json, isEvent) =>
      hideIn(json, (hiding, root) => {
        if (!Array.isArray(root)) return hiding.hide([root], compiled)[0]!
        const list = isEvent ? root.slice(1) : root
        // The values stand in the list: what is found from both is one place, and changed once.
        const [visited] = hiding.hide([list, ...list], compiled)
        if (isEvent) visited!.root = [root[0], ...list]
        return visited!
      }),
  }
}

/** Finds all places first, so that a place to which several paths lead is changed once. */
class Hiding {
  readonly #replace: Replace | null
  readonly #places = new Map<object, Set<string>>()

  constructor(replace: Replace | null) {
    this.#replace = replace
  }

  /** Follows every path from every root. Roots that are no objects are looked at in the first alone. */
  hide(roots: readonly unknown[], paths: readonly FieldPath[]): Visited[] {
    const holders = roots.map((root) => ({ root }))
    for (const [i, holder] of holders.entries()) {
      if (i > 0 && (typeof holder.root !== 'object' || holder.root === null)) continue
      for (const path of paths) {
        if (i === 0 || path.length > 0) this.#follow(holder, 'root', path, 0)
      }
    }
    let changed = false
    for (const [place, keys] of this.#places) for (const key of keys) if (this.#put(place, key)) changed = true
    return holders.map(({ root }) => ({ root, changed, refused: false }))
  }

  #follow(parent: object, key: string, path: FieldPath, at: number): void {
    if (at === path.length) return this.#take(parent, key)
    const value = (parent as Record<string, unknown>)[key]
    if (typeof value !== 'object' || value === null || isExactNumber(value)) return
    const step = path[at]!
    const isList = Array.isArray(value)
    for (const each of Object.keys(value)) {
      const isNamed = isList
        ? step.kind === 'every' || (step.kind === 'index' && String(step.index) === each)
        : step.kind === 'every' || (step.kind !== 'index' && fold(each) === step.folded)
      if (isNamed) this.#follow(value, each, path, at + 1)
      if (step.kind === 'deep') this.#follow(value, each, path, at)
    }
  }

  /** What is left out goes as a whole; else texts and numbers, wherever they stand below. */
  #take(parent: object, key: string): void {
    const value = (parent as Record<string, unknown>)[key]
    const isBranch = typeof value === 'object' && value !== null && !isExactNumber(value)
    if (isBranch && this.#replace !== null) {
      for (const each of Object.keys(value)) this.#take(value, each)
      return
    }
    let keys = this.#places.get(parent)
    if (keys === undefined) {
      keys = new Set()
      this.#places.set(parent, keys)
    }
    keys.add(key)
  }

  /** True where that changed something. What is true, false or null tells nobody apart. */
  #put(place: object, key: string): boolean {
    const object = place as Record<string, unknown>
    const value = object[key]
    if (this.#replace === null) {
      if (Array.isArray(place) || key === 'root') object[key] = null
      else delete object[key]
      return true
    }
    if (typeof value !== 'string' && typeof value !== 'number' && !isExactNumber(value)) return false
    object[key] = this.#replace(typeof value === 'string' ? value : JSON.stringify(value))
    return object[key] !== value
  }
}

const MASK_SHOWS = 2
const MASK_FROM = 8

/** Every character a star, but the last two of a long text: enough to tell two callers apart on a screen. */
function mask(text: string): string {
  const characters = [...text]
  const shown = characters.length >= MASK_FROM ? characters.slice(-MASK_SHOWS).join('') : ''
  return '*'.repeat(characters.length - (shown === '' ? 0 : MASK_SHOWS)) + shown
}

/** The same text gives the same value, so that conversations of one customer can be told to be so. */
function keyed(key: string, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url').slice(0, 22)
}
