/** Priorities of the threads of a running gateway, as the kernel tells them. */
import { readdirSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import t from 'tap'
import { startGateway, testConfig } from './kit/gateway.ts'

t.test(
  'the threads that help the event loop have a lower priority than the loop',
  {
    skip: process.platform !== 'linux' && 'threads are found by /proc',
  },
  async (t) => {
    const gateway = await startGateway(testConfig('http://127.0.0.1:9'))
    t.teardown(() => gateway.close())
    const pid = gateway.child.pid!
    const own = getPriority(pid)
    const threads = readdirSync(`/proc/${pid}/task`).map((thread) => ({
      name: readFileSync(`/proc/${pid}/task/${thread}/comm`, 'latin1').trimEnd(),
      priority: getPriority(Number(thread)),
    }))
    for (const name of ['node-V8Worker', 'libuv-worker']) {
      const helpers = threads.filter((thread) => thread.name === name)
      t.ok(helpers.length > 0, `${name} runs`)
      t.same(new Set(helpers.map(({ priority }) => priority)), new Set([Math.min(19, own + 10)]), name)
    }
    t.equal(threads.find(({ name }) => name === 'node-MainThread')?.priority, own)
  },
)
