/** The status page in a browser: read in both colour schemes, without a script, narrow and on paper; brought up to date by its own. */
import type { BrowserContext, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { makeCertificate, writePair } from '../kit/certificates.ts'
import { publicListener, startGateway, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'
import { violations } from './accessibility.ts'
import { launchBrowser, watch } from './browser.ts'
import { readContrasts } from './contrast.ts'

const folder = t.testdir()
const near = writePair(folder, 'near', await makeCertificate({ names: ['near.example.com'], to: 5 }))
const names = Array.from({ length: 9 }, (_, i) => `${'long-name-'.repeat(5)}${i}.example.com`)
const far = writePair(folder, 'far', await makeCertificate({ names }))
const upstream = await startUpstream()
const route = { service: 'chat', profiles: ['internet'], purpose: 'test' }
const gateway = await startGateway(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({ hosts: [], tls: { certificates: [near, far] } }),
      admin: { address: '127.0.0.1:0' },
    },
    services: {
      chat: { endpoints: [upstream.url] },
      gone: { endpoints: ['http://127.0.0.1:9'], health: { kind: 'tcp', interval: '100 ms' } },
    },
    routes: [
      { ...route, path: '/*', limits: ['few'] },
      { ...route, path: '/gone/*', service: 'gone' },
    ],
    limits: { few: { rate: '2 per hour' } },
  }),
)
const url = `http://127.0.0.1:${gateway.adminPort}/`
const ban = (subject: string) =>
  fetch(`${url}bans`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ subject, reason: `<img src=x onerror="document.title='run'">` }),
  })
await ban('192.0.2.1')
const browser = await launchBrowser()
t.teardown(async () => {
  await browser.close()
  await gateway.close()
  await upstream.close()
})

async function openPage(t: Test, more: Parameters<typeof browser.newContext>[0] = {}): Promise<Page> {
  const context: BrowserContext = await browser.newContext(more)
  t.teardown(() => context.close())
  return context.newPage()
}

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(`it passes the accessibility checker, ${colorScheme}`, async (t) => {
    const page = await openPage(t, { colorScheme })
    const complaints = watch(page)
    await page.goto(url)
    await page.getByText('down', { exact: false }).first().waitFor()
    t.same(await violations(t, page), [])
    t.same(
      (await readContrasts(page)).filter(({ ratio }) => ratio < 4.5),
      [],
    )
    t.same(complaints.list, [])
    t.equal(await page.title(), 'portcullis status', 'what somebody wrote runs nowhere')
  })
}

t.test('without scripts everything is there but what needs one', async (t) => {
  const page = await openPage(t, { javaScriptEnabled: false })
  await page.goto(url)
  for (const name of ['Now', 'Listeners', 'Services', 'Limits', 'Bans', 'Certificates']) {
    t.equal(await page.getByRole('heading', { level: 2, name }).isVisible(), true, name)
  }
  t.equal(await page.locator('#live').isVisible(), false)
  t.match(await page.locator('#certificates').innerText(), /near\.example\.com[\s\S]*ends soon/)
  await page.getByRole('link', { name: 'Look again' }).click()
  t.equal(page.url(), url)
})

t.test('it brings itself up to date, and stops when told', async (t) => {
  const page = await openPage(t)
  const complaints = watch(page)
  await page.clock.install()
  await page.goto(url)
  t.notMatch(await page.locator('#bans').innerText(), '192.0.2.2')
  await ban('192.0.2.2')
  await page.clock.fastForward(11_000)
  await page.locator('#bans').getByText('192.0.2.2').waitFor()
  await page.getByRole('button', { name: 'Pause updates' }).click()
  await ban('192.0.2.3')
  await page.clock.fastForward(30_000)
  await new Promise((wake) => setTimeout(wake, 300))
  t.notMatch(await page.locator('#bans').innerText(), '192.0.2.3')
  await page.getByRole('button', { name: 'Go on with updates' }).click()
  await page.clock.fastForward(11_000)
  await page.locator('#bans').getByText('192.0.2.3').waitFor()
  t.same(complaints.list, [], 'and breaks no policy of its own')
  t.equal(await page.title(), 'portcullis status')
  await page.route('**/*', (one) => one.abort())
  await page.clock.fastForward(11_000)
  await page.getByRole('status').getByText('does not answer').waitFor()
})

t.test('narrow, and on paper', async (t) => {
  const page = await openPage(t, { viewport: { width: 320, height: 640 } })
  await page.goto(url)
  t.equal(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'), 0)
  t.same(await violations(t, page), [])
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
  t.equal(await page.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(255, 255, 255)')
})
