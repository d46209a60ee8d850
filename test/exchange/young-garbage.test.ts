/** The young are looked through when enough was taken outside of the heap, and not before. */
import { PerformanceObserver } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { tookOutside } from '../../src/exchange/young-garbage.ts'

const MB = 2 ** 20
// As the command does (bin/portcullis.js).
setFlagsFromString('--expose-gc')
Object.assign(globalThis, { gc: runInNewContext('gc') })

t.test('for every eight megabytes, and gives back what is garbage', async (t) => {
  const collections: unknown[] = []
  const observer = new PerformanceObserver((list) => {
    collections.push(...list.getEntries())
  })
  observer.observe({ entryTypes: ['gc'] })
  t.teardown(() => observer.disconnect())
  const settled = () => new Promise((wake) => setTimeout(wake, 50))

  for (let i = 0; i < 7; i++) tookOutside(MB)
  await settled()
  const before = collections.length
  for (let i = 0; i < 64; i++) Buffer.allocUnsafeSlow(MB)
  const full = process.memoryUsage().arrayBuffers
  tookOutside(MB)
  const less = process.memoryUsage().arrayBuffers
  await settled()
  t.ok(collections.length > before, 'collected')
  t.ok(full - less > 32 * MB, `${Math.round(full / MB)} MB, then ${Math.round(less / MB)} MB`)
})
