/**
 * The fuzzer of requests, some seconds of it: what the upstream parsed is what was routed, over HTTP/1.1 and HTTP/2; and what
 * the gateway's parsers accept, llhttp accepts for the same. For longer: `node test/fuzz/run.ts --minutes 10 --seed 1`.
 */
import t from 'tap'
import { runParserSeed } from './parsers.ts'
import { fuzzRequests, RequestFuzz } from './requests.ts'

const FROM = 1
const CASES = 1200
const PARSER_CASES = 6000
const MOST_MS = 15_000
t.setTimeout(300_000)

t.test('what the parsers accept, llhttp accepts for the same', async (t) => {
  const wrong: string[] = []
  const until = performance.now() + MOST_MS
  for (let seed = FROM; seed < FROM + PARSER_CASES && performance.now() < until; seed++) {
    const found = (await runParserSeed(seed)).wrong
    if (found !== '') wrong.push(`seed ${seed}: ${found}`)
  }
  t.same(wrong, [])
})

t.test('what the upstream parsed is what was routed', async (t) => {
  const fuzz = new RequestFuzz()
  await fuzz.start()
  t.teardown(() => fuzz.stop())
  const { failed, ran } = await fuzzRequests(fuzz, { from: FROM, to: FROM + CASES, until: performance.now() + MOST_MS })
  t.same(
    failed.map(({ seed, protocol, wrong }) => `seed ${seed}, ${protocol}: ${wrong}`),
    [],
  )
  t.ok(ran > 0, `${ran} cases`)
  t.ok(fuzz.served > 0, `${fuzz.served} requests were served`)
})
