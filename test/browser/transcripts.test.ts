/** The transcript pages in a browser: found, read, printed and reached by keyboard, in both colour schemes, without a script. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContext } from 'playwright-core'
import t, { type Test } from 'tap'
import { hashPassword } from '../../src/access/passwords.ts'
import { EVERYTHING, writeAccounts } from '../kit/accounts.ts'
import { startGateway, testConfig } from '../kit/gateway.ts'
import { violations } from './accessibility.ts'
import { launchBrowser, watch } from './browser.ts'
import { readContrasts } from './contrast.ts'

const PASSWORD = 'Correct-horse-7-battery'
const base = t.testdir({ store: { web: {}, phone: {} } })
const folder = join(base, 'store')
const accounts = join(base, 'accounts.json')
await writeAccounts(accounts, { ada: await hashPassword(PASSWORD) }, { roles: ['reader'] })
const chat = {
  id: 'chat-17',
  channel: 'web',
  startedAt: '2026-11-01T09:00:00Z',
  participants: [
    { name: 'Grace', role: 'agent' },
    { name: 'Customer', role: 'customer' },
  ],
  messages: [
    {
      at: '2026-11-01T09:00:01Z',
      from: 'Customer',
      text: `<img src=x onerror="document.title='run'"> ${'long'.repeat(60)}`,
    },
    { at: '2026-11-01T09:00:05Z', from: 'Grace', text: 'مرحبا' },
    { at: '2026-11-01T09:00:06Z', from: 'system', text: 'Grace left' },
  ],
}
writeFileSync(join(folder, 'web', '2026-11-01-chat.json'), JSON.stringify(chat))
writeFileSync(join(folder, 'phone', '2026-10-05-call.txt'), 'by phone')
writeFileSync(join(folder, '2026-10-07-page.html'), `<h1>Old</h1><script>document.title='run'</script>`)

const gateway = await startGateway(
  testConfig('http://127.0.0.1:9', {
    listeners: {
      transcripts: {
        address: '127.0.0.1:0',
        hosts: ['localhost'],
        signIn: { accounts },
        roles: EVERYTHING,
        source: { folder, atRest: 'plain' },
      },
      admin: { address: '127.0.0.1:0' },
    },
    services: {},
    routes: [],
  }),
)
const browser = await launchBrowser()
t.teardown(async () => {
  await browser.close()
  await gateway.close()
})
const url = `https://localhost:${gateway.port('listeners.transcripts.address')}`
const pathOfChat = '/web/2026-11-01-chat.json'

async function openContext(t: Test, more: Parameters<typeof browser.newContext>[0] = {}): Promise<BrowserContext> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    extraHTTPHeaders: { authorization: `Basic ${Buffer.from(`ada:${PASSWORD}`).toString('base64')}` },
    ...more,
  })
  t.teardown(() => context.close())
  return context
}

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(`list and conversation pass the accessibility checker, ${colorScheme}`, async (t) => {
    const context = await openContext(t, { colorScheme })
    const page = await context.newPage()
    const complaints = watch(page)
    for (const path of ['/', '/?q=nothing+is+called+so', '/?channel=web&from=2026-10-06', pathOfChat]) {
      await page.goto(url + path)
      t.same(await violations(t, page), [], path)
      t.same(
        (await readContrasts(page)).filter(({ ratio }) => ratio < 4.5),
        [],
        path,
      )
    }
    t.same(complaints.list, [])
  })
}

t.test('a transcript is found and read with the keyboard alone', async (t) => {
  const page = await (await openContext(t)).newPage()
  await page.goto(url)
  t.equal(await page.locator('tbody tr').count(), 3)
  await page.keyboard.press('Tab')
  t.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the content')
  await page.keyboard.press('Tab')
  t.equal(await page.evaluate('document.activeElement.id'), 'q')
  await page.keyboard.type('CHAT')
  await page.keyboard.press('Enter')
  await page.getByRole('link', { name: 'Show all' }).waitFor()
  t.equal(await page.locator('tbody tr').count(), 1)
  const link = page.getByRole('link', { name: 'web/2026-11-01-chat.json' })
  await link.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'chat-17' }).waitFor()
  t.match(await page.locator('ol.talk li').first().innerText(), '<img src=x')
})

t.test('by channel and by day', async (t) => {
  const page = await (await openContext(t)).newPage()
  await page.goto(url)
  await page.getByLabel('Channel').selectOption('phone')
  await page.getByRole('button', { name: 'Search' }).click()
  await page.getByText('1 found.').waitFor()
  t.match(await page.locator('tbody').innerText(), 'phone/2026-10-05-call.txt')
  t.equal(await page.getByLabel('Channel').inputValue(), 'phone', 'the form says what was asked')
  await page.goto(url)
  await page.getByLabel('From (UTC)').fill('2026-10-06')
  await page.getByLabel('To, included').fill('2026-10-07')
  await page.getByRole('button', { name: 'Search' }).click()
  await page.getByText('1 found.').waitFor()
  t.match(await page.locator('tbody').innerText(), '2026-10-07-page.html')
})

t.test('what a customer wrote runs nowhere', async (t) => {
  const page = await (await openContext(t)).newPage()
  for (const path of [pathOfChat, '/2026-10-07-page.html']) {
    await page.goto(url + path)
    t.not(await page.title(), 'run', path)
  }
  t.equal(await page.locator('h1').innerText(), 'Old')
})

t.test('a download comes with its name', async (t) => {
  const page = await (await openContext(t)).newPage()
  await page.goto(url + pathOfChat)
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download' }).click(),
  ])
  t.equal(download.suggestedFilename(), '2026-11-01-chat.json')
})

t.test('narrow, and on paper', async (t) => {
  const page = await (await openContext(t, { viewport: { width: 320, height: 640 } })).newPage()
  for (const path of ['/', pathOfChat]) {
    await page.goto(url + path)
    t.equal(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'), 0, path)
  }
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
  await page.goto(url)
  t.equal(await page.locator('form').isVisible(), false, 'the form is not printed')
  t.equal(await page.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(255, 255, 255)')
})

t.test('nothing is kept, and nobody reads without the password', async (t) => {
  const context = await openContext(t)
  const page = await context.newPage()
  const answer = await page.goto(url + pathOfChat)
  t.match(answer?.headers()['cache-control'], /no-store/)
  const stranger = await browser.newContext({ ignoreHTTPSErrors: true })
  t.teardown(() => stranger.close())
  t.equal((await stranger.request.get(url + pathOfChat)).status(), 401)
})
