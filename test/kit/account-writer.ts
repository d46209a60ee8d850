/** Changes an accounts file again and again, a byte of output after each change, until it is killed. */
import { changeAccounts } from '../../src/access/account-changes.ts'

const [, , path] = process.argv
for (let i = 0; ; i++) {
  await changeAccounts(path!, ({ accounts }) =>
    accounts.set('changing', { ...accounts.get('user0')!, name: 'changing', revision: i }),
  )
  process.stdout.write('.')
}
