/** The command line of the load script: what was asked, checked, or one sentence about what is wrong with it. */
import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { SCENARIOS, type ScenarioName } from './scenarios.ts'

export const USAGE = `npm run load -- [options]
  --url URL            the gateway (default https://127.0.0.1:8443)
  --scenario NAME      all, ${Object.keys(SCENARIOS).join(', ')} (default all)
  --seconds N          length of each scenario, 1 to 600 (default 10)
  --connections N      connections at once, 1 to 1000 (default 20)
  --rate N             messages a second in the scenario "post"; 0: as fast as possible (default 10)
  --i-own-this-target  needed for any address that is not loopback`

export interface LoadArguments {
  readonly url: URL
  readonly scenarios: readonly ScenarioName[]
  readonly seconds: number
  readonly connections: number
  readonly rate: number
  /** Only a loopback gateway may show a certificate that nobody vouches for. */
  readonly isLoopback: boolean
}

/** 127.0.0.0/8, ::1 and localhost; no other name, whatever it resolves to. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '')
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'))
}

/** Throws a RangeError with a sentence for a person; null where help was asked for. */
export function readArguments(words: readonly string[]): LoadArguments | null {
  const { values } = parseArgs({
    args: [...words],
    options: {
      url: { type: 'string', default: 'https://127.0.0.1:8443' },
      scenario: { type: 'string', default: 'all' },
      seconds: { type: 'string', default: '10' },
      connections: { type: 'string', default: '20' },
      rate: { type: 'string', default: '10' },
      'i-own-this-target': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return null
  const url = URL.parse(values.url)
  if (url === null || !['https:', 'http:'].includes(url.protocol)) {
    throw new RangeError(`--url "${values.url}" is not an http or https URL`)
  }
  const isLoopback = isLoopbackHost(url.hostname)
  if (!isLoopback && !values['i-own-this-target']) {
    throw new RangeError(
      `${url.hostname} is not on loopback. Load on a machine that is not yours is an attack; if it is yours, add --i-own-this-target`,
    )
  }
  return {
    url,
    scenarios: readScenarios(values.scenario),
    seconds: readWhole('seconds', values.seconds, 1, 600),
    connections: readWhole('connections', values.connections, 1, 1000),
    rate: readWhole('rate', values.rate, 0, 100_000),
    isLoopback,
  }
}

function readScenarios(name: string): readonly ScenarioName[] {
  const names = Object.keys(SCENARIOS) as ScenarioName[]
  if (name === 'all') return names
  const found = names.find((each) => each === name)
  if (found === undefined) throw new RangeError(`--scenario "${name}" is none of all, ${names.join(', ')}`)
  return [found]
}

function readWhole(option: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new RangeError(`--${option} "${text}" is not a whole number from ${least} to ${most}`)
  }
  return value
}
