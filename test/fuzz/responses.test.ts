/**
 * The fuzzer of upstream answers, some seconds of it: a client never gets a whole answer that the upstream did not give, nor
 * anything of another exchange. For longer: `node test/fuzz/run.ts --minutes 10 --seed 1`.
 */
import t from 'tap'
import { fuzzResponses, ResponseFuzz } from './responses.ts'

const FROM = 1
const CASES = 2000
const MOST_MS = 15_000
t.setTimeout(300_000)

t.test('what the client takes for whole is what the upstream meant', async (t) => {
  const fuzz = new ResponseFuzz()
  await fuzz.start()
  t.teardown(() => fuzz.stop())
  const { failed, ran } = await fuzzResponses(fuzz, {
    from: FROM,
    to: FROM + CASES,
    until: performance.now() + MOST_MS,
  })
  t.same(
    failed.map(({ seed, protocol, wrong }) => `seed ${seed}, ${protocol}: ${wrong}`),
    [],
  )
  t.ok(ran > 0, `${ran} cases`)
})
