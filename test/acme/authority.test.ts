/** An authority that is not what it should be: it leads elsewhere, never ends, sends nonsense. Nothing of it goes further. */

import { statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecure } from 'node:https'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { accountKeyIn } from '../../src/acme/account-key.ts'
import { type AcmeError, Authority, problemText } from '../../src/acme/authority.ts'
import { order } from '../../src/acme/order.ts'
import { makeCertificate } from '../kit/certificates.ts'

type Answer = (path: string, response: ServerResponse, base: string) => void

/** A directory at this machine that answers as `answer` does; every answer has a nonce. */
async function startAuthority(t: Test, answer: Answer) {
  const issuer = await makeCertificate({ names: [], subject: 'CN=directory authority', authority: true })
  const { cert, key } = await makeCertificate({ names: ['localhost'], issuer })
  const asked: string[] = []
  let base = ''
  const server = createSecure({ cert, key }, (request: IncomingMessage, response) => {
    asked.push(`${request.method} ${request.url}`)
    request.resume()
    response.setHeader('replay-nonce', 'nonce-1')
    if (request.url === '/dir') {
      const directory = { newNonce: `${base}/nonce`, newAccount: `${base}/account`, newOrder: `${base}/order` }
      response.end(JSON.stringify(directory))
    } else if (request.url === '/nonce') response.end()
    else answer(request.url!, response, base)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  base = `https://localhost:${(server.address() as { port: number }).port}`
  const file = join(t.testdir(), 'accounts', 'x.key')
  const settings = { directory: `${base}/dir`, ca: issuer.cert, externalAccount: null }
  const authority = new Authority(settings, accountKeyIn(file))
  t.teardown(() => {
    authority.close()
    server.closeAllConnections()
    server.close()
  })
  return { authority, asked, file, settings }
}

const WISH = { names: ['a.example.com'], email: null, challenge: 'http-01', replaces: null } as const
const problem = (response: ServerResponse, status: number, type: string, more = {}): void => {
  response.writeHead(status, more)
  response.end(JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail: 'so\nit is' }))
}

t.test('nothing but the origin of the directory is asked', async (t) => {
  let visits = 0
  const other = createServer((_request, response) => {
    visits++
    response.end()
  })
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done))
  t.teardown(() => other.close())
  const { port } = other.address() as { port: number }
  const { authority } = await startAuthority(t, (path, response, base) => {
    if (path === '/account') response.writeHead(201, { location: `${base}/account/1` }).end('{}')
    else {
      const order = { status: 'pending', authorizations: [`http://127.0.0.1:${port}/authz`], finalize: `${base}/x` }
      response.writeHead(201, { location: `${base}/order/1` }).end(JSON.stringify(order))
    }
  })
  await t.rejects(
    order(
      authority,
      WISH,
      async () => {},
      async () => {},
    ),
    { message: /another host than that of its directory/ },
  )
  t.equal(visits, 0)
})

t.test('a token that is none is never presented', async (t) => {
  const { authority } = await startAuthority(t, (path, response, base) => {
    if (path === '/account') response.writeHead(201, { location: `${base}/account/1` }).end('{}')
    else if (path === '/order') {
      const order = { status: 'pending', authorizations: [`${base}/authz`], finalize: `${base}/x` }
      response.writeHead(201, { location: `${base}/order/1` }).end(JSON.stringify(order))
    } else {
      const challenges = [{ type: 'http-01', url: `${base}/challenge`, token: '../../etc/passwd-and-more' }]
      response.end(JSON.stringify({ status: 'pending', identifier: { value: 'a.example.com' }, challenges }))
    }
  })
  const presented: unknown[] = []
  await t.rejects(
    order(
      authority,
      WISH,
      async (challenges) => {
        presented.push(challenges)
      },
      async () => {},
    ),
    { message: /a token that is none/ },
  )
  t.same(presented, [])
})

t.test('refusals are told by type, with the time to wait; nonces are tried again, not for ever', async (t) => {
  const limited = await startAuthority(t, (_path, response) =>
    problem(response, 429, 'rateLimited', { 'retry-after': '3600' }),
  )
  const error = (await limited.authority.signIn(null).catch((caught) => caught)) as AcmeError
  t.equal(error.type, 'rateLimited')
  t.equal(error.retryAfterMs, 3_600_000)
  t.equal(error.message, 'rateLimited: so it is', 'one line')
  const stubborn = await startAuthority(t, (_path, response) => problem(response, 400, 'badNonce'))
  const refused = (await stubborn.authority.signIn(null).catch((caught) => caught)) as AcmeError
  t.equal(refused.type, 'badNonce')
  t.equal(stubborn.asked.filter((each) => each === 'POST /account').length, 8)
})

t.test('answers that are too long, cut, or no JSON', async (t) => {
  const endless = await startAuthority(t, (_path, response) => response.end('x'.repeat(300_000)))
  await t.rejects(endless.authority.signIn(null), { message: /too long/ })
  const cut = await startAuthority(t, (_path, response) => response.destroy())
  await t.rejects(cut.authority.signIn(null), { message: /cannot be asked/ })
  const strange = await startAuthority(t, (path, response, base) => {
    response.writeHead(201, { location: `${base}/account/1` }).end(path === '/account' ? '{}' : '[1]')
  })
  await t.rejects(
    order(
      strange.authority,
      WISH,
      async () => {},
      async () => {},
    ),
    { message: /no JSON object/ },
  )
})

t.test('an authority whose certificate is a stranger’s is not spoken to', async (t) => {
  const { settings, file, asked } = await startAuthority(t, (_path, response) => response.end('{}'))
  const authority = new Authority({ ...settings, ca: null }, accountKeyIn(file))
  t.teardown(() => authority.close())
  await t.rejects(authority.signIn(null), { message: /cannot be asked/ })
  t.same(asked, [])
})

t.test('account keys are kept, private, and never made anew over a damaged one', async (t) => {
  const file = join(t.testdir(), 'accounts', 'host.key')
  const { thumbprint } = accountKeyIn(file)
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.equal(accountKeyIn(file).thumbprint, thumbprint)
  writeFileSync(file, 'half a key')
  t.throws(() => accountKeyIn(file), { message: /is damaged; move it away/ })
})

t.test('what an authority says is one bounded line in the log', async (t) => {
  t.equal(problemText({ type: 'urn:ietf:params:acme:error:dns', detail: 'a\u0000\u001b[31m\nb' }), 'dns: a [31m b')
  t.ok(problemText({ detail: 'x'.repeat(1000) }).length <= 300)
  t.equal(problemText(null), 'unknown: no detail')
})
