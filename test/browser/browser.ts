/** Chromium for the tests: how it is started, what a page reports, and the few gestures that every test makes. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

const LAUNCH = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
}

export const TRANSPORTS = ['socket.io', 'Polling', 'WebSocket', 'REST'] as const
export type TransportName = (typeof TRANSPORTS)[number]

export function launchBrowser(): Promise<Browser> {
  return chromium.launch(LAUNCH)
}

/** A browser whose user blocks all cookies, and with them local storage, in the settings. */
export function launchWithoutStorage(folder: string): Promise<BrowserContext> {
  mkdirSync(join(folder, 'Default'), { recursive: true })
  const preferences = { profile: { default_content_setting_values: { cookies: 2 } } }
  writeFileSync(join(folder, 'Default', 'Preferences'), JSON.stringify(preferences))
  return chromium.launchPersistentContext(folder, { ...LAUNCH, ignoreHTTPSErrors: true })
}

/** What went wrong in a page, as its console and its policy tell it. */
export interface Complaints {
  readonly list: string[]
}

export function watch(page: Page): Complaints {
  const list: string[] = []
  page.on('pageerror', (error) => list.push(error.message))
  page.on('console', (message) => {
    // Answers of 4xx are what the trials ask for; every other error is a fault of the page.
    const isAnswer = message.text().startsWith('Failed to load resource')
    if (message.type() === 'error' && !isAnswer) list.push(message.text())
  })
  return { list }
}

/** Opens the page and waits until the chat is connected by the transport. */
export async function openChat(page: Page, url: string, transport: TransportName, name: string): Promise<void> {
  await page.goto(url)
  await page.getByRole('radio', { name: transport, exact: true }).check()
  await connected(page)
  await page.getByLabel('Your name').fill(name)
}

export async function connected(page: Page): Promise<void> {
  await page.getByText('Connected', { exact: true }).waitFor()
}

export async function say(page: Page, words: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(words)
  await page.getByRole('button', { name: 'Send' }).click()
}

/** Waits for the text of a message as a person reads it. */
export async function reads(page: Page, words: string): Promise<void> {
  await page.locator('.message .words').filter({ hasText: words }).first().waitFor()
}

/** Presses a trial's button and gives its verdict once there is one. */
export async function tryTrial(page: Page, label: string): Promise<{ kind: string | null; words: string }> {
  await page.getByRole('button', { name: label }).click()
  const verdict = page.locator('.result').first().locator('.verdict')
  await page.locator('.result').first().getByRole('heading', { name: label }).waitFor()
  await page.locator('.result').first().locator('.verdict:not([data-verdict="waiting"])').waitFor()
  return { kind: await verdict.getAttribute('data-verdict'), words: await verdict.innerText() }
}
