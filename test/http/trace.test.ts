import t from 'tap'
import { isRequestId, makeRequestId, makeTraceparent, parseTraceparent } from '../../src/http/trace.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

t.test('a trace is continued under a new span', (t) => {
  const from = parseTraceparent(`00-${TRACE}-${SPAN}-00`)
  t.same(from, { traceId: TRACE, parentId: SPAN, flags: '00' })
  const next = makeTraceparent(from)
  t.match(next, new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`))
  t.notMatch(next, SPAN)
  t.match(makeTraceparent(parseTraceparent(`cc-${TRACE}-${SPAN}-ff-later`)), /^00-.*-01$/)
  t.end()
})

t.test('a malformed traceparent starts a new trace', (t) => {
  const bad = [
    ...[null, '', 'x', `ff-${TRACE}-${SPAN}-01`, `00-${'0'.repeat(32)}-${SPAN}-01`, `00-${TRACE}-${'0'.repeat(16)}-01`],
    ...[
      `00-${TRACE.toUpperCase()}-${SPAN}-01`,
      `00-${TRACE}-${SPAN}-01-x`,
      `00-${TRACE}-${SPAN}`,
      ` 00-${TRACE}-${SPAN}-01`,
    ],
    ...[`cc-${TRACE}-${SPAN}-01-${'x'.repeat(600)}`],
  ]
  for (const text of bad) t.equal(parseTraceparent(text), null, `${text}`)
  t.match(makeTraceparent(null), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  t.end()
})

t.test('ids are unique and well formed', (t) => {
  const ids = new Set(Array.from({ length: 2000 }, makeRequestId))
  t.equal(ids.size, 2000)
  for (const id of ids) if (!/^[0-9a-f]{32}$/.test(id)) t.fail(id)
  t.equal(isRequestId('a-b_c.1/2+3='), true)
  for (const text of ['', 'a b', 'a\n', '<x>', 'a"', 'é', 'x'.repeat(129)]) t.equal(isRequestId(text), false, text)
  t.end()
})
