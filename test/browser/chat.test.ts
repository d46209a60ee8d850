import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import {
  type Complaints,
  launchBrowser,
  launchWithoutStorage,
  openChat,
  reads,
  say,
  TRANSPORTS,
  type TransportName,
  tryTrial,
  watch,
} from './browser.ts'
import { startTarget } from './target.ts'

const target = await startTarget()
const browser = await launchBrowser()
t.teardown(async () => {
  await browser.close()
  await target.close()
})
const gatewayOnly = target.isGateway ? {} : { skip: 'the service alone cleans and limits nothing' }

async function openPage(t: Test): Promise<{ page: Page; complaints: Complaints }> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  t.teardown(() => context.close())
  const page = await context.newPage()
  return { page, complaints: watch(page) }
}

async function openTwo(t: Test, transport: TransportName) {
  const [ada, ben] = [await openPage(t), await openPage(t)]
  await openChat(ada.page, target.url, transport, 'Ada')
  await openChat(ben.page, target.url, transport, 'Ben')
  return { ada: ada.page, ben: ben.page, complaints: [ada.complaints, ben.complaints] }
}

const foreignElements = (page: Page) => page.locator('.message .words *, .message .who strong *').count()
const scriptRan = (page: Page) => page.evaluate('window.__pwned !== undefined')

for (const transport of TRANSPORTS) {
  t.test(`two browsers chat by ${transport}`, async (t) => {
    const { ada, ben, complaints } = await openTwo(t, transport)
    const mark = `${transport} ${Date.now()}`
    await say(ada, `hello from Ada, ${mark}`)
    await reads(ben, `hello from Ada, ${mark}`)
    await say(ben, `a < b & I <3 you, ${mark} 🙂 مرحبا`)
    await reads(ada, `a < b & I <3 you, ${mark} 🙂 مرحبا`)
    await reads(ben, `a < b & I <3 you, ${mark} 🙂 مرحبا`)
    t.equal(await ada.locator('.message.mine', { hasText: mark }).count(), 1, 'each knows its own message, once')
    t.equal(await ada.locator('.message', { hasText: mark }).count(), 2, 'nothing appears twice')
    t.same(
      complaints.flatMap((each) => each.list),
      [],
      'no error in either console',
    )
  })

  t.test(`a hostile message by ${transport} arrives as words`, gatewayOnly, async (t) => {
    const { ada, ben, complaints } = await openTwo(t, transport)
    for (const label of ['Image with onerror', 'Script element', 'SVG and a fake link']) {
      t.equal((await tryTrial(ada, label)).kind, 'safe', label)
    }
    t.equal((await tryTrial(ada, 'Harmless: a < b & I <3 you')).kind, 'safe', 'harmless words arrive whole')
    await reads(ben, 'a < b & I <3 you')
    for (const [name, page] of Object.entries({ ada, ben })) {
      t.equal(await foreignElements(page), 0, `no element was made at ${name}`)
      t.equal(await scriptRan(page), false, `nothing ran at ${name}`)
    }
    t.same(
      complaints.flatMap((each) => each.list),
      [],
      'not even the content security policy had to act',
    )
  })
}

t.test('a hostile name arrives as words', gatewayOnly, async (t) => {
  const { ada, ben } = await openTwo(t, 'WebSocket')
  await ada.getByLabel('Your name').fill('<img src=x onerror=__pwned=1>Eve')
  const mark = `who am I ${Date.now()}`
  await say(ada, mark)
  await reads(ben, mark)
  t.equal(await foreignElements(ben), 0)
  t.equal(await scriptRan(ben), false)
  t.match(await ben.locator('.message', { hasText: mark }).locator('.who strong').innerText(), /Eve/)
})

