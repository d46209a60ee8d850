/**
 * Finds the route of a request: exact paths before prefixes, longer prefixes before shorter ones, a named host before a
 * wildcard before any. The cost is a look-up per path segment, whatever the number of routes.
 */
import type { Route, RouteMatch } from './contracts.ts'

/** Where a route stands, as the configuration wrote it. */
export interface RoutePlace {
  /** Empty: any host. `*.example.com` matches what lies under it. */
  readonly hosts: readonly string[]
  /** Exact, or a prefix that ends in `/*`. */
  readonly path: string
  readonly route: Route
}

interface Entry {
  readonly byMethod: Map<string, Route>
  first: Route
}

interface Table {
  readonly exact: Map<string, Entry>
  /** Keys end in a slash. */
  readonly prefixes: Map<string, Entry>
}

export type Router = (host: string, path: string, method: string) => RouteMatch

const ANY_HOST = '*'

/** Builds the tables. Ties are configuration errors that were found before: here the first one stays. */
export function makeRouter(places: readonly RoutePlace[]): Router {
  const tables = new Map<string, Table>()
  for (const place of places) {
    for (const host of place.hosts.length === 0 ? [ANY_HOST] : place.hosts) add(tableFor(tables, host), place)
  }
  const anyHost = tables.get(ANY_HOST)
  const onlyAnyHost = tables.size === 0 || (tables.size === 1 && anyHost !== undefined)

  return (host, path, method) => {
    let entry: Entry | undefined
    if (!onlyAnyHost) {
      entry = lookUp(tables.get(host), path)
      for (let dot = host.indexOf('.'); entry === undefined && dot !== -1; dot = host.indexOf('.', dot + 1)) {
        entry = lookUp(tables.get(`*${host.slice(dot)}`), path)
      }
    }
    entry ??= lookUp(anyHost, path)
    if (entry === undefined) return null
    const route = entry.byMethod.get(method)
    return route === undefined ? { kind: 'wrong-method', route: entry.first } : { kind: 'found', route }
  }
}

function tableFor(tables: Map<string, Table>, host: string): Table {
  let table = tables.get(host)
  if (table === undefined) {
    table = { exact: new Map(), prefixes: new Map() }
    tables.set(host, table)
  }
  return table
}

function add(table: Table, { path, route }: RoutePlace): void {
  const isPrefix = path.endsWith('/*')
  const map = isPrefix ? table.prefixes : table.exact
  const key = isPrefix ? path.slice(0, -1) : path
  let entry = map.get(key)
  if (entry === undefined) {
    entry = { byMethod: new Map(), first: route }
    map.set(key, entry)
  }
  for (const method of route.methods) if (!entry.byMethod.has(method)) entry.byMethod.set(method, route)
}

function lookUp(table: Table | undefined, path: string): Entry | undefined {
  if (table === undefined) return undefined
  const exact = table.exact.get(path)
  if (exact !== undefined || table.prefixes.size === 0) return exact
  for (let end = path.lastIndexOf('/'); end !== -1; end = end === 0 ? -1 : path.lastIndexOf('/', end - 1)) {
    const entry = table.prefixes.get(path.slice(0, end + 1))
    if (entry !== undefined) return entry
  }
  return undefined
}
