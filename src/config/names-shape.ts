/** The settings by which the names of endpoints are looked up again and again. It knows no endpoint. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { parseAddress } from './addresses.ts'
import { cidrList, count, duration } from './shape-terms.ts'

const resolver = z
  .string()
  .refine(
    (text) => isIP(text) !== 0 || (parseAddress(text) !== null && !text.startsWith('localhost')),
    'is not the address of a DNS server; write for example "10.0.0.53" or "10.0.0.53:5353"',
  )
  .meta({ title: 'address of a DNS server' })

export const names = z
  .strictObject({
    records: z
      .enum(['address', 'srv'])
      .prefault('address')
      .describe(
        '`address`: A and AAAA; `srv`: the host of the URL is the name of SRV records, which say hosts, ports, weights and priorities (RFC 2782).',
      ),
    addresses: z
      .enum(['all', 'one'])
      .prefault('all')
      .describe('`all`: every address of a name is an endpoint; `one`: one of them, which stays while it is named.'),
    interval: duration(
      '30 seconds',
      'Longest time between two look-ups of a name. A shorter time to live counts, from one second on.',
      50,
    ),
    maxAge: duration(
      '1 hour',
      'How long the last good answer counts where no other one comes; then its endpoints leave.',
      50,
    ),
    leave: duration(
      '1 minute',
      'How long sessions that are bound to an address may go there after it has vanished. What runs there ends by itself.',
      0,
    ),
    timeout: duration(
      '2 seconds',
      'Until a DNS server that says nothing is asked again, and until the next one is.',
      10,
    ),
    most: count(32, 'Endpoints that one name may become; what is more is left out.', 1, 256),
    resolvers: z
      .array(resolver)
      .min(1)
      .max(8)
      .optional()
      .describe('Addresses of DNS servers. Default: those of the system, without its file of hosts.'),
    networks: cidrList
      .min(1)
      .optional()
      .describe(
        'Blocks in which the addresses must lie; others are left out. Default: all but unspecified, loopback, link-local and multicast ones.',
      ),
  })
  .optional()
  .describe(
    'Looks the names of endpoints up by DNS again and again, and follows what it says. Default: the system looks a name up for every connection.',
  )