t.test('each transport uses the connection that it names', async (t) => {
  for (const [transport, expected] of [
    ['socket.io', /\/socket\.io\/\?.*transport=websocket/],
    ['WebSocket', /\/ws$/],
    ['Polling', null],
    ['REST', null],
  ] as const) {
    const { page } = await openPage(t)
    await page.goto(target.url)
    await page.getByText('Connected', { exact: true }).waitFor()
    const sockets: string[] = []
    page.on('websocket', (socket) => sockets.push(socket.url()))
    // socket.io is what the page starts with: come back to it from another one.
    if (transport === 'socket.io') await page.getByRole('radio', { name: 'REST' }).check()
    await page.getByRole('radio', { name: transport, exact: true }).check()
    const mark = `by ${transport} ${Date.now()}`
    await page.getByText('Connected', { exact: true }).waitFor()
    await say(page, mark)
    await reads(page, mark)
    if (expected === null) t.same(sockets, [], `${transport} opens no socket`)
    else t.match(sockets[0], expected, transport)
  }
})

t.test('the page answers for itself: TLS, HTTP/2, headers, policy', gatewayOnly, async (t) => {
  const { page, complaints } = await openPage(t)
  const answer = await page.goto(target.url)
  const policy = answer?.headers()['content-security-policy'] ?? ''
  for (const part of ["default-src 'self'", "object-src 'none'", "frame-ancestors 'none'"]) {
    t.ok(policy.includes(part), part)
  }
  const shield = page.locator('#shield')
  await page.locator('#shield[data-shield]').waitFor()
  t.match(await shield.innerText(), /Behind the gateway · TLS · HTTP\/2 · \d+ security headers/)
  t.same(complaints.list, [])
  // The proof that a violation would have been seen.
  await page.evaluate(
    `document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.__pwned = 1">')`,
  )
  await t.resolves(page.waitForFunction('true'))
  t.ok(complaints.list.some((each) => /Content Security Policy/.test(each)))
  t.equal(await scriptRan(page), false, 'the policy holds where the cleaning is passed by')
})

t.test('what has no route, and what is no path, is refused', gatewayOnly, async (t) => {
  const { page } = await openPage(t)
  await openChat(page, target.url, 'REST', 'Ada')
  t.match((await tryTrial(page, 'Internal address')).words, /Refused with 404/)
  t.match((await tryTrial(page, 'Way out of the folder')).words, /Refused with 400/)
})

t.test('it works where cookies and storage are blocked', async (t) => {
  const context = await launchWithoutStorage(t.testdir())
  t.teardown(() => context.close())
  const other = await openPage(t)
  await openChat(other.page, target.url, 'socket.io', 'Ben')
  const page = await context.newPage()
  const complaints = watch(page)
  for (const transport of TRANSPORTS) {
    await openChat(page, target.url, transport, 'Ada')
    const mark = `in private by ${transport} ${Date.now()}`
    await say(page, mark)
    await reads(other.page, mark)
    await reads(page, mark)
  }
  t.equal(
    await page.evaluate("document.cookie = 'a=1; SameSite=Lax', document.cookie"),
    '',
    'cookies are blocked indeed',
  )
  await t.rejects(page.evaluate('localStorage.length'), /denied/i, 'and so is storage')
  t.same(complaints.list, [])
  t.same(await other.page.context().cookies(), [], 'no cookie where they are allowed')
  t.equal(await other.page.evaluate('localStorage.length + sessionStorage.length'), 0, 'and nothing stored')
})

// Last: it spends what this address may ask for.
t.test('a flood is stopped with 429 and the chat goes on', gatewayOnly, async (t) => {
  const { page, complaints } = await openPage(t)
  await openChat(page, target.url, 'WebSocket', 'Ada')
  const verdict = await tryTrial(page, 'Flood of 60 requests')
  t.match(verdict.words, /Stopped: \d+ of 60 refused with 429/)
  const row = await page.locator('.result').first().locator('code').innerText()
  t.match(row, /\d+ × 429, Retry-After \d+ s/)
  t.notMatch(row, /× 5\d\d/)
  const mark = `after the flood ${Date.now()}`
  await say(page, mark)
  await reads(page, mark)
  t.same(complaints.list, [])
})
