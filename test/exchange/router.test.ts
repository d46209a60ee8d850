import fc from 'fast-check'
import t from 'tap'
import type { Route } from '../../src/exchange/contracts.ts'
import { makeRouter, type RoutePlace } from '../../src/exchange/router.ts'

function place(
  path: string,
  methods = ['GET'],
  hosts: string[] = [],
  conditions: RoutePlace['conditions'] = [],
): RoutePlace {
  return {
    hosts,
    path,
    conditions,
    route: { name: `${hosts.join()}${path} ${methods.join()}`, methods: new Set(methods) } as unknown as Route,
  }
}

const find = (places: RoutePlace[], host: string, path: string, method = 'GET', headers: string[] = []): string => {
  const match = makeRouter(places)(host, path, method, headers)
  return match === null ? 'none' : `${match.kind} ${match.route.name}`
}

t.test('the most specific path wins, whatever the order', (t) => {
  const places = [place('/*'), place('/api/*'), place('/api/messages'), place('/api/messages/*')]
  for (const order of [places, [...places].reverse()]) {
    t.equal(find(order, 'h', '/'), 'found /* GET')
    t.equal(find(order, 'h', '/api'), 'found /* GET')
    t.equal(find(order, 'h', '/api/'), 'found /api/* GET')
    t.equal(find(order, 'h', '/api/x/y'), 'found /api/* GET')
    t.equal(find(order, 'h', '/api/messages'), 'found /api/messages GET')
    t.equal(find(order, 'h', '/api/messages/'), 'found /api/messages/* GET')
    t.equal(find(order, 'h', '/apis'), 'found /* GET')
  }
  t.end()
})

t.test('a named host wins over a wildcard, a wildcard over any, the nearest wildcard first', (t) => {
  const places = [
    place('/*'),
    place('/*', ['GET'], ['*.example.com']),
    place('/*', ['GET'], ['*.eu.example.com']),
    place('/a', ['GET'], ['chat.example.com']),
  ]
  t.equal(find(places, 'other.org', '/a'), 'found /* GET')
  t.equal(find(places, 'chat.example.com', '/a'), 'found chat.example.com/a GET')
  t.equal(find(places, 'chat.example.com', '/b'), 'found *.example.com/* GET')
  t.equal(find(places, 'x.eu.example.com', '/b'), 'found *.eu.example.com/* GET')
  t.equal(find(places, 'example.com', '/b'), 'found /* GET', 'a wildcard does not match its own domain')
  t.end()
})

t.test('what no route names does not exist, and the wrong method is told', (t) => {
  const places = [place('/a', ['GET', 'HEAD']), place('/a', ['POST']), place('/b/*', ['POST'])]
  t.equal(find(places, 'h', '/c'), 'none')
  t.equal(find(places, 'h', '/a', 'POST'), 'found /a POST')
  t.equal(find(places, 'h', '/a', 'DELETE'), 'wrong-method /a GET,HEAD')
  t.equal(find(places, 'h', '/b/x'), 'wrong-method /b/* POST')
  t.equal(find([], 'h', '/'), 'none')
  t.equal(find(places, 'h', '*'), 'none')
  t.end()
})

t.test('a segment with a name is any one segment, and less than a word', (t) => {
  const places = [place('/chats/{id}'), place('/chats/open'), place('/chats/{id}/messages'), place('/chats/*')]
  for (const order of [places, [...places].reverse()]) {
    t.equal(find(order, 'h', '/chats/42'), 'found /chats/{id} GET')
    t.equal(find(order, 'h', '/chats/open'), 'found /chats/open GET')
    t.equal(find(order, 'h', '/chats/open/messages'), 'found /chats/{id}/messages GET')
    t.equal(find(order, 'h', '/chats/42/messages'), 'found /chats/{id}/messages GET')
    t.equal(find(order, 'h', '/chats/42/others'), 'found /chats/* GET')
    t.equal(find(order, 'h', '/chats/'), 'found /chats/* GET', 'an empty segment is none')
    t.equal(find(order, 'h', '/chats//messages'), 'found /chats/* GET')
    t.equal(find(order, 'h', '/chats/42/messages/'), 'found /chats/* GET')
    t.equal(find(order, 'h', '/chats'), 'none')
  }
  t.end()
})

