/** The settings of the internal services that requests go to. It knows no route. */
import { z } from 'zod'
import { count, duration, file } from './shape-terms.ts'

const url = z
  .string()
  .refine((text) => {
    if (!URL.canParse(text)) return false
    const parsed = new URL(text)
    return (
      (parsed.protocol === 'http:' || parsed.protocol === 'https:') &&
      parsed.pathname === '/' &&
      parsed.search === '' &&
      parsed.hash === '' &&
      parsed.username === '' &&
      !text.endsWith('?')
    )
  }, 'is not the URL of an endpoint; write scheme, host and port only, for example "http://10.2.0.11:3000"')
  .meta({ title: 'URL' })

export const service = z.strictObject({
  endpoints: z
    .array(url)
    .min(1, 'has no endpoint; write at least one URL')
    .max(256)
    .describe('Base URLs; requests go to them in turn.'),
  tls: z
    .strictObject({
      ca: file
        .optional()
        .describe(
          'PEM file of the authorities that may have signed the endpoint certificates; default: the public ones.',
        ),
      serverName: z
        .string()
        .min(1)
        .optional()
        .describe('Name to ask for (SNI) and to check, where it is not the host of the URL.'),
      cert: file.optional().describe('Client certificate, PEM.'),
      key: file.optional().describe('Key of the client certificate, PEM.'),
    })
    .prefault({})
    .describe('TLS towards https endpoints; certificates are always verified.'),
  protocol: z
    .enum(['http/1.1', 'h2'])
    .prefault('http/1.1')
    .describe('Towards the endpoints: HTTP/1.1, or HTTP/2 (https endpoints only). WebSockets always take HTTP/1.1.'),
  maxConnections: count(256, 'Connections to one endpoint.', 1, 100_000),
  maxWaiting: count(1024, 'Requests that may wait for a connection to one endpoint; over it 503.', 0, 100_000),
  timeouts: z
    .strictObject({
      connect: duration('3 seconds', 'Until a connection stands.'),
      firstByte: duration('60 seconds', 'From the request to the head of the answer.'),
      betweenBytes: duration('60 seconds', 'Between two reads of an answer.'),
      keepAlive: duration('4 seconds', 'How long an unused connection is kept; shorter than the service keeps it.'),
    })
    .prefault({})
    .describe('How long endpoints may take.'),
})
