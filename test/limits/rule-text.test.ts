/** A rule as people read it. */
import t from 'tap'
import { ruleText } from '../../src/limits/rule-text.ts'
import { limit } from './rules.ts'

t.test('only what is set is told', async (t) => {
  t.equal(ruleText(limit(120)), '120 per 60 s by address')
  t.equal(
    ruleText(
      limit(5, {
        by: ['address', 'header X-Tenant'],
        missing: 'skip',
        ipv6Prefix: 56,
        burst: 2,
        block: [60_000, 300_000],
        penalties: { 401: 5, 404: 2 },
        concurrent: 3,
        tarpit: { delay: 1500, max: 10 },
        known: { for: 86_400_000, statuses: [204] },
        ban: { after: 10, within: 600_000, for: 3_600_000 },
        exempt: ['10.0.0.0/8'],
        deny: ['192.0.2.1'],
        dryRun: true,
      }),
    ),
    '5 per 60 s by address and header X-Tenant; burst 2; without it not counted; IPv6 /56; blocks for 60 s, then 300 s; ' +
      '401 costs 5, 404 costs 2; 3 at once; waits 1.5 s; known clients for 86400 s; ban for 3600 s after 10 refusals in 600 s; ' +
      'exempt 10.0.0.0/8; denied 192.0.2.1; dry run',
  )
})
