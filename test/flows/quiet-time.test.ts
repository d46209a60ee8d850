/** A gateway with nothing to do stays as it is: V8 does not make its heap small, which would throw optimized code away. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startGateway, testConfig } from '../kit/gateway.ts'

/** What V8 does after half a minute, after a fifth of a second; each such collection is told on standard error. */
const HURRY = `
  import { PerformanceObserver, constants } from 'node:perf_hooks'
  import { setFlagsFromString } from 'node:v8'
  setFlagsFromString('--gc-memory-reducer-start-delay-ms=200')
  setFlagsFromString('--memory-reducer-delay-ms=200')
  new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries()) {
      console.error(detail.flags & constants.NODE_PERFORMANCE_GC_FLAGS_ALL_EXTERNAL_MEMORY ? 'made small' : 'collected')
    }
  }).observe({ entryTypes: ['gc'] })
`

t.test('its heap is not made small', async (t) => {
  const path = join(t.testdir({}), 'hurry.mjs')
  writeFileSync(path, HURRY)
  const gateway = await startGateway(testConfig('http://127.0.0.1:9'), { NODE_OPTIONS: `--import=${path}` })
  t.teardown(() => gateway.close())
  await sleep(4000)
  t.match(gateway.log(), /collected/, 'collections are seen')
  t.notMatch(gateway.log(), /made small/)
})
