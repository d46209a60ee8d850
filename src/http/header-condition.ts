/** What a route may ask of a request's fields: a value out of several, being there, not being there. It knows no route. */
import { type HeaderList, hasHeader, joinHeader } from './headers.ts'

export interface HeaderCondition {
  /** Lower case. */
  readonly name: string
  /** One of these, as a whole; null where only `isPresent` counts. */
  readonly values: readonly string[] | null
  readonly isPresent: boolean
}

/** Conditions on the same names in the same way: they differ in values alone, which one look-up tells apart. */
export class ConditionShape {
  readonly id: string
  readonly size: number
  readonly #valued: readonly string[]
  readonly #present: readonly string[]
  readonly #absent: readonly string[]

  constructor(conditions: readonly HeaderCondition[]) {
    const named = (fits: (one: HeaderCondition) => boolean): string[] =>
      conditions
        .filter(fits)
        .map(({ name }) => name)
        .sort()
    this.#valued = named(({ values }) => values !== null)
    this.#present = named(({ values, isPresent }) => values === null && isPresent)
    this.#absent = named(({ values, isPresent }) => values === null && !isPresent)
    this.size = conditions.length
    this.id = [this.#valued, this.#present, this.#absent].map((names) => names.join()).join(' ')
  }

  /** What these fields look up; null where they do not fit. Repeated fields count as one, joined. */
  keyOf(headers: HeaderList): string | null {
    for (const name of this.#present) if (!hasHeader(headers, name)) return null
    for (const name of this.#absent) if (hasHeader(headers, name)) return null
    let key = ''
    for (const name of this.#valued) {
      const value = joinHeader(headers, name)
      if (value === null) return null
      key += `${value}\n`
    }
    return key
  }
}

/** How many keys fulfil the conditions. */
export function keyCount(conditions: readonly HeaderCondition[]): number {
  return conditions.reduce((count, { values }) => count * (values?.length ?? 1), 1)
}

/** All keys that fulfil the conditions: as many as the values of one times those of the next. */
export function conditionKeys(conditions: readonly HeaderCondition[]): string[] {
  let keys = ['']
  const valued = conditions.filter(({ values }) => values !== null)
  for (const { values } of valued.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    keys = keys.flatMap((key) => values!.map((value) => `${key}${value}\n`))
  }
  return keys
}

/** True where one asks for a field that the other does not want. */
export function contradict(a: readonly HeaderCondition[], b: readonly HeaderCondition[]): boolean {
  return a.some((one) => b.some((other) => one.name === other.name && !overlap(one, other)))
}

function overlap(a: HeaderCondition, b: HeaderCondition): boolean {
  if (a.isPresent !== b.isPresent) return false
  if (a.values === null || b.values === null) return true
  return a.values.some((value) => b.values!.includes(value))
}
