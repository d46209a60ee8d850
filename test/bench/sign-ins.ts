/**
 * What sign-ins cost a running gateway: a thousand at once (hashes that start, the longest stall of the event loop), and the time
 * of an unknown user beside that of a wrong password. Run by hand: node test/bench/sign-ins.ts
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { hashPassword, verifyPassword } from '../../src/access/passwords.ts'
import { Verifier } from '../../src/access/verifier.ts'
import { EVERYTHING, writeAccounts } from '../kit/accounts.ts'
import { openHttp1 } from '../kit/clients.ts'
import { startGateway, testConfig } from '../kit/gateway.ts'

const SIGN_INS = 1000
const TRIES = 200
const hash = await hashPassword('horse7battery')

/** In this process, where the event loop can be watched: hashes are the gateway's own. */
async function stall(): Promise<void> {
  let [started, most, running] = [0, 0, 0]
  const verifier = new Verifier({
    maxConcurrent: 2,
    maxWaiting: 64,
    async verify(stored, password) {
      started++
      most = Math.max(most, ++running)
      try {
        return await verifyPassword(stored, password)
      } finally {
        running--
      }
    },
  })
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const all = Array.from({ length: SIGN_INS }, (_, i) => {
    const key = verifier.keyOf(`user${i}`, 'wrong', hash)
    return verifier.run(() => verifier.verify(key, hash, 'wrong'))
  })
  const outcomes = await Promise.all(all)
  delay.disable()
  const busy = outcomes.filter((each) => each === 'busy').length
  console.log(`${SIGN_INS} sign-ins at once: ${started} hashes, ${most} at a time, ${busy} told to come back`)
  console.log(
    `longest stall of the event loop: ${(delay.max / 1e6).toFixed(1)} ms (99 %: ${(delay.percentile(99) / 1e6).toFixed(1)} ms)`,
  )
}

/** Welch's t of the times of an unknown user and a wrong password, in turn: within 2 nothing can be told apart. */
async function timing(): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), 'portcullis-sign-ins-'))
  const folder = join(base, 'transcripts')
  mkdirSync(folder)
  const accounts = join(base, 'accounts.json')
  // One account for each few tries, so that no lock falls between.
  const names = Array.from({ length: TRIES }, (_, i) => `user${i}`)
  await writeAccounts(accounts, Object.fromEntries(names.map((name) => [name, hash])), { roles: ['reader'] })
  const source = { folder }
  const transcripts = {
    ...{ address: '127.0.0.1:0', hosts: ['localhost'], trustedProxies: ['127.0.0.1'], source, roles: EVERYTHING },
    signIn: { accounts },
  }
  const listeners = { transcripts, admin: { address: '127.0.0.1:0' } }
  const gateway = await startGateway(testConfig('http://127.0.0.1:9', { listeners, routes: [] }))
  const place = { port: gateway.port('listeners.transcripts.address') }
  const client = openHttp1(place)
  const tryAs = async (user: string, i: number): Promise<number> => {
    const credentials = Buffer.from(`${user}:wrong-password-7`).toString('base64')
    const headers = ['authorization', `Basic ${credentials}`, 'x-forwarded-for', `203.0.${i >> 8}.${i & 255}`]
    const begun = performance.now()
    const { status } = await client.ask({ path: '/', headers })
    if (status !== 401) throw new Error(`status ${status}`)
    return performance.now() - begun
  }
  try {
    for (let i = 0; i < 10; i++) await tryAs(`warm${i}`, 60_000 + i)
    const [known, unknown]: [number[], number[]] = [[], []]
    for (let i = 0; i < TRIES; i++) {
      // Which comes first must not matter.
      if (i % 2 === 0) known.push(await tryAs(`user${i}`, i * 2))
      unknown.push(await tryAs(`none${i}`, i * 2 + 1))
      if (i % 2 === 1) known.push(await tryAs(`user${i}`, i * 2))
    }
    const t = (mean(known) - mean(unknown)) / Math.sqrt(variance(known) / TRIES + variance(unknown) / TRIES)
    console.log(
      `wrong password ${mean(known).toFixed(2)} ms, unknown user ${mean(unknown).toFixed(2)} ms, ${TRIES} each: t = ${t.toFixed(2)}`,
    )
  } finally {
    await client.close()
    await gateway.close()
    rmSync(base, { recursive: true, force: true })
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length

function variance(values: readonly number[]): number {
  const middle = mean(values)
  return values.reduce((sum, each) => sum + (each - middle) ** 2, 0) / (values.length - 1)
}

await stall()
await timing()
