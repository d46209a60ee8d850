/** The young generation has its size at the start and again after a quiet time, in a process of its own. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

const MB = 2 ** 20
const MODULE = new URL('../src/young-generation.ts', import.meta.url).href
// What V8 does of itself when little is made for a minute, here at once.
const PROGRAM = `
  import { setFlagsFromString } from 'node:v8'
  import { runInNewContext } from 'node:vm'
  import { halfBytes, keepYoungGeneration, lookAtYoungGeneration } from '${MODULE}'
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  let kept = []
  const work = () => {
    for (let i = 0; i < 2_000_000; i++) {
      kept.push({ i })
      if (kept.length > 50_000) kept = []
    }
  }
  const sizes = [halfBytes()]
  keepYoungGeneration()
  sizes.push(halfBytes())
  work()
  sizes.push(halfBytes())
  collect({ type: 'major', flavor: 'last-resort' })
  sizes.push(halfBytes())
  lookAtYoungGeneration()
  for (let i = 0; i < 3; i++) {
    work()
    sizes.push(halfBytes())
    lookAtYoungGeneration()
  }
  console.log(JSON.stringify(sizes))
`

t.test('it has its size from the start, and again after it was made small', async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    env: { PATH: process.env.PATH ?? '' },
  })
  const [first, settled, worked, small, ...again] = JSON.parse(stdout) as number[]
  const isWanted = (bytes: number | undefined) => bytes! > 8 * MB && bytes! < 16 * MB
  t.ok(first! < 4 * MB, `V8 begins with ${first} bytes`)
  t.ok(isWanted(settled), `at the start: ${settled}`)
  t.equal(worked, settled, 'it does not grow beyond')
  t.ok(small! < 4 * MB, `V8 made it ${small} bytes`)
  t.ok(again.every(isWanted), `with the first work: ${again}`)
})
