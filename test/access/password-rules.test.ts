import t from 'tap'
import {
  checkNewPassword,
  describeRules,
  isTooOld,
  PASSWORD_PRESETS,
  passwordRules,
} from '../../src/access/password-rules.ts'

const DAY = 86_400_000
const { 'pci-4': pci4, 'pci-3.2.1': pci3, legacy } = PASSWORD_PRESETS

t.test('pci-4: twelve characters, letters and digits', (t) => {
  for (const good of [
    'correct7horse',
    'Tr0ub4dor&3xyz',
    'Gr\u00fc\u00dfe aus Ulm 7',
    '\u5bc6\u7801\u9f99\u51e4\u6625\u79cb\u5c71\u6c34\u82b1\u9e1f87',
  ]) {
    t.same(checkNewPassword(pci4, good, 'ada'), [], good)
  }
  t.match(checkNewPassword(pci4, 'correct7hor', 'ada'), [/12 characters/])
  t.match(checkNewPassword(pci4, 'correct horse', 'ada'), [/letters and digits/])
  t.match(checkNewPassword(pci4, '938471625504', 'ada'), [/letters and digits/, /two of/])
  t.match(checkNewPassword(pci4, 'correct7horse\n', 'ada'), [/control/])
  t.match(checkNewPassword(pci4, 'a1'.repeat(600), 'ada'), [/1024/])
  t.match(
    checkNewPassword(pci4, '\u{1f600}a1\u{1f600}b\u{1f680}', null),
    [/12 characters/],
    'characters, not code units',
  )
  t.end()
})

t.test('the other presets, and single settings over them', (t) => {
  t.same(checkNewPassword(pci3, 'hor5eby', 'ada'), [])
  t.match(checkNewPassword(pci3, 'hor5e', 'ada'), [/7 characters/])
  t.same(checkNewPassword(legacy, 'Horse-5by', 'ada'), [])
  t.match(checkNewPassword(legacy, '5Horse-by', 'ada'), [/begin with a letter/])
  t.match(checkNewPassword(legacy, 'horses5by', 'ada'), [/three of/])
  const own = passwordRules({
    preset: 'pci-4',
    minLength: 16,
    classes: 4,
    first: 'letter',
    remembered: 10,
    maxAgeDays: 30,
  })
  t.match(own, { minLength: 16, classes: 4, first: 'letter', remembered: 10, maxAgeMs: 30 * DAY, letterAndDigit: true })
  t.match(checkNewPassword(own, '7correct horse b', 'ada'), [/all four/, /begin with a letter/])
  for (const rules of [pci4, pci3, legacy]) t.equal(rules.remembered, 4)
  t.match(describeRules(pci4), [/12 characters/, 'letters and digits', /user name/, /often used/, /last 4/])
  t.end()
})

t.test('the user name must not stand in it', (t) => {
  t.match(checkNewPassword(pci4, 'xx-MaRia.Lopez-77', 'maria.lopez'), [/user name/])
  t.same(checkNewPassword(pci4, 'horse7-battery-al', 'al'), [], 'two letters are in every word')
  t.end()
})

t.test('what is guessed first is refused, also dressed up', (t) => {
  for (const bad of [
    'Password1234!',
    'P@ssw0rd12345',
    'welcome2026!!',
    'Summer-2026-!!',
    'letmein123456',
    'adminadmin123',
    'abcdefgh12345678',
    '1qaz2wsx3edc4rfv',
    'qwertyuiop12',
    'aaaaaaaaaaa1',
    'abc1abc1abc1abc1',
    'securepassword1',
    'callcenter2026',
  ]) {
    t.match(checkNewPassword(pci4, bad, null), [/often used/], bad)
  }
  for (const good of ['horse7battery', 'summerly walks 7 days', 'zq8-passwords-in-rain', 'k3-4711-koeln-am-rhein']) {
    t.same(checkNewPassword(pci4, good, null), [], good)
  }
  t.end()
})

t.test('a password is too old after ninety days; an age that is not known is not', (t) => {
  const now = Date.now()
  t.equal(isTooOld(pci4, now - 90 * DAY, now), false)
  t.equal(isTooOld(pci4, now - 90 * DAY - 1, now), true)
  t.equal(isTooOld(pci4, null, now), false)
  t.equal(isTooOld({ ...pci4, maxAgeMs: 0 }, 0, now), false)
  t.end()
})
