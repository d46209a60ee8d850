/**
 * Finds the route of a request: a named host before a wildcard before any; then segment by segment a word before a
 * `{name}` before the rest; then the one that asks for more of the header fields. The cost is a look-up per path segment,
 * whatever the number of routes.
 */

import { ConditionShape, conditionKeys, type HeaderCondition } from '../http/header-condition.ts'
import type { HeaderList } from '../http/headers.ts'
import { isVariable, segmentsOf } from '../http/path-pattern.ts'
import type { Route, RouteMatch } from './contracts.ts'

/** Where a route stands, as the configuration wrote it. */
export interface RoutePlace {
  /** Empty: any host. `*.example.com` matches what lies under it. */
  readonly hosts: readonly string[]
  /** Exact, with `{name}` for any one segment, or a prefix that ends in `/*`. */
  readonly path: string
  /** All of them must hold. */
  readonly conditions: readonly HeaderCondition[]
  readonly route: Route
}

export type Router = (host: string, path: string, method: string, headers: HeaderList) => RouteMatch

type Found = NonNullable<RouteMatch>

/** The routes that differ in methods only. */
interface Methods {
  readonly byMethod: Map<string, Found>
  readonly otherwise: Found
}

interface Shaped {
  readonly shape: ConditionShape
  readonly byKey: Map<string, Methods>
}

/** The routes of one path: those that ask for more of the fields first. */
type Entry = Shaped[]

interface Node {
  readonly words: Map<string, Node>
  any: Node | null
  /** A pattern ends here. */
  end: Entry | null
  /** A prefix ends here. */
  rest: Entry | null
}

interface Table {
  /** Paths without variables. */
  readonly exact: Map<string, Entry>
  readonly root: Node
}

const ANY_HOST = '*'

/** Builds the tables. Ties are configuration errors that were found before: here the first one stays. */
export function makeRouter(places: readonly RoutePlace[]): Router {
  const tables = new Map<string, Table>()
  for (const place of places) {
    for (const host of place.hosts.length === 0 ? [ANY_HOST] : place.hosts) add(tableFor(tables, host), place)
  }
  const anyHost = tables.get(ANY_HOST)
  const onlyAnyHost = tables.size === 0 || (tables.size === 1 && anyHost !== undefined)

  return (host, path, method, headers) => {
    let found: RouteMatch = null
    if (!onlyAnyHost) {
      found = lookUp(tables.get(host), path, method, headers)
      for (let dot = host.indexOf('.'); found === null && dot !== -1; dot = host.indexOf('.', dot + 1)) {
        found = lookUp(tables.get(`*${host.slice(dot)}`), path, method, headers)
      }
    }
    return found ?? lookUp(anyHost, path, method, headers)
  }
}

function tableFor(tables: Map<string, Table>, host: string): Table {
  let table = tables.get(host)
  if (table === undefined) {
    table = { exact: new Map(), root: newNode() }
    tables.set(host, table)
  }
  return table
}

function newNode(): Node {
  return { words: new Map(), any: null, end: null, rest: null }
}

function add(table: Table, { path, conditions, route }: RoutePlace): void {
  const shaped = shapedFor(entryFor(table, path), conditions)
  for (const key of conditionKeys(conditions)) {
    let methods = shaped.byKey.get(key)
    if (methods === undefined) {
      methods = { byMethod: new Map(), otherwise: { kind: 'wrong-method', route } }
      shaped.byKey.set(key, methods)
    }
    const found: Found = { kind: 'found', route }
    for (const method of route.methods) if (!methods.byMethod.has(method)) methods.byMethod.set(method, found)
  }
}

function entryFor(table: Table, path: string): Entry {
  const segments = segmentsOf(path)
  const isPrefix = segments.at(-1) === '*'
  if (!isPrefix && !segments.some(isVariable)) {
    const entry = table.exact.get(path) ?? []
    table.exact.set(path, entry)
    return entry
  }
  let node = table.root
  for (const segment of isPrefix ? segments.slice(0, -1) : segments) {
    if (isVariable(segment)) {
      node.any ??= newNode()
      node = node.any
    } else {
      const next = node.words.get(segment) ?? newNode()
      node.words.set(segment, next)
      node = next
    }
  }
  if (isPrefix) {
    node.rest ??= []
    return node.rest
  }
  node.end ??= []
  return node.end
}

function shapedFor(entry: Entry, conditions: readonly HeaderCondition[]): Shaped {
  const shape = new ConditionShape(conditions)
  let shaped = entry.find((each) => each.shape.id === shape.id)
  if (shaped === undefined) {
    shaped = { shape, byKey: new Map() }
    entry.push(shaped)
    entry.sort((a, b) => b.shape.size - a.shape.size)
  }
  return shaped
}

function lookUp(table: Table | undefined, path: string, method: string, headers: HeaderList): RouteMatch {
  if (table === undefined || path.charCodeAt(0) !== 47) return null
  const exact = table.exact.get(path)
  const found = exact === undefined ? null : pick(exact, method, headers)
  return found ?? walk(table.root, path, 1, method, headers)
}

/** Goes no deeper than the routes do: a path of many segments costs what the longest route costs. */
function walk(node: Node, path: string, from: number, method: string, headers: HeaderList): RouteMatch {
  const slash = path.indexOf('/', from)
  const segment = slash === -1 ? path.slice(from) : path.slice(from, slash)
  const word = node.words.get(segment)
  let found: RouteMatch = null
  if (word !== undefined) found = enter(word, path, slash, method, headers)
  if (found === null && node.any !== null && segment !== '') found = enter(node.any, path, slash, method, headers)
  if (found === null && node.rest !== null) found = pick(node.rest, method, headers)
  return found
}

function enter(node: Node, path: string, slash: number, method: string, headers: HeaderList): RouteMatch {
  if (slash !== -1) return walk(node, path, slash + 1, method, headers)
  return node.end === null ? null : pick(node.end, method, headers)
}

/** Null where the fields fit no route of the path: then a less specific one may be meant. */
function pick(entry: Entry, method: string, headers: HeaderList): RouteMatch {
  let otherwise: RouteMatch = null
  for (let i = 0; i < entry.length; i++) {
    const { shape, byKey } = entry[i]!
    const key = shape.size === 0 ? '' : shape.keyOf(headers)
    const methods = key === null ? undefined : byKey.get(key)
    if (methods === undefined) continue
    const found = methods.byMethod.get(method)
    if (found !== undefined) return found
    otherwise ??= methods.otherwise
  }
  return otherwise
}
