/** The pages of an account as a person meets them: sign in, a password that must be changed, a second factor. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { newAccount } from '../../src/access/account.ts'
import { changeAccounts } from '../../src/access/account-changes.ts'
import { hashPassword } from '../../src/access/passwords.ts'
import { codeAt, enrol, STEP_MS } from '../../src/access/totp.ts'
import { EVERYTHING } from '../kit/accounts.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { launchBrowser, watch } from './browser.ts'
import { readContrasts } from './contrast.ts'

const PASSWORD = 'horse7battery'
const NEXT = 'staple8lanterns'
const base = mkdtempSync(join(tmpdir(), 'portcullis-accounts-'))
const folder = join(base, 'transcripts')
mkdirSync(folder)
const CHAT = { id: 'chat-17', messages: [{ from: 'Grace', text: 'Hello from the archive' }] }
writeFileSync(join(folder, '2026-11-01-chat.json'), JSON.stringify(CHAT))
const accounts = join(base, 'accounts.json')
const hash = await hashPassword(PASSWORD)
const { factor } = enrol()
await changeAccounts(accounts, (book) => {
  for (const [name, more] of [
    ['ada', {}],
    ['bob', { mustChange: true }],
    ['kim', { secondFactor: factor }],
  ] as const) {
    book.accounts.set(name, { ...newAccount(name, hash, Date.now()), roles: ['reader'], ...more })
  }
})
const transcripts = {
  address: '127.0.0.1:0',
  hosts: ['localhost'],
  source: { folder },
  roles: EVERYTHING,
  signIn: { accounts },
}
const gateway = await startGatewayHere(
  testConfig('http://127.0.0.1:9', { listeners: { transcripts, admin: { address: '127.0.0.1:0' } }, routes: [] }),
)
const url = `https://localhost:${gateway.port('listeners.transcripts.address')}`
const browser = await launchBrowser()
t.teardown(async () => {
  await browser.close()
  await gateway.close()
  rmSync(base, { recursive: true, force: true })
})

interface Options {
  colorScheme?: 'light' | 'dark'
  javaScriptEnabled?: boolean
  width?: number
}

/** A context of its own is a private window. */
async function openPage(t: Test, options: Options = {}): Promise<Page> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    colorScheme: options.colorScheme ?? 'light',
    javaScriptEnabled: options.javaScriptEnabled ?? true,
    viewport: { width: options.width ?? 1280, height: 800 },
  })
  t.teardown(() => context.close())
  return context.newPage()
}

async function signIn(page: Page, user: string, password: string, code = ''): Promise<void> {
  await page.getByLabel('User name').fill(user)
  await page.getByLabel('Password').fill(password)
  await page.getByLabel('Code of the second factor').fill(code)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

for (const javaScriptEnabled of [true, false]) {
  t.test(`signs in and out, ${javaScriptEnabled ? 'with' : 'without'} script`, async (t) => {
    const page = await openPage(t, { javaScriptEnabled })
    const complaints = watch(page)
    await page.goto(`${url}/2026-11-01-chat.json`)
    t.equal(await page.title(), 'Sign in')
    await signIn(page, 'ada', 'wrong')
    t.match(await page.getByRole('alert').innerText(), /is wrong/)
    t.equal(await page.getByLabel('User name').inputValue(), 'ada')
    t.equal(await page.getByLabel('Password').inputValue(), '')
    await signIn(page, 'ada', PASSWORD)
    t.equal(page.url(), `${url}/2026-11-01-chat.json`, 'where it was going')
    await page.getByText('Hello from the archive').waitFor()
    const [cookie] = await page.context().cookies(url)
    t.match(cookie, { name: '__Host-portcullis', httpOnly: true, secure: true, sameSite: 'Strict', expires: -1 })
    await page.getByRole('link', { name: 'All transcripts' }).click()
    await page.getByText('Signed in as ada').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    t.equal(await page.title(), 'Sign in')
    await page.goto(url)
    t.equal(await page.title(), 'Sign in')
    t.same(complaints.list, [])
  })
}

t.test('a password that somebody else chose is changed first', async (t) => {
  const page = await openPage(t)
  const complaints = watch(page)
  await page.goto(url)
  await signIn(page, 'bob', PASSWORD)
  t.equal(await page.title(), 'Change the password')
  await page.getByText('This password was chosen for you').waitFor()
  await page.goto(url)
  t.equal(await page.title(), 'Change the password', 'nothing else is shown')
  t.equal(await page.getByLabel('User name').inputValue(), 'bob')
  const change = async (next: string): Promise<void> => {
    await page.getByLabel('Present password').fill(PASSWORD)
    await page.getByLabel('New password', { exact: true }).fill(next)
    await page.getByLabel('New password again').fill(next)
    await page.getByRole('button', { name: 'Change the password' }).click()
  }
  await change('short')
  t.match(await page.getByRole('alert').innerText(), /at least 12 characters/)
  await change(NEXT)
  t.equal(await page.title(), 'Transcripts')
  t.same(complaints.list, [])
})

t.test('a second factor is asked for, and counts once', async (t) => {
  const page = await openPage(t)
  await page.goto(url)
  await signIn(page, 'kim', PASSWORD)
  t.match(await page.getByRole('alert').innerText(), /is wrong/)
  const code = codeAt(factor, Math.floor(Date.now() / STEP_MS))
  await signIn(page, 'kim', PASSWORD, code)
  t.equal(await page.title(), 'Transcripts')
  const other = await openPage(t)
  await other.goto(url)
  await signIn(other, 'kim', PASSWORD, code)
  t.equal(await other.title(), 'Sign in')
})

t.test('a form on another site signs nobody in', async (t) => {
  const page = await openPage(t)
  await page.goto(
    `data:text/html,<form method="post" action="${url}/.account/sign-in"><input name="user" value="ada"><input name="password" value="${PASSWORD}"><button>Go</button></form>`,
  )
  await page.getByRole('button', { name: 'Go' }).click()
  await page.getByText('This origin is not allowed here').waitFor()
  t.same(await page.context().cookies(url), [])
})

for (const path of ['/.account/sign-in', '/.account/password?why=too-old']) {
  t.test(`${path} is for everybody`, async (t) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await openPage(t, { colorScheme, width: 320 })
      await page.goto(url + path)
      t.same(
        (await readContrasts(page)).filter((each) => each.ratio < 4.5),
        [],
        `contrast, ${colorScheme}`,
      )
      const over = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
      t.equal(over, 0, 'no sideways scrolling')
    }
    const page = await openPage(t)
    await page.goto(url + path)
    for (const role of ['banner', 'main', 'contentinfo'] as const) t.equal(await page.getByRole(role).count(), 1, role)
    t.equal(await page.getByRole('heading', { level: 1 }).count(), 1)
    const unnamed = `[...document.querySelectorAll('input:not([type=hidden]), button')].filter((each) => !each.textContent.trim() && !each.labels?.length).length`
    t.equal(await page.evaluate(unnamed), 0, 'every control has a name')
    t.equal(await page.getByLabel('User name').getAttribute('autocomplete'), 'username')
    const order: string[] = []
    for (let step = 0; step < 9; step++) {
      await page.keyboard.press('Tab')
      order.push(await page.evaluate('document.activeElement.name || document.activeElement.textContent'))
    }
    const wanted = ['user', 'password', 'code', ...(path.includes('password') ? ['newPassword', 'again'] : [])]
    t.same(
      order.filter((each) => wanted.includes(each)).slice(0, wanted.length),
      wanted,
      'reached by keyboard, in the order of the page',
    )
  })
}
