/** People sign in at a real provider, by code with PKCE, without a script of ours, and read transcripts by their roles there. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { EVERYTHING } from '../kit/accounts.ts'
import { openHttp1 } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startProvider } from '../kit/provider.ts'
import { freePort } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'
import { launchBrowser, watch } from './browser.ts'

const base = mkdtempSync(join(tmpdir(), 'portcullis-provider-'))
const folder = join(base, 'transcripts')
mkdirSync(folder)
const CHAT = { id: 'chat-17', messages: [{ from: 'Grace', text: 'Hello from the archive' }] }
writeFileSync(join(folder, '2026-11-01-chat.json'), JSON.stringify(CHAT))
const port = await freePort()
const url = `https://localhost:${port}`
const redirect = `${url}/.account/callback`
// Of another site than the gateway, as in life: cookies that are Strict do not come along from there.
const provider = await startProvider(redirect, (user) => (user === 'maria' ? ['reader', 'other'] : ['other']))
writeFileSync(join(base, 'ca.pem'), provider.ca)
const oidc = {
  issuer: 'it',
  client: { id: 'transcripts', secret: { env: 'CLIENT_SECRET' }, redirect, sessionKey: { env: 'SESSION_KEY' } },
}
const gateway = await startGatewayHere(
  testConfig('http://127.0.0.1:9', {
    issuers: { it: { issuer: provider.issuer, audience: ['portcullis'], ca: join(base, 'ca.pem'), roles: 'keycloak' } },
    listeners: {
      transcripts: { address: `127.0.0.1:${port}`, hosts: ['localhost'], source: { folder }, roles: EVERYTHING, oidc },
      admin: { address: '127.0.0.1:0' },
    },
    routes: [],
  }),
  { CLIENT_SECRET: 'a secret of the client', SESSION_KEY: 's'.repeat(40) },
)
const browser = await launchBrowser()
t.teardown(async () => {
  await browser.close()
  await gateway.close()
  await provider.close()
  rmSync(base, { recursive: true, force: true })
})

async function openPage(t: Test): Promise<Page> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false })
  t.teardown(() => context.close())
  return context.newPage()
}

/** At the provider: who, and yes. */
async function signInThere(page: Page, user: string): Promise<void> {
  await page.waitForURL(`${provider.issuer}/**`)
  await page.locator('input[name=login]').fill(user)
  await page.locator('input[name=password]').fill('whatever')
  await page.locator('button[type=submit]').click()
  await page.locator('button[type=submit]').click()
}

t.test('there, back, reading, and out', async (t) => {
  const page = await openPage(t)
  const complaints = watch(page)
  await page.goto(`${url}/2026-11-01-chat.json`)
  await signInThere(page, 'maria')
  await page.getByText('Hello from the archive').waitFor()
  t.equal(page.url(), `${url}/2026-11-01-chat.json`, 'where one wanted to go')
  t.match(await page.getByText('Signed in as').textContent(), /maria/)
  const cookies = (await page.context().cookies(url)).filter(({ name }) => name.startsWith('__Host-portcullis'))
  t.match(cookies, [{ name: '__Host-portcullis', httpOnly: true, secure: true, sameSite: 'Strict', expires: -1 }])
  t.equal(cookies.length, 1, 'the transaction is over')
  t.notMatch(decodeURIComponent(JSON.stringify(cookies)), /maria/)
  await page.goto(`${url}/`)
  await page.getByRole('link', { name: /chat/ }).first().waitFor()

  const [session] = cookies
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.waitForURL(`${provider.issuer}/**`)
  await page.locator('button[value=yes]').click()
  await page.getByText('Sign in again').waitFor()
  t.equal(page.url(), `${url}/.account/signed-out`)
  const client = openHttp1({ port })
  t.teardown(() => client.close())
  const old = await client.ask({ path: '/', headers: ['cookie', `__Host-portcullis=${session!.value}`] })
  t.equal(old.status, 401, 'the session has ended for all who hold its cookie')
  t.same(complaints.list, [])
})

t.test('roles of the provider decide', async (t) => {
  const page = await openPage(t)
  await page.goto(`${url}/2026-11-01-chat.json`)
  await signInThere(page, 'eve')
  await page.waitForURL(`${url}/2026-11-01-chat.json`)
  t.equal(await page.getByText('Hello from the archive').count(), 0)
})

t.test('what comes back without having gone', async (t) => {
  const client = openHttp1({ port })
  t.teardown(() => client.close())
  const get = (path: string, headers: readonly string[] = []) => client.ask({ path, headers })
  const bare = await get('/.account/callback?code=x&state=y')
  t.equal(bare.status, 401, 'no transaction')
  const start = await get('/.account/sign-in?next=https://evil.example/', ['accept', 'text/html'])
  t.equal(start.status, 303)
  const there = new URL(start.header('location')!)
  t.equal(there.origin, provider.issuer)
  t.match(Object.fromEntries(there.searchParams), {
    ...{ redirect_uri: redirect, response_type: 'code', code_challenge_method: 'S256', client_id: 'transcripts' },
    ...{ scope: 'openid', state: /^.{20}/, nonce: /^.{20}/, code_challenge: /^.{43}$/ },
  })
  const set = start.header('set-cookie')!
  t.match(set, /^__Host-portcullis-sign-in=[\w-]+; Max-Age=600; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
  const cookie = ['cookie', set.split(';')[0]!]
  const state = there.searchParams.get('state')!
  for (const [query, what] of [
    ['?code=x&state=y', 'another state'],
    ['?code=x', 'no state'],
    [`?code=x&state=${state}`, 'a code of nobody'],
    [`?code=x&state=${state}&state=${state}`, 'two states'],
    [`?error=access_denied&state=${state}&iss=${encodeURIComponent(provider.issuer)}`, 'the person said no'],
    [`?code=x&state=${state}&iss=https://evil.example`, 'another issuer'],
    ['', 'nothing'],
  ] as const) {
    const answer = await get(`/.account/callback${query}`, cookie)
    t.equal(answer.status, 401, what)
    t.notMatch(answer.headers.join('\n'), /__Host-portcullis=[\w-]/, 'no session')
    t.notMatch(answer.text, /evil|access_denied/)
  }
  const session = ['cookie', `__Host-portcullis=${set.split(';')[0]!.split('=')[1]}`]
  t.equal((await get('/', session)).status, 401, 'a transaction is no session')
  t.equal((await get('/.account/sign-out')).status, 404)
  t.equal(
    (await client.ask({ method: 'POST', path: '/.account/sign-out', headers: ['origin', 'https://evil.example'] }))
      .status,
    403,
  )
  const program = await get('/')
  t.equal(program.status, 401)
  t.equal(program.header('www-authenticate'), 'Bearer realm="it"')
  t.equal((await get('/', ['authorization', 'Bearer x.y.z', 'accept', 'text/html'])).status, 401)
  await until(() => gateway.auditLines().some(({ event, user }) => event === 'authn_login_success' && user === 'maria'))
  t.ok(gateway.auditLines().some(({ event }) => event === 'session_expired'))
  t.ok(gateway.auditLines().filter(({ event }) => event === 'authn_login_fail').length >= 8)
  t.notMatch(JSON.stringify([gateway.auditLines(), gateway.accessLines()]), /eyJ|code=|state=/)
})
