/** Accounts for tests: in a file as a gateway reads it, or in memory where only their use is tested. */
import { type Account, newAccount } from '../../src/access/account.ts'
import { changeAccounts } from '../../src/access/account-changes.ts'
import type { AccountBook } from '../../src/access/account-file.ts'
import type { Accounts } from '../../src/access/accounts.ts'

/** Adds accounts with these hashes; `more` is set on each of them. */
export function writeAccounts(
  path: string,
  hashes: Readonly<Record<string, string>>,
  more: Partial<Account> = {},
): Promise<void> {
  return changeAccounts(path, ({ accounts }) => {
    for (const [name, hash] of Object.entries(hashes)) {
      accounts.set(name, { ...newAccount(name, hash, Date.now()), ...more })
    }
  })
}

export interface TestAccounts extends Accounts {
  readonly book: AccountBook
}

export function accountsInMemory(hashes: Readonly<Record<string, string>>, unknownHash: string): TestAccounts {
  const accounts = new Map(Object.entries(hashes).map(([name, hash]) => [name, newAccount(name, hash, Date.now())]))
  const book = { key: Buffer.alloc(32, 7), accounts }
  return {
    book,
    key: book.key,
    unknownHash,
    find: (name) => accounts.get(name) ?? null,
    change: async (change) => change(book),
  }
}

/** Roles by which whoever signs in may read everything. */
export const EVERYTHING = { reader: { read: [{ paths: ['**'] }] } }
