/** Refusals that an auditor looks for, by OWASP's names; a flood of them is bounded and counted. */
import t from 'tap'
import { Failure, type FailureCode } from '../../src/errors.ts'
import type { AuditEvent } from '../../src/exchange/contracts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { refusalRecorder } from '../../src/observe/audit-refusals.ts'
import { until } from '../kit/wait.ts'

const exchange = (code: FailureCode | null): Exchange =>
  ({
    failure: code === null ? null : new Failure(code),
    user: '',
    clientAddress: '192.0.2.1',
    id: 'r1',
    path: '/x',
  }) as Exchange

function recorder() {
  const events: AuditEvent[] = []
  const audit = { isUp: true, record: (event: AuditEvent) => void events.push(event) }
  return { events, onFinish: refusalRecorder('public', audit) }
}

t.test('who was not allowed, and who came too often', async (t) => {
  const { events, onFinish } = recorder()
  for (const code of ['address-denied', 'too-many-in-flight', 'link-invalid', 'not-found', 'bad-target', null] as const)
    onFinish(exchange(code))
  t.match(events, [
    {
      event: 'authz_fail',
      outcome: 'failure',
      user: '-',
      address: '192.0.2.1',
      object: 'public /x',
      reason: 'address-denied',
    },
    { event: 'excess_rate_limit_exceeded', reason: 'too-many-in-flight' },
    { event: 'authz_fail', reason: 'link-invalid' },
  ])
  t.equal(events.length, 3)
})

t.test('a flood is ten lines a second and a count', async (t) => {
  const { events, onFinish } = recorder()
  for (let i = 0; i < 500; i++) onFinish(exchange('too-many-in-flight'))
  t.equal(events.length, 10)
  onFinish(exchange('banned'))
  t.match(events[10], { event: 'authz_fail', reason: 'banned' }, 'it hides nothing else')
  await until(() => events.length === 12, 'the count')
  t.match(events[11], { event: 'refusals_left_out', reason: '490 more too-many-in-flight' })
})
