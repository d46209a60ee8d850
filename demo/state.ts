/** What the demo makes at its first start: one transcript account with a random password. It keeps no password. */
import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { newAccount } from '../src/access/account.ts'
import { changeAccounts } from '../src/access/account-changes.ts'
import { hashPassword } from '../src/access/passwords.ts'

/** Reader of the demo transcripts. */
const USER = 'auditor'
export const DEMO_ACCOUNTS = join(import.meta.dirname, 'state', 'accounts.json')

/** Five groups of four, over 100 bits; no character that is easily taken for another. */
function makePassword(): string {
  const letters = 'abcdefghijkmnpqrstuvwxyz'
  const all = `${letters}ABCDEFGHJKLMNPQRSTUVWXYZ23456789`
  const draw = (from: string) => from[randomInt(from.length)]!
  const characters = [draw(letters), ...Array.from({ length: 16 }, () => draw(all))]
  // One of each class for certain, whatever the draw was: the same rules hold here as for any account.
  characters.push(draw('ABCDEFGHJKLMNPQRSTUVWXYZ'), draw('23456789'), draw(letters))
  return characters.join('').replace(/(.{4})(?=.)/g, '$1-')
}

/** The account, and its password where this call made it; null where it was there already (it is stored hashed only). */
export async function ensureDemoState(path = DEMO_ACCOUNTS): Promise<{ user: string; password: string | null }> {
  if (existsSync(path)) return { user: USER, password: null }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const password = makePassword()
  const account = newAccount(USER, await hashPassword(password), Date.now())
  await changeAccounts(path, ({ accounts }) => accounts.set(USER, { ...account, roles: ['auditor'] }))
  return { user: USER, password }
}
