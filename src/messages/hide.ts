/**
 * Hides who a customer is: chosen fields of what services send are masked, hashed under a key, or left out. It knows
 * documents, no transport; what it cannot read it does not let pass.
 */
import { createHmac } from 'node:crypto'
import { isExactNumber } from './exact-json.ts'
import { compileField, type FieldPath, fold, type Visited } from './fields.ts'
import { type Cleaned, finish, UNREADABLE } from './rules.ts'
import { parseStrict } from './strict-json.ts'

/** What stands in place of a value; null: it is left out. */
type Replace = ((text: string) => string) | null

export interface Hider {
  /** A document by REST or in an event. */
  document(json: string): Cleaned
  /** The arguments of a socket.io packet: a path begins at their list, or at any one of them. */
  packet(json: string, isEvent: boolean): Cleaned
}

/** One wish. `key` is needed for `hash` alone. */
export interface HideWish {
  readonly fields: readonly string[]
  readonly mode: 'mask' | 'hash' | 'drop'
  readonly key: string | null
  /** Whoever has one of these roles sees the fields. */
  readonly exceptRoles: readonly string[]
}

/** The hider for those who have these roles; null where nothing is hidden from them. */
export type HiderFor = (roles: readonly string[]) => Hider | null

interface CompiledWish {
  readonly paths: readonly FieldPath[]
  readonly replace: Replace
  readonly exceptRoles: readonly string[]
}

/** Throws an Error with a sentence for a path that is none. Hidden from everyone that a wish does not name. */
export function compileHiders(wishes: readonly HideWish[]): HiderFor {
  const compiled = wishes.map(({ fields, mode, key, exceptRoles }): CompiledWish => {
    const replace: Replace = mode === 'drop' ? null : mode === 'mask' ? mask : (text) => keyed(key!, text)
    return { paths: fields.map(compileField), replace, exceptRoles }
  })
  const all = makeHider(compiled)
  if (compiled.every(({ exceptRoles }) => exceptRoles.length === 0)) return () => all
  // One for each set of wishes that roles leave, made when it is first asked for.
  const made = new Map<string, Hider | null>()
  return (roles) => {
    const left = compiled.filter(({ exceptRoles }) => !exceptRoles.some((role) => roles.includes(role)))
    const key = left.map((each) => compiled.indexOf(each)).join()
    let hider = made.get(key)
    if (hider === undefined) {
      hider = left.length === 0 ? null : makeHider(left)
      made.set(key, hider)
    }
    return hider
  }
}

function makeHider(wishes: readonly CompiledWish[]): Hider {
  const hideIn = (json: string, visit: (hiding: Hiding, document: unknown) => Visited): Cleaned => {
    const document = parseStrict(json)
    if (document === undefined) return UNREADABLE
    return finish(json, document, (root) => visit(new Hiding(), root))
  }
  return {
    document: (json) => hideIn(json, (hiding, root) => hiding.hide([root], wishes)[0]!),
    packet: (json, isEvent) =>
      hideIn(json, (hiding, root) => {
        if (!Array.isArray(root)) return hiding.hide([root], wishes)[0]!
        const list = isEvent ? root.slice(1) : root
        // The values stand in the list: what is found from both is one place, and changed once.
        const [visited] = hiding.hide([list, ...list], wishes)
        if (isEvent) visited!.root = [root[0], ...list]
        return visited!
      }),
  }
}

/** Replaces texts and numbers below the paths; what cannot be read is refused. Throws an Error with a sentence. */
export function compileReplacer(fields: readonly string[], replace: (text: string) => string): Hider {
  return makeHider([{ paths: fields.map(compileField), replace, exceptRoles: [] }])
}

/** Finds all places first, so that a place to which several paths lead is changed once. */
class Hiding {
  readonly #places = new Map<object, Map<string, Replace>>()

  /** Follows every path from every root. Roots that are no objects are looked at in the first alone. */
  hide(roots: readonly unknown[], wishes: readonly CompiledWish[]): Visited[] {
    const holders = roots.map((root) => ({ root }))
    for (const [i, holder] of holders.entries()) {
      if (i > 0 && (typeof holder.root !== 'object' || holder.root === null)) continue
      for (const { paths, replace } of wishes) {
        for (const path of paths) if (i === 0 || path.length > 0) this.#follow(holder, 'root', path, 0, replace)
      }
    }
    let changed = false
    for (const [place, keys] of this.#places) {
      for (const [key, replace] of keys) if (put(place, key, replace)) changed = true
    }
    return holders.map(({ root }) => ({ root, changed, refused: false }))
  }

  #follow(parent: object, key: string, path: FieldPath, at: number, replace: Replace): void {
    if (at === path.length) return this.#take(parent, key, replace)
    const value = (parent as Record<string, unknown>)[key]
    if (typeof value !== 'object' || value === null || isExactNumber(value)) return
    const step = path[at]!
    const isList = Array.isArray(value)
    for (const each of Object.keys(value)) {
      const isNamed = isList
        ? step.kind === 'every' || (step.kind === 'index' && String(step.index) === each)
        : step.kind === 'every' || (step.kind !== 'index' && fold(each) === step.folded)
      if (isNamed) this.#follow(value, each, path, at + 1, replace)
      if (step.kind === 'deep') this.#follow(value, each, path, at, replace)
    }
  }

  /** What is left out goes as a whole; else texts and numbers, wherever they stand below. */
  #take(parent: object, key: string, replace: Replace): void {
    const value = (parent as Record<string, unknown>)[key]
    const isBranch = typeof value === 'object' && value !== null && !isExactNumber(value)
    if (isBranch && replace !== null) {
      for (const each of Object.keys(value)) this.#take(value, each, replace)
      return
    }
    let keys = this.#places.get(parent)
    if (keys === undefined) {
      keys = new Map()
      this.#places.set(parent, keys)
    }
    // The first wish counts where several want the same, but for one that leaves it out.
    if (replace === null || !keys.has(key)) keys.set(key, replace)
  }
}

/** True where that changed something. What is true, false or null tells nobody apart. */
function put(place: object, key: string, replace: Replace): boolean {
  const object = place as Record<string, unknown>
  const value = object[key]
  if (replace === null) {
    if (Array.isArray(place) || key === 'root') object[key] = null
    else delete object[key]
    return true
  }
  if (typeof value !== 'string' && typeof value !== 'number' && !isExactNumber(value)) return false
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const replaced = replace(text)
  if (replaced === text) return false
  object[key] = replaced
  return true
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
