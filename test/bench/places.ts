/**
 * What finding a place costs: one route among ten thousand, one endpoint among some, and the load of a configuration of ten
 * thousand routes. Rounds take turns, so that whatever else the machine does falls on all alike. Run by hand:
 * `node test/bench/places.ts`.
 */
import type { Route } from '../../src/exchange/contracts.ts'
import { makeRouter } from '../../src/exchange/router.ts'
import type { Endpoint } from '../../src/upstream/endpoint.ts'
import { Seeker } from '../../src/upstream/seeker.ts'
import { Service } from '../../src/upstream/service.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { serviceConfig } from '../kit/service-config.ts'

const ROUTES = 10_000
const ROUNDS = 15
const TURNS = 200_000

class Request extends Seeker {
  onPlaced(_endpoint: Endpoint): void {}
  onNotPlaced(): void {}
}

/** One turn as a forwarding does it: admitted, placed, answered, let go. */
function finder(endpoints: number, settings: object): (turn: number) => void {
  const urls = Array.from({ length: endpoints }, (_, i) => `http://10.0.${i >> 8}.${i & 255}:3000`)
  const config = serviceConfig({ endpoints: urls, ...settings })
  const service = new Service('chat', config, {
    stickyKey: null,
    proxyPassword: null,
    before: null,
    onChange: () => {},
  })
  return (turn) => {
    const request = new Request(service, false)
    request.key = Math.imul(turn, 0x9e3779b1)
    service.admits()
    service.seek(request)
    service.onSuccess(request.endpoint!)
    request.letGo()
  }
}

const route = { methods: new Set(['GET']), name: '' } as unknown as Route
const path = (i: number): string => `/area-${i % 100}/part-${i}/${i % 2 === 0 ? '*' : 'exact'}`
const router = makeRouter(
  Array.from({ length: ROUTES }, (_, i) => ({ hosts: [], path: path(i), conditions: [], route })),
)
const asked = Array.from({ length: ROUTES }, (_, i) => path(i).replace('*', 'deep/below/it'))
const few = makeRouter(Array.from({ length: 10 }, (_, i) => ({ hosts: [], path: path(i), conditions: [], route })))

const SUBJECTS: Readonly<Record<string, (turn: number) => void>> = {
  'a route among 10,000': (turn) => void router('chat.example', asked[turn % ROUTES]!, 'GET', []),
  'a route among 10': (turn) => void few('chat.example', asked[turn % 10]!, 'GET', []),
  'the only endpoint': finder(1, {}),
  'round robin, 3 endpoints': finder(3, {}),
  'least load, 3 endpoints': finder(3, { balance: 'least-load' }),
  'two choices, 3 endpoints': finder(3, { balance: 'two-choices' }),
  'hash, 3 endpoints': finder(3, { balance: { hash: 'address' } }),
  'round robin, 256 endpoints': finder(256, {}),
  'hash, 256 endpoints': finder(256, { balance: { hash: 'address' } }),
}

const best = new Map<string, number[]>()
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(SUBJECTS)) {
    const turns = name.includes('256') ? TURNS / 20 : TURNS
    const start = process.hrtime.bigint()
    for (let turn = 0; turn < turns; turn++) run(turn)
    const each = Number(process.hrtime.bigint() - start) / turns
    best.set(name, [...(best.get(name) ?? []), each])
  }
}
for (const [name, all] of best) {
  all.sort((a, b) => a - b)
  console.log(`${name.padEnd(28)} median ${all[ROUNDS >> 1]!.toFixed(0)} ns, least ${all[0]!.toFixed(0)} ns`)
}

const startedAt = performance.now()
const gateway = await startGatewayHere(
  testConfig('http://127.0.0.1:3000', {
    log: { access: 'off', audit: '/dev/null', level: 'error' },
    routes: Array.from({ length: ROUTES }, (_, i) => ({
      ...{ path: path(i), service: 'chat', profiles: ['internet'], purpose: 'bench', methods: ['GET'] },
    })),
  }),
)
const reloadedAt = performance.now()
await gateway.gateway.reload('bench')
const endedAt = performance.now()
console.log(`a gateway with 10,000 routes: started in ${Math.round(reloadedAt - startedAt)} ms`)
console.log(`and loaded again in ${Math.round(endedAt - reloadedAt)} ms`)
await gateway.close()
