/** The options of the benchmark's command line. */
import { parseArgs } from 'node:util'
import { PEER_NAMES, type PeerName } from './peers.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'

export const USAGE = `npm run bench -- [options]
  --seconds N     length of one measurement (default 4)
  --rounds N      measurements of each contender, in turn (default 5)
  --only A,B      scenarios: ${SCENARIOS.map(({ name }) => name).join(', ')}
  --peers A,B     contenders: ${PEER_NAMES.join(', ')}
  --markdown      print what goes into docs/performance.md
  --chart         draw docs/performance.svg
  --document      write the tables into docs/performance.md, and draw the chart
  --last          measure nothing: use the newest results`

export interface Options {
  readonly seconds: number
  readonly rounds: number
  readonly scenarios: readonly Scenario[]
  readonly peers: readonly PeerName[]
  readonly markdown: boolean
  readonly chart: boolean
  readonly document: boolean
  readonly last: boolean
}

const MOST_SECONDS = 600
const MOST_ROUNDS = 100

/** Null where help was asked for. Throws an error with a sentence. */
export function readOptions(words: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...words],
    options: {
      seconds: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '5' },
      only: { type: 'string' },
      peers: { type: 'string' },
      markdown: { type: 'boolean', default: false },
      chart: { type: 'boolean', default: false },
      document: { type: 'boolean', default: false },
      last: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return null
  const { markdown, chart, document, last } = values
  const names = listed(
    '--only',
    values.only,
    SCENARIOS.map(({ name }) => name),
  )
  return {
    seconds: numbered('--seconds', values.seconds, MOST_SECONDS),
    rounds: numbered('--rounds', values.rounds, MOST_ROUNDS),
    scenarios: SCENARIOS.filter(({ name }) => names.includes(name)),
    peers: listed('--peers', values.peers, PEER_NAMES),
    ...{ markdown, chart, document, last },
  }
}

function numbered(option: string, text: string, most: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new Error(`${option} takes a whole number from 1 to ${most}, not ${JSON.stringify(text)}`)
  }
  return value
}

function listed<Name extends string>(
  option: string,
  text: string | undefined,
  known: readonly Name[],
): readonly Name[] {
  if (text === undefined) return known
  const asked = text.split(',')
  const strange = asked.find((name) => !known.includes(name as Name))
  if (strange !== undefined) throw new Error(`${option} does not know ${JSON.stringify(strange)}: ${known.join(', ')}`)
  return asked as Name[]
}
