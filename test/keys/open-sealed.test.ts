/** The stage that opens tokens, fed with queries and paths of every kind: the value goes where it belongs, all else stays. */
import fc from 'fast-check'
import t from 'tap'
import { DONE, GO } from '../../src/exchange/contracts.ts'
import { deriveKey, idOf, KeyRing } from '../../src/keys/key-ring.ts'
import { makeOpenSealed } from '../../src/keys/open-sealed.ts'
import { UrlTokens } from '../../src/keys/url-token.ts'
import { fakeExchange } from '../kit/fake-client.ts'

const key = deriveKey(Buffer.from('a test'), 'test', 32)
const entry = { id: idOf(key), created: '2026-11-22T00:00:00Z', key }
const tokens = new UrlTokens(new KeyRing([entry], entry))
const metrics = { count: () => undefined }
const inQuery = makeOpenSealed({ kind: 'phone', at: 'who', to: null }, tokens, metrics)
const toQuery = makeOpenSealed({ kind: 'phone', at: 'who', to: { query: 'phone' } }, tokens, metrics)
const run = { seed: 17, numRuns: 300 }
const other = fc.stringMatching(/^[a-z0-9%.+~-]{0,6}(?:=[A-Za-z0-9._~:@/?-]{0,8})?$/)

/** As a service reads a query. */
function valuesOf(target: string, name: string): string[] {
  return new URLSearchParams(target.slice(target.indexOf('?') + 1)).getAll(name)
}

t.test('the value stands once, and the other parameters as they came', async () => {
  const value = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .filter((text) => !/[\0-\x1f\x7f-\x9f\u2028\u2029]/.test(text) && text.isWellFormed())
  fc.assert(
    fc.property(fc.array(other, { maxLength: 5 }), fc.nat(5), value, (others, at, plain) => {
      const parameters = [...others]
      const place = Math.min(at, others.length)
      parameters.splice(place, 0, `who=${tokens.seal('phone', plain, 60_000)}`)
      const { x } = fakeExchange({ path: '/q', query: `?${parameters.join('&')}` })
      const step = inQuery(x)
      if (step === DONE) return x.sentTarget === null
      const kept = [...others]
      kept.splice(place, 0, `who=${encodeURIComponent(plain)}`)
      return x.sentTarget === `/q?${kept.join('&')}` && x.query === `?${parameters.join('&')}`
    }),
    run,
  )
})

t.test(
  'whatever a client writes beside the token, the service reads one value, and that is the one inside',
  async (t) => {
    const token = tokens.seal('phone', '+491701234567', 60_000)
    let passed = 0
    const name = fc.constantFrom(
      'who',
      'phone',
      'wh%6f',
      '%70hone',
      'Phone',
      'who ',
      'p%68one',
      'x',
      '',
      'phone%00',
      '+phone',
    )
    const extra = fc.tuple(name, fc.constantFrom('=', '', '=1', '=+1')).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.array(extra, { maxLength: 3 }), fc.constantFrom('&', ';', '&&'), (extras, divider) => {
        const { x } = fakeExchange({ path: '/q', query: `?${[...extras, `who=${token}`].join(divider)}` })
        if (toQuery(x) === DONE) return x.failure?.code === 'link-invalid'
        passed++
        const values = valuesOf(x.sentTarget!.replaceAll(';', '&'), 'phone')
        return values.length === 1 && values[0] === '+491701234567' && !x.sentTarget!.includes(token)
      }),
      run,
    )
    t.ok(passed > 10, `${passed} passed`)
  },
)

t.test('without a query, with nothing in it, twice', async (t) => {
  const token = tokens.seal('phone', '1', 60_000)
  for (const query of ['', '?', '?who', '?who=', '?who=1', `?who=${token}&who=${token}`, `?who=${token}&who`]) {
    const { x } = fakeExchange({ path: '/q', query })
    t.equal(inQuery(x), DONE, query)
    t.equal(x.failure?.code, 'link-invalid')
  }
  const { x } = fakeExchange({ path: '/q', query: `?who=${token}` })
  t.equal(toQuery(x), GO)
  t.equal(x.sentTarget, '/q?phone=1')
})
