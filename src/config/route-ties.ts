/**
 * Finds routes that want the same request: anything that is not equally specific is no tie. It reads the tree as it was
 * written and routes nothing.
 */
import { ConditionShape, conditionKeys, contradict, type HeaderCondition, keyCount } from '../http/header-condition.ts'
import { samePaths } from '../http/path-pattern.ts'
import { type Findings, membersOf, textOf, textsOf } from './findings.ts'
import { readConditions } from './match-shape.ts'

type Members = ReturnType<typeof membersOf>
const DEFAULT_METHODS = ['GET', 'POST']
/** Combinations of header values that one route may ask for. */
const MOST_KEYS = 1024
/** Sets of header names that routes of one path may ask for: each costs a look at the fields. */
const MOST_SHAPES = 16

interface Claim {
  readonly i: number
  readonly host: string
  readonly path: string
  readonly methods: ReadonlySet<string>
  readonly conditions: readonly HeaderCondition[]
}

export class RouteTies {
  readonly #findings: Findings
  readonly #names: readonly (string | null)[]
  /** Who has a method, with these values of these fields, at a place. */
  readonly #owners = new Map<string, number>()
  /** By place, then by the names that are asked for: those who ask. */
  readonly #places = new Map<string, Map<string, Claim[]>>()

  constructor(routes: readonly unknown[], findings: Findings) {
    this.#findings = findings
    this.#names = routes.map((route) => textOf(membersOf(route).name))
  }

  add(route: Members, i: number): void {
    const path = textOf(route.path)
    if (path === null) return
    const methods = new Set(
      Array.isArray(route.methods) ? textsOf(route.methods).map(([, text]) => text) : DEFAULT_METHODS,
    )
    if (methods.has('GET')) methods.add('HEAD')
    const hosts = textsOf(route.hosts).map(([, host]) => host)
    const conditions = readConditions(membersOf(membersOf(route.match).headers))
    if (keyCount(conditions) > MOST_KEYS) {
      return this.#findings.mismatch(['routes', i, 'match'], `asks for more than ${MOST_KEYS} combinations of values`)
    }
    for (const host of new Set(hosts.length === 0 ? [''] : hosts)) {
      if (!this.#claim({ i, host, path, methods, conditions })) return
    }
  }

  /** False where a tie was told: one for a route is enough. */
  #claim(claim: Claim): boolean {
    const { i, host, path, methods, conditions } = claim
    const place = `${host} ${samePaths(path)}`
    const { id } = new ConditionShape(conditions)
    const shapes = this.#places.get(place) ?? new Map<string, Claim[]>()
    this.#places.set(place, shapes)
    const alike = shapes.get(id) ?? []
    shapes.set(id, alike)
    alike.push(claim)
    if (shapes.size === MOST_SHAPES + 1 && alike.length === 1) {
      this.#findings.mismatch(
        ['routes', i, 'match'],
        `is the set of header names number ${shapes.size} that routes of ${JSON.stringify(path)} ask for; ${MOST_SHAPES} may be`,
      )
    }
    for (const key of conditionKeys(conditions)) {
      for (const method of methods) {
        const owned = `${method} ${place} ${id} ${key}`
        const first = this.#owners.get(owned)
        if (first === undefined) this.#owners.set(owned, i)
        else if (first !== i) return this.#tell(claim, first, method)
      }
    }
    return true
  }

  #tell({ i, host, path }: Claim, first: number, method: string): false {
    const where = host === '' ? '' : ` on ${host}`
    const name = this.#names[first] === null ? '' : ` (${JSON.stringify(this.#names[first])})`
    this.#findings.mismatch(
      ['routes', i, 'path'],
      `${method} ${JSON.stringify(path)}${where} belongs to routes[${first}]${name} already; give one of them another path, host, method or header`,
    )
    return false
  }

  /** Once all routes are known: those that ask for as many fields, but for others. */
  finish(): void {
    for (const shapes of this.#places.values()) {
      if (shapes.size < 2 || shapes.size > MOST_SHAPES) continue
      const groups = [...shapes.values()]
      for (const [at, group] of groups.entries()) {
        for (const other of groups.slice(0, at)) {
          if (other[0]!.conditions.length === group[0]!.conditions.length) this.#compare(other, group)
        }
      }
    }
  }

  /** Tells one tie at most for two groups: in them each pair is as the others, mostly. */
  #compare(first: readonly Claim[], second: readonly Claim[]): void {
    const common = first[0]!.conditions.map(({ name }) => name)
    const byValues = new Map<string, Claim[]>()
    const keysOf = (claim: Claim): string[] =>
      conditionKeys(
        claim.conditions.filter(({ name, values }) => values !== null && common.includes(name) && both(name)),
      )
    const both = (name: string): boolean =>
      [first[0]!, second[0]!].every(({ conditions }) =>
        conditions.some((one) => one.name === name && one.values !== null),
      )
    for (const claim of first) {
      for (const key of keysOf(claim)) byValues.set(key, [...(byValues.get(key) ?? []), claim])
    }
    for (const claim of second) {
      for (const key of keysOf(claim)) {
        for (const other of byValues.get(key) ?? []) {
          const method = [...claim.methods].find((each) => other.methods.has(each))
          if (method === undefined || contradict(claim.conditions, other.conditions)) continue
          const [earlier, later] = other.i < claim.i ? [other, claim] : [claim, other]
          if (earlier.i !== later.i) return void this.#tell(later, earlier.i, method)
        }
      }
    }
  }
}

/** Names of segments that a pattern has twice. */
export function repeatedNames(names: readonly string[]): string[] {
  return names.filter((name, i) => names.indexOf(name) !== i)
}
