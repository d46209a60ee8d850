/** What is a token that holds, and what is none: the known attacks on JWT, and every mutation. */
import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { readKeySet } from '../../src/access/jws.ts'
import { TokenIssuer } from '../../src/access/token-issuer.ts'
import { issuers } from '../../src/config/issuers-shape.ts'
import { keycloakClaims, makeHmacToken, makeKey, makeToken, part } from '../kit/token-maker.ts'

const ISSUER = 'https://id.example.com/realms/chat'
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const
const all = ALGORITHMS.map((alg) => makeKey(`key-${alg}`, alg))
const [rs] = all
const stranger = makeKey('key-RS256')
const table = await readKeySet({ keys: all.map(({ jwk }) => jwk) }, ALGORITHMS)

function issuerOf(more: Record<string, unknown> = {}, now?: () => number): TokenIssuer {
  const config = issuers.parse({
    it: { issuer: ISSUER, audience: ['portcullis'], algorithms: [...ALGORITHMS], user: 'preferred_username', ...more },
  }).it!
  const find = async (algorithm: string, kid: string | null) =>
    table.get(kid === null ? algorithm : `${algorithm} ${kid}`) ?? null
  return new TokenIssuer('it', config, { find, keepFresh: () => {} }, now)
}

const issuer = issuerOf()
const judge = async (token: string, by = issuer): Promise<unknown> => {
  const judgement = await by.judge(token, by.nameOf(token))
  return typeof judgement === 'string' ? judgement : judgement.principal.user
}
const claims = (more: Record<string, unknown> = {}) => keycloakClaims(ISSUER, more)
const seconds = Math.floor(Date.now() / 1000)

t.test('every algorithm that is accepted', async (t) => {
  for (const key of all) t.equal(await judge(makeToken(key, claims())), 'maria', key.alg)
  t.equal(await judge(makeToken(all[2]!, claims(), { alg: 'ES256' })), 'maria', 'the only key needs no id')
})

t.test('attacks on the head', async (t) => {
  const pem = rs!.publicKey.export({ type: 'spki', format: 'pem' }) as string
  const head = { alg: 'RS256', kid: rs!.kid }
  const strangers = stranger.jwk
  const rows: [what: string, token: string, why: string][] = [
    ['none', `${part({ alg: 'none' })}.${part(claims())}.`, 'malformed'],
    ['none with a signature', makeToken(rs!, claims(), { ...head, alg: 'none' }), 'algorithm'],
    ['None', makeToken(rs!, claims(), { ...head, alg: 'None' }), 'algorithm'],
    ['no algorithm', makeToken(rs!, claims(), { kid: rs!.kid }), 'algorithm'],
    ['a list of algorithms', makeToken(rs!, claims(), { ...head, alg: ['RS256'] }), 'algorithm'],
    ['HS256 with the public key, PEM', makeHmacToken(pem, claims(), { ...head, alg: 'HS256' }), 'algorithm'],
    ['HS256 with the modulus', makeHmacToken(String(rs!.jwk.n), claims(), { ...head, alg: 'HS256' }), 'algorithm'],
    ['HS256, empty key', makeHmacToken('', claims(), { ...head, alg: 'HS256' }), 'algorithm'],
    ['an HMAC that says RS256', makeHmacToken(pem, claims(), head), 'signature'],
    ['RS256 that says PS256', makeToken(rs!, claims(), { ...head, alg: 'PS256' }), 'unknown-key'],
    ['another key under our id', makeToken({ ...stranger, kid: rs!.kid }, claims()), 'signature'],
    ['a key of its own inside', makeToken(stranger, claims(), { ...head, jwk: strangers }), 'signature'],
    ['jku', makeToken(stranger, claims(), { ...head, jku: 'https://evil.example/jwks' }), 'signature'],
    ['x5u', makeToken(stranger, claims(), { ...head, x5u: 'https://evil.example/c.pem' }), 'signature'],
    ['x5c', makeToken(stranger, claims(), { ...head, x5c: ['MIIB'] }), 'signature'],
    ['kid is a path', makeToken(rs!, claims(), { ...head, kid: '../../../../dev/null' }), 'unknown-key'],
    ['kid is a URL', makeToken(rs!, claims(), { ...head, kid: 'https://evil.example/' }), 'unknown-key'],
    ['kid is SQL', makeToken(rs!, claims(), { ...head, kid: "x' UNION SELECT 'k" }), 'unknown-key'],
    ['kid is a number', makeToken(rs!, claims(), { ...head, kid: 1 }), 'unknown-key'],
    ['kid is null', makeToken(rs!, claims(), { ...head, kid: null }), 'unknown-key'],
    ['kid is __proto__', makeToken(rs!, claims(), { ...head, kid: '__proto__' }), 'unknown-key'],
    ['kid is huge', makeToken(rs!, claims(), { ...head, kid: 'k'.repeat(4000) }), 'unknown-key'],
    ['crit', makeToken(rs!, claims(), { ...head, crit: ['exp'], exp: 1 }), 'critical'],
    ['b64', makeToken(rs!, claims(), { ...head, b64: false, crit: ['b64'] }), 'critical'],
    ['JWE', `${part({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.a.b.c.d`, 'encrypted'],
    ['nested', makeToken(rs!, claims(), { ...head, alg: 'dir', enc: 'A128GCM' }), 'algorithm'],
    ['head twice', makeToken(rs!, claims(), '{"alg":"none","alg":"RS256","kid":"key-RS256"}'), 'repeated-name'],
    ['head twice, escaped', makeToken(rs!, claims(), '{"\\u0061lg":"none","alg":"RS256"}'), 'repeated-name'],
    ['head is a list', makeToken(rs!, claims(), []), 'malformed'],
    ['no head', `.${part(claims())}.AAAA`, 'malformed'],
    ['two parts', 'a.b', 'malformed'],
    ['nothing', '', 'malformed'],
    ['dots', '...........', 'malformed'],
  ]
  for (const [what, token, why] of rows) t.equal(await judge(token), why, what)
})

