import fc from 'fast-check'
import t from 'tap'
import type { Route } from '../../src/exchange/contracts.ts'
import { makeRouter, type RoutePlace } from '../../src/exchange/router.ts'

function place(path: string, methods = ['GET'], hosts: string[] = []): RoutePlace {
  return {
    hosts,
    path,
    route: { name: `${hosts.join()}${path} ${methods.join()}`, methods: new Set(methods) } as unknown as Route,
  }
}

const find = (places: RoutePlace[], host: string, path: string, method = 'GET'): string => {
  const match = makeRouter(places)(host, path, method)
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

t.test('it agrees with a search over all routes', (t) => {
  const segment = fc.constantFrom('a', 'b', 'c')
  const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`)
  const pattern = fc.tuple(path, fc.boolean()).map(([text, prefix]) => (prefix ? `${text}/*` : text))
  fc.assert(
    fc.property(fc.uniqueArray(pattern, { maxLength: 12 }), path, (patterns, asked) => {
      const match = makeRouter(patterns.map((each) => place(each)))('h', asked, 'GET')
      const fitting = patterns
        .filter((each) => (each.endsWith('/*') ? asked.startsWith(each.slice(0, -1)) : each === asked))
        .sort((x, y) => Number(x.endsWith('/*')) - Number(y.endsWith('/*')) || y.length - x.length)
      return (
        (match === null ? undefined : match.route.name) === (fitting[0] === undefined ? undefined : `${fitting[0]} GET`)
      )
    }),
    { seed: 4, numRuns: 500 },
  )
  t.end()
})
