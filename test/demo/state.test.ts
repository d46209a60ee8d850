import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ensureDemoState } from '../../demo/state.ts'
import { readAccountFile } from '../../src/access/account-file.ts'
import { checkNewPassword, PASSWORD_PRESETS } from '../../src/access/password-rules.ts'

t.test('the first start makes an account with a password, later ones keep it', async (t) => {
  const path = join(t.testdir(), 'state', 'accounts.json')
  const first = await ensureDemoState(path)
  t.equal(first.user, 'auditor')
  t.match(first.password, /^[a-z][A-Za-z0-9]{3}(-[A-Za-z0-9]{4}){4}$/)
  t.same(checkNewPassword(PASSWORD_PRESETS['pci-4'], first.password!, first.user), [], 'keeps the rules for passwords')
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(statSync(join(path, '..')).mode & 0o077, 0, 'the folder is for the owner alone')
  const stored = readFileSync(path, 'utf8')
  t.notOk(stored.includes(first.password!), 'the password is not in the file')
  t.doesNotThrow(() => readAccountFile(path))

  const second = await ensureDemoState(path)
  t.same(second, { user: 'auditor', password: null })
  t.equal(readFileSync(path, 'utf8'), stored)
})

t.test('two starts make two passwords', async (t) => {
  const folder = t.testdir()
  const one = await ensureDemoState(join(folder, 'a', 'accounts.json'))
  const two = await ensureDemoState(join(folder, 'b', 'accounts.json'))
  t.not(one.password, two.password)
})
