/**
 * What finding the route costs with ten routes and with ten thousand: exact paths, patterns, prefixes, hosts and header fields.
 * Run by hand: `node test/bench/routes.ts`.
 */
import type { Route } from '../../src/exchange/contracts.ts'
import { makeRouter, type RoutePlace } from '../../src/exchange/router.ts'

const LOOKUPS = 300_000

function places(count: number): RoutePlace[] {
  return Array.from({ length: count }, (_, i) => {
    const tenant = { name: 'x-tenant', values: [`t${i}`], isPresent: true }
    const [path, conditions] = [
      [`/exact/${i}`, []],
      [`/chats/{id}/kind${i}/{part}`, []],
      [`/prefix/${i}/*`, []],
      ['/by-header', [tenant]],
    ][i % 4] as [string, RoutePlace['conditions']]
    const route = { name: String(i), methods: new Set(['GET']) } as unknown as Route
    return { hosts: i % 8 < 4 ? [] : [`h${i % 100}.example.com`, '*.example.com'], path, conditions, route }
  })
}

for (const count of [10, 100, 1000, 10_000]) {
  const before = performance.now()
  const router = makeRouter(places(count))
  const builtMs = performance.now() - before
  const last = count - (count % 8)
  const headers = ['accept', '*/*', 'user-agent', 'bench', 'x-tenant', `t${last - 5}`]
  const kinds: [string, string][] = [
    ['exact', `/exact/${last - 8}`],
    ['pattern', `/chats/4711/kind${last - 7}/text`],
    ['prefix', `/prefix/${last - 6}/a/b/c`],
    ['header', '/by-header'],
    ['nothing', '/not/there/at/all'],
  ]
  const cells = kinds.map(([name, path]) => {
    for (let i = 0; i < LOOKUPS / 10; i++) router('chat.other.org', path, 'GET', headers)
    const start = performance.now()
    for (let i = 0; i < LOOKUPS; i++) router('chat.other.org', path, 'GET', headers)
    return `${name} ${(((performance.now() - start) * 1000) / LOOKUPS).toFixed(2)} us`
  })
  process.stdout.write(`${count} routes, built in ${builtMs.toFixed(0)} ms: ${cells.join(', ')}\n`)
}