t.test('claims', async (t) => {
  const rows: [what: string, claims: unknown, why: string][] = [
    ['expired', claims({ exp: seconds - 60 }), 'expired'],
    ['no exp', claims({ exp: undefined }), 'claims'],
    ['exp is text', claims({ exp: '9999999999' }), 'claims'],
    ['not yet', claims({ nbf: seconds + 60 }), 'not-yet-valid'],
    ['nbf is text', claims({ nbf: 'x' }), 'not-yet-valid'],
    ['another audience', claims({ aud: 'account' }), 'audience'],
    ['no audience', claims({ aud: undefined }), 'audience'],
    ['an audience that begins so', claims({ aud: 'portcullis2' }), 'audience'],
    ['another issuer', claims({ iss: 'https://evil.example' }), 'issuer'],
    ['issuer with a slash more', claims({ iss: `${ISSUER}/` }), 'issuer'],
    ['no issuer', claims({ iss: undefined }), 'issuer'],
    ['claims twice', JSON.stringify(claims()).replace('{', '{"aud":"portcullis",'), 'repeated-name'],
    ['deep twice', JSON.stringify(claims()).replace('{"roles"', '{"roles":[],"roles"'), 'repeated-name'],
    ['no user', claims({ preferred_username: undefined }), 'user'],
    ['user is a list', claims({ preferred_username: ['maria'] }), 'user'],
    ['user with a line break', claims({ preferred_username: 'maria\r\nx: y' }), 'user'],
    ['user too long', claims({ preferred_username: 'm'.repeat(257) }), 'user'],
    ['no object', '"text"', 'malformed'],
    ['too long', claims({ more: 'x'.repeat(9000) }), 'too-long'],
  ]
  for (const [what, value, why] of rows) t.equal(await judge(makeToken(rs!, value)), why, what)
  const byType = issuerOf({ type: 'at+jwt', requiredClaims: { azp: 'chat-web', typ: 'Bearer' } })
  t.equal(await judge(makeToken(rs!, claims()), byType), 'type')
  const typed = { alg: 'RS256', kid: rs!.kid, typ: 'at+jwt' }
  t.equal(await judge(makeToken(rs!, claims(), typed), byType), 'maria')
  t.equal(await judge(makeToken(rs!, claims({ typ: 'ID' }), typed), byType), 'claims', 'an ID token is no access token')
  t.equal(await judge(makeToken(rs!, claims({ azp: undefined }), typed), byType), 'claims')
})

t.test('the edges of the clock', async (t) => {
  const at = 1_800_000_000
  const by = (now: number) => issuerOf({ clockSkew: '30 seconds', rememberFor: '0 s' }, () => now * 1000)
  const token = makeToken(rs!, claims({ nbf: at, exp: at + 100 }))
  for (const [now, says] of [
    [at - 31, 'not-yet-valid'],
    [at - 30, 'maria'],
    [at + 129, 'maria'],
    [at + 130, 'expired'],
  ] as const) {
    t.equal(await judge(token, by(now)), says, String(now - at))
  }
})

t.test('who it is', async (t) => {
  const by = issuerOf({ roles: { keycloak: 'chat' }, attributes: { team: ['https://example.com/team'], none: 'a.b' } })
  const token = makeToken(rs!, claims({ preferred_username: 'Zoë, 50%', 'https://example.com/team': 'north' }))
  const verdict = await by.judge(token, by.nameOf(token))
  t.match(verdict, {
    principal: { user: 'Zoë, 50%', roles: ['agent', 'supervisor'], attributes: { team: 'north' }, scheme: 'bearer' },
    scopes: ['openid', 'chat'],
    identity: [
      ...['x-portcullis-user', 'Zo%C3%AB%2C%2050%25', 'x-portcullis-issuer', 'it'],
      ...['x-portcullis-roles', 'agent,supervisor'],
    ],
  })
  const odd = makeToken(
    rs!,
    claims({ realm_access: { roles: 'agent' }, resource_access: { chat: { roles: [1, null, 'a\nb', ''] } } }),
  )
  t.match(await by.judge(odd, ''), { principal: { roles: ['agent'] } })
  const none = issuerOf({ roles: ['constructor.name', '__proto__.roles'] })
  t.match(await none.judge(makeToken(rs!, claims()), ''), { principal: { roles: [] } })
})