t.test('from left to right: a word in front counts for more than one behind', (t) => {
  const places = [place('/{tenant}/a/b'), place('/x/*'), place('/x/{any}/c')]
  t.equal(find(places, 'h', '/x/a/b'), 'found /x/* GET')
  t.equal(find(places, 'h', '/x/a/c'), 'found /x/{any}/c GET')
  t.equal(find(places, 'h', '/y/a/b'), 'found /{tenant}/a/b GET')
  t.end()
})

t.test('a route that asks for more of the fields wins, and one that they do not fit is not there', (t) => {
  const gold = { name: 'x-plan', values: ['gold', 'silver'], isPresent: true }
  const beta = { name: 'x-beta', values: null, isPresent: true }
  const noBeta = { name: 'x-beta', values: null, isPresent: false }
  const named = (name: string, one: RoutePlace): RoutePlace => ({ ...one, route: { ...one.route, name } })
  const places = [
    named('all', place('/a')),
    named('gold', place('/a', ['GET'], [], [gold])),
    named('gold beta', place('/a', ['GET'], [], [gold, beta])),
    named('stable', place('/b', ['GET'], [], [noBeta])),
    named('rest', place('/*')),
  ]
  t.equal(find(places, 'h', '/a'), 'found all')
  t.equal(find(places, 'h', '/a', 'GET', ['x-plan', 'gold']), 'found gold')
  t.equal(find(places, 'h', '/a', 'GET', ['x-plan', 'silver', 'x-beta', '']), 'found gold beta')
  t.equal(find(places, 'h', '/a', 'GET', ['x-plan', 'Gold']), 'found all', 'case counts')
  t.equal(
    find(places, 'h', '/a', 'GET', ['x-plan', 'gold', 'x-plan', 'iron']),
    'found all',
    'repeated: one joined value',
  )
  t.equal(find(places, 'h', '/b'), 'found stable')
  t.equal(find(places, 'h', '/b', 'GET', ['x-beta', '1']), 'found rest')
  t.equal(find(places, 'h', '/a', 'POST', ['x-plan', 'gold']), 'wrong-method gold')
  t.end()
})

/** Whether a pattern fits, and how specific it is: a word is 0, a name 1, the rest 2, from left to right. */
function rank(pattern: string, path: string): string | null {
  const wanted = pattern.slice(1).split('/')
  const parts = path.slice(1).split('/')
  if (wanted.at(-1) === '*' ? parts.length < wanted.length : parts.length !== wanted.length) return null
  let out = ''
  for (const [i, each] of wanted.entries()) {
    if (each === '*') return `${out}2`
    if (each.startsWith('{')) out += '1'
    else if (each === parts[i]) out += '0'
    else return null
  }
  return out
}

t.test('it agrees with a search over all routes', (t) => {
  const segment = fc.constantFrom('a', 'b', 'c')
  const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join('/')}`)
  const pattern = fc
    .tuple(fc.array(fc.constantFrom('a', 'b', '{x}'), { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([parts, prefix]) => `/${parts.join('/')}${prefix ? '/*' : ''}`)
  fc.assert(
    fc.property(fc.uniqueArray(pattern, { maxLength: 20 }), path, (patterns, asked) => {
      const match = makeRouter(patterns.map((each) => place(each)))('h', asked, 'GET', [])
      const fitting = patterns
        .flatMap((each): [string, string][] => {
          const found = rank(each, asked)
          return found === null ? [] : [[found, each]]
        })
        .sort(([x], [y]) => (x < y ? -1 : 1))
      return (match?.route.name ?? 'none') === (fitting[0] === undefined ? 'none' : `${fitting[0][1]} GET`)
    }),
    { seed: 4, numRuns: 2000 },
  )
  t.end()
})

t.test('a path of very many segments costs no more than the longest route', (t) => {
  const router = makeRouter([place('/{a}/{b}/{c}/end'), place('/x/{b}/{c}/end'), place('/x/y/{c}/end')])
  t.equal(router('h', `/${'x/'.repeat(100_000)}`, 'GET', []), null)
  t.end()
})
