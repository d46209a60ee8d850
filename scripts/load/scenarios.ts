/** What the load script asks the gateway for. The paths are those of the demo configuration. */

export interface Scenario {
  readonly title: string
  /** What a reader should look at in the result. */
  readonly about: string
  readonly path: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  /** Sent at --rate instead of as fast as answers come. */
  readonly isPaced: boolean
}

export const SCENARIOS = {
  get: {
    title: 'plain GET',
    about: 'as many small files as the gateway gives',
    path: '/assets/icon.svg',
    method: 'GET',
    headers: {},
    body: null,
    isPaced: false,
  },
  post: {
    title: 'chat POST',
    about: 'messages with markup at a steady rate: what the cleaning costs',
    path: '/api/messages',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Load', text: 'a < b & <b>bold</b> words, I <3 you' }),
    isPaced: true,
  },
  over: {
    title: 'over the limit',
    about: 'far more than allowed: the rest must be 429, fast and without errors',
    path: '/api/health',
    method: 'GET',
    headers: {},
    body: null,
    isPaced: false,
  },
} as const satisfies Record<string, Scenario>

export type ScenarioName = keyof typeof SCENARIOS
