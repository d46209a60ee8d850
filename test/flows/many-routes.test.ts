/**
 * Ten thousand routes: what they cost at the start and per request, in time of the processor, beside what few cost. The figures stand
 * in the output; what is held is that they grow no faster than the number of routes, and a look-up not with it.
 */
import t from 'tap'
import type { Route } from '../../src/exchange/contracts.ts'
import { makeRouter, type RoutePlace, type Router } from '../../src/exchange/router.ts'
import { openHttp1 } from '../kit/clients.ts'
import { type Json, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'

const MANY = 10_000

/** Exact paths, prefixes and patterns in turn. */
const pathOf = (i: number): string =>
  i % 3 === 0 ? `/prefix/${i}/*` : i % 3 === 1 ? `/exact/${i}` : `/tenants/{id}/t${i}/{part}`

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

t.test('a look-up costs the same', (t) => {
  const routerOf = (count: number): Router =>
    makeRouter(
      Array.from({ length: count }, (_, i): RoutePlace => {
        const route = { name: String(i), methods: new Set(['GET']) } as unknown as Route
        return { hosts: [], path: pathOf(i), conditions: [], route }
      }),
    )
  const paths = ['/prefix/6/a/b', '/exact/7', '/tenants/x/t8/y', '/nothing/here']
  const ask = (router: Router): number => {
    let least = Number.POSITIVE_INFINITY
    for (let batch = 0; batch < 30; batch++) {
      const start = cpuMs()
      for (let i = 0; i < 20_000; i++) router('chat.example.com', paths[i & 3]!, 'GET', [])
      least = Math.min(least, (cpuMs() - start) / 20)
    }
    return least
  }
  const [few, many] = [ask(routerOf(10)), ask(routerOf(MANY))]
  t.comment(`one look-up: ${few.toFixed(2)} us among 10 routes, ${many.toFixed(2)} us among ${MANY}`)
  t.ok(many < few * 10 + 1, 'ten thousand routes cost a request about what ten cost')
  t.end()
})

t.test('a gateway with so many starts in linear time, and finds each', async (t) => {
  const service = await startUpstream()
  t.teardown(() => service.close())
  const configOf = (count: number): Json =>
    testConfig(service.url, {
      routes: Array.from({ length: count }, (_, i) => ({
        ...{ path: pathOf(i), service: 'chat', profiles: ['internet'], purpose: 'test', methods: ['GET'] },
      })),
    })
  // What is compiled and warm after the first one is not counted twice.
  await (await startGatewayHere(configOf(100))).close()
  const costs: number[] = []
  for (const count of [MANY / 10, MANY]) {
    const start = cpuMs()
    const gateway = await startGatewayHere(configOf(count))
    costs.push(cpuMs() - start)
    const client = openHttp1({ port: gateway.publicPort })
    t.equal((await client.ask({ path: '/exact/4' })).status, 200)
    t.equal((await client.ask({ path: '/tenants/7/t5/y' })).status, 200)
    const last = count - 1 - ((count - 1) % 3)
    t.equal((await client.ask({ path: `/prefix/${last}/a/b` })).status, 200, 'the last ones too')
    t.equal((await client.ask({ path: '/exact/x' })).status, 404)
    await client.close()
    await gateway.close()
  }
  t.comment(`start: ${costs[0]!.toFixed(0)} ms with ${MANY / 10} routes, ${costs[1]!.toFixed(0)} ms with ${MANY}`)
  t.ok(costs[1]! < costs[0]! * 30, 'ten times the routes, not a hundred times the work')
})
