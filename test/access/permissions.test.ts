import fc from 'fast-check'
import t from 'tap'
import { compilePermissions } from '../../src/access/permissions.ts'
import type { RolesConfig } from '../../src/config/access-shape.ts'
import type { Principal, TranscriptFacts } from '../../src/exchange/access-contracts.ts'

const NOW = Date.parse('2026-11-22T12:00:00Z')
const DAY = 86_400_000

function who(roles: string[], attributes: Record<string, string> = {}): Principal {
  return { user: 'ada', roles, attributes, expiresAt: 0, scheme: 'basic' }
}

function what(name: string, more: Partial<TranscriptFacts> = {}): TranscriptFacts {
  return { name, dateMs: NOW - DAY, channel: null, attributes: null, ...more }
}

function may(rule: RolesConfig[string]['read'][number], transcript: TranscriptFacts, attributes = {}): boolean {
  return compilePermissions({ r: { read: [rule] } }, () => NOW).mayRead(who(['r'], attributes), transcript)
}

t.test('nothing without a role that allows it', (t) => {
  const { mayRead } = compilePermissions({ all: { read: [{ paths: ['**'] }] } }, () => NOW)
  t.equal(mayRead(who(['all']), what('a.json')), true)
  t.equal(mayRead(who(['other', 'all']), what('a.json')), true)
  for (const roles of [[], ['other'], ['__proto__'], ['constructor'], ['ALL']]) {
    t.equal(mayRead(who(roles), what('a.json')), false, roles.join())
  }
  t.equal(mayRead(null, what('a.json')), false)
  t.equal(compilePermissions({}).mayRead(who(['all']), what('a.json')), false)
  t.end()
})

t.test('paths', (t) => {
  const table: [glob: string, name: string, allowed: boolean][] = [
    ['**', 'a/b/c.json', true],
    ['*.json', 'a.json', true],
    ['*.json', 'a/b.json', false],
    ['north/**', 'north/a.json', true],
    ['north/**', 'north/2026/a.json', true],
    ['north/**', 'northern/a.json', false],
    ['north/**', 'a/north/a.json', false],
    ['north/*', 'north/2026/a.json', false],
    ['**/a.json', 'a.json', true],
    ['**/a.json', 'x/y/a.json', true],
    ['**/a.json', 'x/ya.json', false],
    ['a?.json', 'ab.json', true],
    ['a?.json', 'a/.json', false],
    ['a.json', 'aXjson', false],
    ['(a|b).json', 'a.json', false],
    ['North/**', 'north/a.json', false],
    ['z\u00fcrich/**', 'zu\u0308rich/a.json', true],
  ]
  for (const [glob, name, allowed] of table) t.equal(may({ paths: [glob] }, what(name)), allowed, `${glob} ${name}`)
  t.end()
})

t.test('channel, date and attributes: what is not known meets no rule about it', (t) => {
  const paths = ['**']
  t.equal(may({ paths, channels: ['web'] }, what('a', { channel: 'web' })), true)
  t.equal(may({ paths, channels: ['web'] }, what('a', { channel: 'sms' })), false)
  t.equal(may({ paths, channels: ['web'] }, what('a')), false)
  const day = Date.parse('2026-11-01T00:00:00Z')
  t.equal(may({ paths, from: '2026-11-01' }, what('a', { dateMs: day })), true)
  t.equal(may({ paths, from: '2026-11-01' }, what('a', { dateMs: day - 1 })), false)
  t.equal(may({ paths, until: '2026-11-01' }, what('a', { dateMs: day + DAY - 1 })), true)
  t.equal(may({ paths, until: '2026-11-01' }, what('a', { dateMs: day + DAY })), false)
  t.equal(may({ paths, days: 30 }, what('a', { dateMs: NOW - 30 * DAY })), true)
  t.equal(may({ paths, days: 30 }, what('a', { dateMs: NOW - 30 * DAY - 1 })), false)
  for (const rule of [{ from: '2020-01-01' }, { until: '2030-01-01' }, { days: 36_500 }]) {
    t.equal(may({ paths, ...rule }, what('a', { dateMs: 0 })), false, 'no date')
  }
  t.equal(may({ paths }, what('a', { dateMs: 0 })), true)
  const attributes = { team: 'north' }
  t.equal(may({ paths, attributes }, what('a', { attributes: { team: 'north', x: 'y' } })), true)
  t.equal(may({ paths, attributes }, what('a', { attributes: { team: 'south' } })), false)
  t.equal(may({ paths, attributes }, what('a')), false)
  const own = { team: '$team' }
  t.equal(may({ paths, attributes: own }, what('a', { attributes }), { team: 'north' }), true)
  t.equal(may({ paths, attributes: own }, what('a', { attributes }), { team: 'south' }), false)
  t.equal(may({ paths, attributes: own }, what('a', { attributes })), false, 'without the attribute')
  t.equal(may({ paths, attributes: { constructor: '$constructor' } }, what('a', { attributes: {} })), false)
  t.end()
})

t.test('all of a rule must be met, one rule is enough', (t) => {
  const rules = [
    { paths: ['north/**'], channels: ['web'] },
    { paths: ['south/**'], days: 7 },
  ]
  const { mayRead, needsAttributes } = compilePermissions(
    { r: { read: rules }, p: { read: [{ paths: ['x'] }] } },
    () => NOW,
  )
  t.equal(mayRead(who(['r']), what('north/a', { channel: 'web' })), true)
  t.equal(mayRead(who(['r']), what('north/a', { channel: 'sms' })), false)
  t.equal(mayRead(who(['r']), what('south/a', { channel: 'sms' })), true)
  t.equal(mayRead(who(['r']), what('south/a', { dateMs: NOW - 8 * DAY })), false)
  t.equal(needsAttributes(who(['r'])), false)
  t.equal(
    compilePermissions({ r: { read: [{ paths: ['**'], attributes: { a: 'b' } }] } }).needsAttributes(who(['r'])),
    true,
  )
  t.equal(needsAttributes(who(['p'])), false)
  t.equal(needsAttributes(null), false)
  t.end()
})

t.test('no path pattern is slow, and none allows what it does not name', (t) => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z.*?/]{1,24}$/), fc.stringMatching(/^[a-z./]{1,60}$/), (glob, name) => {
      const allowed = may({ paths: [glob] }, what(name))
      return /[*?]/.test(glob) || allowed === (glob === name)
    }),
    { seed: 5, numRuns: 1000 },
  )
  t.end()
})
