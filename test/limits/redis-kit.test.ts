/** The kit's own promise: no Redis is left behind, also when the test process is killed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startRedis } from '../kit/redis.ts'

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const pidOf = (info: string): number => Number(/process_id:(\d+)/.exec(info)?.[1])

t.test('kill ends a paused server too, and a restart is a new one on the same port', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.kill())
  const first = pidOf(await redis.command('INFO server'))
  await redis.command('SET a 1')
  redis.pause()
  await redis.restart()
  t.equal(isAlive(first), false)
  t.match(await redis.command('EXISTS a'), ':0')
  await redis.command('SET a 1')
  await redis.flush()
  t.match(await redis.command('EXISTS a'), ':0')
  await redis.kill()
  await t.rejects(redis.command('PING'))
})

t.test('a test process that is killed takes its server with it', async (t) => {
  const kit = new URL('../kit/redis.ts', import.meta.url).href
  const script = `const { startRedis } = await import(${JSON.stringify(kit)})
    const redis = await startRedis()
    console.log((await redis.command('INFO server')).match(/process_id:\\d+/)[0])
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(child.stdout, 'data')
  const pid = pidOf(String(line))
  t.equal(isAlive(pid), true)
  child.kill('SIGKILL')
  for (let i = 0; i < 1000 && isAlive(pid); i++) await sleep(10)
  t.equal(isAlive(pid), false)
})
