/** A process of its own with its own store: adds so often to one key, and prints how many adds were let through. */
import type { StoreConfig } from '../../src/config/shape.ts'
import { makeStore } from '../../src/limits/store.ts'
import { makeCounting } from './counting.ts'

const [url = '', points = '', tries = ''] = process.argv.slice(2)
const config = { redis: { url, prefix: 'test', timeout: 5000 }, onOutage: 'deny', ipv6Prefix: 64 } as StoreConfig
const counting = makeCounting()
const store = makeStore(config, url, counting.log, counting.metrics)
await store.whenSettled()
const counter = store.counter({
  name: 'processes',
  points: Number(points),
  windowMs: 600_000,
  blocks: [],
  onOutage: 'deny',
})
const states = await Promise.all(Array.from({ length: Number(tries) }, () => counter.add('192.0.2.7')))
await store.close()
console.log(states.filter((state) => state.allowed && !state.degraded).length)
