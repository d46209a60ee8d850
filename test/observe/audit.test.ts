/** The audit log as evidence: one whole line per event, in order, at once, whatever stands in it. */
import { execFileSync } from 'node:child_process'
import { readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { AuditEvent } from '../../src/exchange/contracts.ts'
import { makeLog } from '../../src/observe/log.ts'

const EVENT: AuditEvent = {
  event: 'sensitive_read',
  outcome: 'success',
  user: 'ada',
  address: '192.0.2.1',
  requestId: 'r1',
  object: '2026/11/a.json',
}

const open = (audit: string) => makeLog({ access: 'off', audit, level: 'error' }, { gatewayTarget: '/dev/null' })
const linesOf = (path: string) => {
  const text = readFileSync(path, 'utf8')
  t.ok(text === '' || text.endsWith('\n'), 'the last line is whole')
  return text.split('\n').slice(0, -1)
}
const eventsOf = (path: string) => linesOf(path).map((line) => JSON.parse(line) as Record<string, unknown>)

t.test('a line has these fields, in this order', async (t) => {
  const path = join(t.testdir(), 'audit.log')
  const log = open(path)
  log.audit.record(EVENT)
  log.audit.record({ ...EVENT, outcome: 'failure', user: '', reason: 'no such transcript' })
  await log.close()
  const [first, second] = eventsOf(path)
  t.same(Object.keys(first!), ['time', 'event', 'outcome', 'user', 'address', 'requestId', 'object', 'reason'])
  t.equal(new Date(first!.time as string).toISOString(), first!.time, 'UTC, to the millisecond')
  t.match(first, { ...EVENT, reason: null })
  t.match(second, { outcome: 'failure', user: null, reason: 'no such transcript' })
})

t.test('nothing in an event can end its line or begin another one', async (t) => {
  const path = join(t.testdir(), 'audit.log')
  const log = open(path)
  const hostile = [
    'a\n{"event":"authn_login_success"}',
    '\r\n',
    '"},{"event":"x"}',
    '\\',
    '\u2028\u2029\u0085',
    '\u001b[2J',
    '\0',
    '\ud800',
    '\u202e',
  ]
  for (const each of hostile) {
    log.audit.record({ ...EVENT, event: each, user: each, address: each, requestId: each, object: each, reason: each })
  }
  await log.close()
  const lines = linesOf(path)
  t.equal(lines.length, hostile.length)
  for (const [i, line] of lines.entries()) {
    t.notMatch(line, /[\x00-\x1f\x7f-\x9f\u2028\u2029]/)
    t.equal((JSON.parse(line) as AuditEvent).user, hostile[i]!.toWellFormed())
  }
})

t.test('whatever comes, each event is one line that reads back', async (t) => {
  const path = join(t.testdir(), 'audit.log')
  const log = open(path)
  const text = fc.string({ unit: 'binary', maxLength: 300 })
  const sent: AuditEvent[] = []
  fc.assert(
    fc.property(text, text, text, fc.boolean(), (user, object, reason, isGood) => {
      const event: AuditEvent = { ...EVENT, outcome: isGood ? 'success' : 'failure', user, object, reason }
      sent.push(event)
      log.audit.record(event)
    }),
    { seed: 5, numRuns: 500 },
  )
  await log.close()
  const events = eventsOf(path)
  t.equal(events.length, sent.length)
  t.ok(events.every((event, i) => event.outcome === sent[i]!.outcome))
})

t.test('long values are cut, and say so', async (t) => {
  const path = join(t.testdir(), 'audit.log')
  const log = open(path)
  log.audit.record({ ...EVENT, user: 'u'.repeat(10_000), object: '/'.repeat(100_000), reason: 'r'.repeat(10_000) })
  await log.close()
  const [line] = linesOf(path)
  t.ok(line!.length < 4096)
  t.match((JSON.parse(line!) as AuditEvent).user, /^u+…$/)
})

t.test('a card number in the name of what was touched is not written down', async (t) => {
  const path = join(t.testdir(), 'audit.log')
  const log = open(path)
  log.audit.record({ ...EVENT, object: '/4111111111111111.json' })
  log.audit.record({ ...EVENT, object: '2026/chat-5500005555555559.json' })
  // Dates with a time: every tenth passes the check sum of a card.
  const dated = Array.from({ length: 60 }, (_, i) => `2026/11/20261101-0930${String(i).padStart(2, '0')}.json`)
  for (const object of dated) log.audit.record({ ...EVENT, object })
  await log.close()
  t.notMatch(readFileSync(path, 'utf8'), /4111111111111111|5500005555555559/)
  t.same(
    eventsOf(path)
      .slice(2)
      .map(({ object }) => object),
    dated,
  )
})

t.test('an event is written at once, not when a buffer is full', async (t) => {
  const path = join(t.testdir(), 'audit.log')
  const log = open(path)
  log.audit.record(EVENT)
  // No flush: the write that began with the event has to end by itself.
  while (readFileSync(path, 'utf8') === '') await new Promise((resolve) => setImmediate(resolve))
  t.equal(linesOf(path).length, 1)
  await log.close()
})

t.test('events that wait are written when the process ends', (t) => {
  const path = join(t.testdir(), 'audit.log')
  const script = `
    import { makeLog } from ${JSON.stringify(join(import.meta.dirname, '../../src/observe/log.ts'))}
    const log = makeLog({ access: 'off', audit: ${JSON.stringify(path)}, level: 'error' })
    for (let i = 0; i < 100; i++) log.audit.record({ ...${JSON.stringify(EVENT)}, requestId: 'r' + i })
    process.exit(0)`
  execFileSync(process.execPath, ['--input-type=module', '--eval', script])
  // The one that is being written when the process ends may come last; none is lost and none is doubled.
  const ids = eventsOf(path).map(({ requestId }) => String(requestId))
  t.same(
    ids.sort((one, other) => Number(one.slice(1)) - Number(other.slice(1))),
    Array.from({ length: 100 }, (_, i) => `r${i}`),
  )
  t.end()
})

t.test('only its owner may read it, and an old one is continued', async (t) => {
  const path = join(t.testdir(), 'new', 'audit.log')
  for (let i = 0; i < 2; i++) {
    const log = open(path)
    log.audit.record(EVENT)
    await log.close()
  }
  t.equal(statSync(path).mode & 0o077, 0)
  t.equal(statSync(join(path, '..')).mode & 0o077, 0)
  t.equal(linesOf(path).length, 2)
})

t.test('over a rotation no event is lost or doubled', async (t) => {
  const path = join(t.testdir(), 'audit.log')
  const log = open(path)
  for (let i = 0; i < 300; i++) {
    if (i === 100 || i === 200) {
      renameSync(path, `${path}.${i}`)
      log.reopen()
    }
    log.audit.record({ ...EVENT, requestId: `r${i}` })
    if (i % 50 === 0) await log.flush()
  }
  await log.close()
  const ids = [`${path}.100`, `${path}.200`, path].flatMap((each) => eventsOf(each).map(({ requestId }) => requestId))
  t.same(
    ids,
    Array.from({ length: 300 }, (_, i) => `r${i}`),
  )
})

t.test('a full disk never throws into a request; what is lost is counted', async (t) => {
  const log = open('/dev/full')
  for (let i = 0; i < 5; i++) log.audit.record(EVENT)
  await log.close()
  t.equal(log.dropped, 5)
})
