/** Two routes that want the same request are a mistake; anything else has a more specific one. */
import t from 'tap'
import { ConfigDocument } from '../../src/config/document.ts'
import { Findings } from '../../src/config/findings.ts'
import { checkRoutes } from '../../src/config/route-checks.ts'

type Json = Record<string, unknown>

function ties(...routes: Json[]): string[] {
  const findings = new Findings(new ConfigDocument(JSON.stringify({ routes })))
  checkRoutes({ routes }, findings)
  return findings.errors.map(({ path, sentence }) => `${path.join('.')}: ${sentence}`)
}

const at = (path: string, more: Json = {}): Json => ({ path, methods: ['GET'], service: 'chat', ...more })
const asks = (path: string, headers: Json): Json => at(path, { match: { headers } })

t.test('patterns that match the same paths are a tie, whatever their segments are called', (t) => {
  t.match(ties(at('/a/{id}', { name: 'first' }), at('/a/{other}')), [
    'routes.1.path: GET "/a/{other}" belongs to routes[0] ("first") already; give one of them another path, host, method or header',
  ])
  t.same(ties(at('/a/{id}'), at('/a/b'), at('/a/*'), at('/{x}/b'), at('/a/{id}/*')), [])
  t.end()
})

t.test('the same fields with the same values are a tie, in any order and case', (t) => {
  t.equal(
    ties(asks('/a', { 'X-Plan': 'gold', b: true }), asks('/a', { b: true, 'x-plan': ['iron', 'gold'] })).length,
    1,
  )
  t.same(ties(asks('/a', { x: 'gold' }), asks('/a', { x: 'iron' }), at('/a')), [])
  t.same(ties(asks('/a', { x: true }), asks('/a', { x: false })), [])
  t.same(ties(asks('/a', { x: 'gold' }), asks('/b', { y: 'gold' })), [])
  t.end()
})

t.test('as many fields, but others, are a tie where one request can have both', (t) => {
  t.match(ties(asks('/a', { x: '1' }), asks('/a', { y: '1' })), [
    /^routes\.1\.path: GET "\/a" belongs to routes\[0\] already/,
  ])
  t.same(ties(asks('/a', { x: '1' }), asks('/a', { x: '1', y: '1' })), [], 'more fields are more specific')
  t.same(ties(asks('/a', { x: '1', y: '1' }), asks('/a', { x: '2', z: '1' })), [], 'x cannot be both')
  t.equal(ties(asks('/a', { x: ['1', '2'], y: '1' }), asks('/a', { x: ['2', '3'], z: '1' })).length, 1)
  t.equal(ties(asks('/a', { x: true }), asks('/a', { x: '1' })).length, 1)
  t.same(ties(asks('/a', { x: false }), asks('/a', { x: '1' })), [])
  t.end()
})

t.test('what routes may ask for is bounded', (t) => {
  const many = Array.from({ length: 32 }, (_, i) => `v${i}`)
  t.match(ties(asks('/a', { a: many, b: many, c: many })), [
    'routes.0.match: asks for more than 1024 combinations of values',
  ])
  const shapes = Array.from({ length: 17 }, (_, i) => asks('/a', { [`h${i}`]: '1' }))
  t.ok(ties(...shapes).some((each) => each.includes('16 may be')))
  t.end()
})

t.test('ten thousand routes are checked at once', (t) => {
  const routes = Array.from({ length: 10_000 }, (_, i) => asks('/a', { tenant: `t${i}` }))
  t.same(ties(...routes), [])
  t.end()
})
