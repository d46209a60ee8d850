/** The section "limits.store.redis" of the declaration: one server, Sentinels or a Cluster. It knows no limit. */
import { z } from 'zod'
import { duration, file, secret } from './shape-terms.ts'

const nodes = z
  .array(
    z
      .string()
      .regex(
        /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{1,253}):[1-9][0-9]{0,4}$/,
        'is not host and port; write for example "redis-1.example.com:6379"',
      ),
  )
  .min(1, 'names no node; write at least one "host:port"')
  .max(64)

const user = z.string().regex(/^[\x21-\x7e]{1,128}$/, 'is not a user name')

export const redis = z
  .strictObject({
    url: z
      .union([
        z
          .string()
          .regex(
            /^(?:rediss?:\/\/|unix:\/\/\/)[^\s@]+$/,
            'is not a Redis URL without a password; write for example "redis://127.0.0.1:6379" or "unix:///run/redis.sock", and a URL with a password as { "env": "REDIS_URL" }',
          )
          .meta({ title: 'Redis URL' }),
        secret,
      ])
      .optional()
      .describe('One server: redis://, rediss:// (TLS) or unix:/// URL, or a reference to it.'),
    sentinel: z
      .strictObject({
        master: z
          .string()
          .regex(/^[\x21-\x7e]{1,128}$/, 'is not the name of a master')
          .describe('The name under which the Sentinels know the master.'),
        nodes: nodes.describe('Sentinels, `host:port`; the others are learnt from them.'),
        username: user.optional().describe('User at the Sentinels; default: none.'),
        password: secret.optional().describe('Password at the Sentinels; default: none.'),
        tls: z.boolean().prefault(false).describe('TLS towards the Sentinels too, with the settings of `tls`.'),
      })
      .optional()
      .describe('A master that Sentinels name and replace. Instead of `url`.'),
    cluster: z
      .strictObject({ nodes: nodes.describe('Nodes to begin with, `host:port`; the others are learnt from them.') })
      .optional()
      .describe('A Redis Cluster. Instead of `url`.'),
    username: user.optional().describe('ACL user; with `url` it may stand there instead.'),
    password: secret.optional().describe('Password; with `url` it may stand there instead.'),
    database: z.int().min(0).max(65_535).optional().describe('Number of the database; a Cluster has only 0.'),
    tls: z
      .strictObject({
        ca: file.optional().describe('PEM file of the authorities that may have signed; default: the public ones.'),
        cert: file.optional().describe('PEM file of a client certificate.'),
        key: file.optional().describe('PEM file of its private key, readable by its owner only.'),
        passphrase: secret.optional().describe('Passphrase of an encrypted key.'),
        serverName: z
          .string()
          .regex(/^[A-Za-z0-9.-]{1,253}$/, 'is not a host name')
          .optional()
          .describe('The name that the certificates must carry; default: the host that is connected to.'),
      })
      .optional()
      .describe('TLS towards Redis; certificates are always verified. With `url`: for rediss:// URLs.'),
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9:_-]{1,32}$/, 'is not a key prefix')
      .prefault('portcullis')
      .describe('Start of every key.'),
    timeout: duration('50 ms', 'A command that takes longer counts as an outage.'),
  })
  .superRefine((value, check) => {
    const wrong = (path: string[], message: string) => check.addIssue({ code: 'custom', path, message })
    const ways = (['url', 'sentinel', 'cluster'] as const).filter((way) => value[way] !== undefined)
    if (ways.length !== 1) {
      wrong([], 'needs one of "url" (one server), "sentinel" and "cluster", and no second one')
    }
    if (value.cluster !== undefined && (value.database ?? 0) !== 0) {
      wrong(['database'], 'is not 0, and a Cluster has no other; leave it out, and use "prefix" to keep keys apart')
    }
    if (value.username !== undefined && value.password === undefined) {
      wrong(['username'], 'comes without "password"; write the password as { "env": "..." } or { "file": "..." }')
    }
    const { sentinel, tls } = value
    if (sentinel?.username !== undefined && sentinel.password === undefined) {
      wrong(['sentinel', 'username'], 'comes without "password"; write it as { "env": "..." } or { "file": "..." }')
    }
    if (sentinel?.tls === true && tls === undefined) {
      wrong(['sentinel', 'tls'], 'is on, but "tls" of redis is missing; write at least "tls": {}')
    }
    if ((tls?.cert === undefined) !== (tls?.key === undefined)) {
      wrong(['tls'], 'has a client certificate or its key alone; write "cert" and "key"')
    }
    if (tls !== undefined && typeof value.url === 'string' && !value.url.startsWith('rediss:')) {
      wrong(['tls'], 'is for TLS, but the URL is not a rediss:// URL')
    }
  })
