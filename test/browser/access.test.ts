import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { connected, launchBrowser, openChat, reads, say } from './browser.ts'
import { readContrasts } from './contrast.ts'
import { startTarget } from './target.ts'

const target = await startTarget()
const browser = await launchBrowser()
t.teardown(async () => {
  await browser.close()
  await target.close()
})

async function openPage(t: Test, options: { colorScheme?: 'light' | 'dark'; width?: number } = {}): Promise<Page> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    colorScheme: options.colorScheme ?? 'light',
    viewport: { width: options.width ?? 1280, height: 800 },
    reducedMotion: 'reduce',
  })
  t.teardown(() => context.close())
  return context.newPage()
}

t.test('a message is sent with the keyboard alone', async (t) => {
  const page = await openPage(t)
  await page.goto(target.url)
  await connected(page)
  await page.keyboard.press('Tab')
  t.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to writing a message')
  await page.keyboard.press('Enter')
  t.equal(await page.evaluate('document.activeElement.id'), 'text')
  const mark = `typed ${Date.now()}`
  await page.keyboard.type(`${mark} one`)
  await page.keyboard.press('Shift+Enter')
  await page.keyboard.type('two')
  await page.keyboard.press('Enter')
  await reads(page, mark)
  t.equal(await page.locator('.message .words', { hasText: mark }).innerText(), `${mark} one\ntwo`)
  t.equal(await page.evaluate('document.activeElement.id'), 'text', 'the cursor stays for the next message')
})

t.test('transport and trials are reached by keyboard, in the order of the page', async (t) => {
  const page = await openPage(t)
  await page.goto(target.url)
  await connected(page)
  const order: string[] = []
  for (let step = 0; step < 16; step += 1) {
    await page.keyboard.press('Tab')
    const focus = `document.activeElement.id || document.activeElement.name || document.activeElement.textContent`
    const now: string = await page.evaluate(focus)
    order.push(now)
    if (now === 'results') break
    if (now !== 'transport') continue
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    t.equal(await page.evaluate('document.activeElement.value'), 'websocket', 'arrows choose the transport')
    await connected(page)
  }
  t.same(order.slice(1, 6), ['transport', 'log', 'name', 'text', 'send'])
  t.equal(order.at(-1), 'results')
  t.ok(order.includes('Flood of 60 requests'))
})

t.test('landmarks, headings and names are there for a screen reader', async (t) => {
  const page = await openPage(t)
  await page.goto(target.url)
  await connected(page)
  for (const role of ['banner', 'main', 'complementary', 'contentinfo'] as const) {
    t.equal(await page.getByRole(role).count(), 1, role)
  }
  t.equal(await page.getByRole('heading', { level: 1 }).count(), 1)
  t.equal(await page.getByRole('log', { name: 'Messages' }).getAttribute('aria-live'), 'polite')
  t.equal(await page.getByRole('group', { name: 'Transport' }).getByRole('radio').count(), 4)
  t.equal(await page.getByRole('textbox', { name: 'Your name' }).count(), 1)
  t.equal(await page.getByRole('textbox', { name: 'Message', exact: true }).count(), 1)
  t.match(await page.locator('html').getAttribute('lang'), /^en/)
  t.not(await page.title(), '')
  const unnamed = await page.evaluate(
    `[...document.querySelectorAll('button, input, textarea')].filter((each) => !each.textContent.trim() && !each.labels?.length).length`,
  )
  t.equal(unnamed, 0, 'every control has a name')
  const repeated = await page.evaluate(
    `(() => { const ids = [...document.querySelectorAll('[id]')].map((each) => each.id); return ids.length - new Set(ids).size })()`,
  )
  t.equal(repeated, 0, 'no id stands twice')
  t.equal(await page.evaluate(`document.querySelectorAll('img:not([alt])').length`), 0)
})

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(`text has a contrast of 4.5 in the ${colorScheme} scheme`, async (t) => {
    const other = await openPage(t)
    await openChat(other, target.url, 'WebSocket', 'Ben')
    const page = await openPage(t, { colorScheme })
    await openChat(page, target.url, 'socket.io', 'Ada')
    await page.locator('#shield[data-shield]').waitFor()
    const mark = `${colorScheme} ${Date.now()}`
    // One name for each colour of badge.
    for (const name of ['Ben', 'Cleo', 'Dana', 'Emil', 'Fay', 'Gus', 'Hal']) {
      await other.getByLabel('Your name').fill(name)
      await say(other, `${name} ${mark}`)
      await reads(page, `${name} ${mark}`)
    }
    await say(page, `own ${mark}`)
    await reads(page, `own ${mark}`)
    await page.getByRole('button', { name: 'Internal address' }).click()
    await page.locator('.verdict:not([data-verdict="waiting"])').waitFor()
    const found = await readContrasts(page)
    t.ok(found.length > 40, `${found.length} pieces of text were looked at`)
    t.same(
      found.filter((each) => each.ratio < 4.5),
      [],
    )
  })
}

t.test('a narrow window needs no sideways scrolling', async (t) => {
  const page = await openPage(t, { width: 320 })
  await openChat(page, target.url, 'REST', 'Ada')
  await say(page, `${'x'.repeat(200)} ${Date.now()}`)
  await reads(page, 'xxx')
  const over = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
  t.equal(over, 0)
})