t.test('a verdict is remembered for a while, never over the end of the token, and so many', async (t) => {
  let now = Date.now()
  const by = issuerOf({ rememberFor: '1 minute', remembered: 2, clockSkew: '0 s' }, () => now)
  const tokens = [1, 2, 3].map((i) => makeToken(rs!, claims({ jti: String(i), exp: Math.floor(now / 1000) + 30 })))
  const names = tokens.map((token) => by.nameOf(token))
  for (const [i, token] of tokens.entries()) {
    t.equal(by.recall(names[i]!), null)
    t.equal(await judge(token, by), 'maria')
  }
  t.same(
    names.map((name) => by.recall(name) !== null),
    [false, true, true],
  )
  now += 31_000
  t.equal(by.recall(names[2]!), null, 'the token has ended')
  by.forget()
  t.equal(by.recall(names[1]!), null)
  t.not(issuerOf().nameOf(tokens[0]!), names[0], 'another process knows another name')
})

t.test('more at once than may be verified', async (t) => {
  const by = issuerOf({ maxVerifying: 2 })
  const token = makeToken(rs!, claims())
  t.same(await Promise.all([judge(token, by), judge(token, by), judge(token, by)]), ['maria', 'maria', 'busy'])
  t.equal(await judge(token, by), 'maria')
})

t.test('keys of a set that may not verify', async (t) => {
  const rsa = makeKey('a').jwk
  const refuse = async (keys: unknown, algorithms: readonly string[] = ['RS256']) =>
    t.rejects(readKeySet({ keys }, algorithms), /key/)
  await refuse([{ ...rsa, use: 'enc' }])
  await refuse([{ ...rsa, key_ops: ['encrypt'] }])
  await refuse([{ ...rsa, alg: 'RSA-OAEP' }])
  await refuse([{ ...rsa, kid: 7 }])
  await refuse([{ kty: 'oct', k: 'c2VjcmV0', kid: 'a' }], ['RS256', 'HS256'])
  await refuse([makeKey('weak', 'RS256', 1024).jwk])
  await refuse([null, 1, 'x', {}])
  await refuse('x')
  await refuse(Array.from({ length: 65 }, () => rsa))
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const withPrivate = await readKeySet({ keys: [{ ...pair.privateKey.export({ format: 'jwk' }), kid: 'p' }] }, [
    'RS256',
  ])
  t.equal(withPrivate.get('RS256 p')?.type, 'public', 'of a private key that was published by mistake, the public part')
  const two = await readKeySet({ keys: [makeKey('a', 'ES256').jwk, makeKey('b', 'ES256').jwk] }, ['ES256'])
  t.equal(two.get('ES256'), undefined, 'of two keys neither is meant by no id')
})

t.test('no mutation of a token is accepted', async (t) => {
  for (const key of all) {
    const token = makeToken(key, claims())
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \u0000é'
    const mutation = fc.oneof(
      fc
        .tuple(fc.nat(token.length - 1), fc.constantFrom(...letters))
        .map(([at, letter]) => token.slice(0, at) + letter + token.slice(at + 1)),
      fc
        .tuple(fc.nat(token.length), fc.constantFrom(...letters))
        .map(([at, letter]) => token.slice(0, at) + letter + token.slice(at)),
      fc
        .tuple(fc.nat(token.length - 1), fc.integer({ min: 1, max: 20 }))
        .map(([at, n]) => token.slice(0, at) + token.slice(at + n)),
    )
    await fc.assert(
      fc.asyncProperty(mutation, async (mutant) => {
        fc.pre(mutant !== token)
        const judgement = await issuer.judge(mutant, 'x')
        return typeof judgement === 'string' && judgement !== 'down' && judgement !== 'busy'
      }),
      { numRuns: 400, seed: 7 },
    )
    // The last letter of a part has bits that no byte holds: each spelling but one is refused.
    for (const letter of letters) {
      const mutant = token.slice(0, -1) + letter
      if (mutant !== token) t.type(await issuer.judge(mutant, 'x'), 'string')
    }
  }
})

t.test('any text is judged and nothing is thrown', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.tuple(fc.json(), fc.json(), fc.base64String()).map(([a, b, c]) => `${part(a)}.${part(b)}.${c}`),
      ),
      async (text) => typeof (await issuer.judge(text, 'x')) === 'string',
    ),
    { numRuns: 500, seed: 7 },
  )
})
