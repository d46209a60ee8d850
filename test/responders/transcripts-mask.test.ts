import t from 'tap'
import { maskTranscript } from '../../src/responders/transcripts-mask.ts'

const masked = (text: string, kind: 'json' | 'html' | 'txt' = 'txt'): string =>
  maskTranscript(Buffer.from(text), kind).toString()

t.test('cards, codes and tracks go, and the number of bytes stays', (t) => {
  for (const text of [
    'card 4111 1111 1111 1111, cvv 123',
    'ü 4111111111111111 ü',
    '٤١١١١١١١١١١١١١١١',
    '&#52;111111111111111',
    '%B4111111111111111^DOE/JÖRG^27121010000000000000000?',
    '𝟒𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏',
  ]) {
    const after = masked(text)
    t.not(after, text)
    t.equal(Buffer.byteLength(after), Buffer.byteLength(text), text)
    t.notMatch(after, /\d{5}|1111[ -]1111/)
    t.equal(masked(after), after, 'twice')
  }
  t.end()
})

t.test('without a card the very bytes come back, whatever they are', (t) => {
  for (const bytes of [
    Buffer.from('hello'),
    Buffer.alloc(0),
    Buffer.from([0xff, 0xfe, 0x80]),
    Buffer.from('ü'.repeat(20)).subarray(1),
  ]) {
    t.equal(maskTranscript(bytes, 'txt'), bytes)
  }
  t.end()
})

t.test('what is no UTF-8 is masked too, and a cut character stays', (t) => {
  const latin = Buffer.from('f\u00fcr 4111111111111111 \u00b2', 'latin1')
  t.equal(maskTranscript(latin, 'txt').toString('latin1'), 'f\u00fcr ************1111 \u00b2')
  const cut = Buffer.from('ü 4111111111111111 €').subarray(1, -1)
  const after = maskTranscript(cut, 'txt')
  t.equal(after.length, cut.length)
  t.equal(after.toString('latin1').replace(/[^*\d ]/g, '.'), '. ************1111 ..')
  t.end()
})

t.test('JSON stays JSON where a card is a number', (t) => {
  const text =
    '{"card": 4111111111111111, "cvc":123,"list":[5555555555554444],"text":"say \\": 4111111111111111, ok","id":17}'
  const after = masked(text, 'json')
  t.equal(after.length, text.length)
  const read = JSON.parse(after)
  t.notMatch(after, /\d{5}[1-9]\d{5}/)
  t.equal(read.text, 'say ": ************1111, ok')
  t.equal(read.id, 17)
  t.match(String(read.card), /^1\.111e-11$/)
  t.end()
})
