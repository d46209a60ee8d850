/**
 * The fuzzers by hand: `node test/fuzz/run.ts [--minutes 10] [--seed 1]`. Prints what failed with its seed and its bytes, made
 * as small as they go, and ends with 1.
 */
import { parseArgs } from 'node:util'
import { makeAnswerCase } from './answer-grammar.ts'
import { minimise } from './minimise.ts'
import { judgeParsers, runParserSeed } from './parsers.ts'
import { Chance } from './random.ts'
import { makeRequestCase } from './request-grammar.ts'
import { fuzzRequests, RequestFuzz } from './requests.ts'
import { fuzzResponses, ResponseFuzz } from './responses.ts'
import type { Failed } from './seeds.ts'

const BATCH = 2000
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
})
const until = performance.now() + Number(values.minutes) * 60_000
const show = (bytes: Buffer): string => JSON.stringify(bytes.toString('latin1'))

const requests = new RequestFuzz()
const responses = new ResponseFuzz()
await requests.start()
await responses.start()

/** A request by itself: what is wrong is wrong without its neighbours, or the case stays as it is. */
async function smallRequest({ seed }: Failed): Promise<Buffer> {
  const made = makeRequestCase(new Chance(seed), `q${seed}`)
  const fails = async (bytes: Buffer): Promise<boolean> => {
    const found = await requests.runBytes({ ...made, bytes, isLegal: false }, new Chance(seed))
    return found !== '' || (await requests.settle()).length > 0
  }
  return (await fails(made.bytes)) ? await minimise(made.bytes, fails) : made.bytes
}

async function smallAnswer({ seed, protocol }: Failed): Promise<Buffer> {
  const made = makeAnswerCase(new Chance(seed), `r${seed}`)
  const fails = async (bytes: Buffer): Promise<boolean> =>
    (await responses.run(protocol, { ...made, bytes, isLegal: false }, new Chance(seed), `r${seed}`)) !== ''
  return (await fails(made.bytes)) ? await minimise(made.bytes, fails) : made.bytes
}

let cases = 0
let failures = 0
const tell = (kind: string, { seed, protocol, wrong }: Failed, bytes: Buffer | null): void => {
  failures++
  console.log(`${kind}, seed ${seed}, ${protocol}: ${wrong}`)
  if (bytes !== null) console.log(`  ${show(bytes)}`)
}

for (let seed = Number(values.seed); performance.now() < until; seed += BATCH) {
  for (let each = seed; each < seed + BATCH; each++) {
    const { bytes, wrong } = await runParserSeed(each)
    if (wrong === '') continue
    const isStill = async (shorter: Buffer): Promise<boolean> => (await judgeParsers(shorter)) !== ''
    tell(
      'parsers',
      { seed: each, protocol: 'h1', wrong },
      (await isStill(bytes)) ? await minimise(bytes, isStill) : bytes,
    )
  }
  const range = { from: seed, to: seed + BATCH, until }
  const asked = await fuzzRequests(requests, range)
  for (const failed of asked.failed)
    tell('requests', failed, failed.protocol === 'h1' ? await smallRequest(failed) : null)
  const answered = await fuzzResponses(responses, range)
  for (const failed of answered.failed) tell('responses', failed, await smallAnswer(failed))
  cases += BATCH + asked.ran + answered.ran
  console.log(`${cases} cases, ${failures} failures, next seed ${seed + BATCH}`)
}
await requests.stop()
await responses.stop()
process.exitCode = failures === 0 ? 0 : 1
