/** Forms in parts: the fields are cleaned, files by setting, and whatever could be taken apart in another way is refused. */
import fc from 'fast-check'
import t from 'tap'
import { cleanMultipart } from '../../src/messages/multipart.ts'
import { compileRules } from '../../src/messages/rules.ts'
import { messagesConfig } from '../kit/message-rules.ts'

const config = messagesConfig({ events: {} })
const rules = compileRules(config)
const withFiles = compileRules({ ...config, files: 'pass' })
const B = 'aB3'

const part = (name: string, value: string, more = ''): string =>
  `--${B}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`
const file = (value: string, type = 'image/png'): string =>
  part('file', value, `; filename="a.png"\r\nContent-Type: ${type}`)
const whole = (...parts: string[]): string => `${parts.join('')}--${B}--\r\n`

function run(body: string | Buffer, by = rules): string {
  const cleaned = cleanMultipart(by, Buffer.from(body), B)
  if (cleaned === 'too-large') return cleaned
  return cleaned.outcome === 'refused' ? cleaned.reason : cleaned.bytes.toString()
}

t.test('fields are cleaned by name, the rest keeps its bytes', async (t) => {
  const body = whole(part('other', '<b>o</b>'), part('text', '<b>é 😀</b>\r\n--x'), part('a[text]', '<i>y</i>'))
  const expected = whole(part('other', '<b>o</b>'), part('text', 'é 😀\r\n--x'), part('a[text]', 'y'))
  t.equal(run(body), expected)
  const clean = Buffer.from(whole(part('text', 'a < b'), part('empty', '')))
  const same = cleanMultipart(rules, clean, B)
  t.equal(same !== 'too-large' && same.outcome === 'same' && same.bytes, clean, 'the very buffer')
})

t.test('what a browser writes is read as its own parser reads it', async (t) => {
  const form = new FormData()
  form.set('text', '<b>words</b> "quoted" é 😀\nline')
  form.set('name"\n', 'x')
  const request = new Request('http://x', { method: 'POST', body: form })
  const type = request.headers.get('content-type')!
  const boundary = /boundary=(.*)/.exec(type)![1]!
  const cleaned = cleanMultipart(rules, Buffer.from(await request.arrayBuffer()), boundary)
  if (cleaned === 'too-large' || cleaned.outcome !== 'changed') return t.fail('not cleaned')
  const read = await new Response(new Uint8Array(cleaned.bytes), { headers: { 'content-type': type } }).formData()
  t.equal(read.get('text'), 'words "quoted" é 😀\r\nline')
})

t.test('a length of a changed part goes', async (t) => {
  const one = `--${B}\r\ncontent-length: 8\r\nContent-Disposition: form-data; name="text"\r\n\r\n<b>x</b>\r\n`
  t.equal(run(whole(one, part('b', 'c'))), whole(part('text', 'x'), part('b', 'c')))
  t.equal(run(whole(one.replace('8', '9'))), 'unreadable')
})

t.test('values with a type of their own', async (t) => {
  const json = (value: string) => part('text', value, '\r\nContent-Type: application/json')
  t.equal(run(whole(json('{"text":"\\u003cb>x"}'))), whole(json('{"text":"x"}')))
  t.equal(run(whole(json('{"text":"x","text":"<b>"}'))), 'unreadable')
  const typed = (type: string) => part('text', '<b>x</b>', `\r\nContent-Type: ${type}`)
  t.equal(
    run(whole(typed('text/plain; charset=UTF-8'))),
    whole(typed('text/plain; charset=UTF-8').replace('<b>x</b>', 'x')),
  )
  for (const type of [
    'text/html',
    'text/plain; charset=utf-7',
    'application/xml',
    'image/png',
    'multipart/mixed; boundary=x',
  ])
    t.equal(run(whole(typed(type))), 'unreadable', type)
})

t.test('files are refused, or pass beside clean fields', async (t) => {
  const picture = Buffer.from([0x89, 0, 0xff, 13, 10, 60, 98, 62])
  const body = Buffer.concat([
    Buffer.from(part('text', '<b>x</b>') + file('@').replace('@\r\n', '')),
    picture,
    Buffer.from(`\r\n--${B}--`),
  ])
  t.equal(run(body), 'unreadable')
  const cleaned = cleanMultipart(withFiles, body, B)
  t.ok(cleaned !== 'too-large' && cleaned.outcome === 'changed' && cleaned.bytes.includes(picture))
  t.equal(
    run(whole(part('file', '', '; filename=""\r\nContent-Type: application/octet-stream'), part('text', 'x'))).length >
      20,
    true,
    'an empty file field',
  )
  const named = part('file', 'x', '; filename="<img src=x onerror=alert(1)>.png"')
  t.equal(run(whole(named), withFiles), 'rule')
})

const BAD: [string, string][] = [
  ['nothing', ''],
  ['no end', part('text', 'x')],
  ['no parts', `--${B}--\r\n`],
  ['a preamble', `x\r\n${whole(part('text', 'x'))}`],
  ['an epilogue', `${whole(part('text', 'x'))}${part('text', '<b>')}`],
  ['bare LF', whole(part('text', 'x')).replaceAll('\r\n', '\n')],
  [
    'a boundary after a bare LF',
    whole(part('other', `x\n--${B}\r\nContent-Disposition: form-data; name="text"\r\n\r\n<b>`)),
  ],
  ['a boundary inside a line', whole(part('other', `x--${B}--`))],
  ['a longer boundary', `--${B}x\r\n${part('text', 'x').slice(B.length + 4)}--${B}x--`],
  ['padding behind the boundary', whole(part('text', 'x')).replace(`--${B}\r\n`, `--${B} \r\n`)],
  ['no name', whole(`--${B}\r\nContent-Disposition: form-data\r\n\r\n<b>\r\n`)],
  ['no disposition', whole(`--${B}\r\nContent-Type: text/plain\r\n\r\n<b>\r\n`)],
  ['two dispositions', whole(part('other', '<b>', '\r\nContent-Disposition: form-data; name="text"'))],
  ['two names', whole(part('other', '<b>', '; name="text"'))],
  ['an encoded name', whole(part('other', '<b>', "; name*=utf-8''text"))],
  ['an encoded file name', whole(part('other', '<b>', "; filename*=utf-8''x"))],
  ['a name without quotes', whole(part('x', '<b>').replace('"x"', 'text'))],
  ['an escape in a name', whole(part('te\\xt', '<b>'))],
  ['a folded header', whole(part('other', '<b>', ';\r\n name="text"'))],
  ['a space before the colon', whole(part('text', '<b>').replace('Disposition:', 'Disposition :'))],
  ['an encoding', whole(part('text', '=3Cb=3E', '\r\nContent-Transfer-Encoding: quoted-printable'))],
  ['another header', whole(part('text', 'x', '\r\nX-Other: 1'))],
  ['a repeated name', whole(part('text', 'x'), part('text', '<b>'))],
  ['a charset field', whole(part('_charset_', 'utf-7'), part('text', '+ADw-b+AD4-'))],
  ['a prototype', whole(part('__proto__[x]', 'x'))],
  ['a control character', whole(part('text', 'x\0<b>'))],
  ['attachment', whole(part('text', '<b>').replace('form-data', 'attachment'))],
  ['too many parts', whole(...Array.from({ length: 101 }, (_, i) => part(`a${i}`, 'x')))],
  [
    'a boundary that grows together',
    whole(part('text', `\r\n-<b></b>-${B}\r\nContent-Disposition: form-data; name="text"\r\n\r\n&lt;script>`)),
  ],
]

t.test('what could be read in two ways is refused', async (t) => {
  for (const [name, body] of BAD) t.equal(run(body), 'unreadable', name)
  t.equal(run(whole(part('text', 'x'.repeat(1001)))), 'too-large')
  t.equal(
    run(Buffer.concat([Buffer.from(whole(part('text', 'X')).replace('X', '')).subarray(0, 50), Buffer.from([0xff])])),
    'unreadable',
  )
})

t.test('arbitrary bodies never crash; what passes has clean fields for the parser of fetch', async () => {
  const piece = fc.constantFrom(
    `--${B}`,
    '\r\n',
    '--',
    'Content-Disposition: form-data; name="text"',
    '\r\n\r\n',
    '<b>x</b>',
    part('text', '<b>'),
    part('a', 'b'),
    '\n',
    'x',
    `--${B}--`,
    '"',
    ';',
  )
  const bodies = fc.array(piece, { maxLength: 10 }).map((pieces) => whole(part('text', 'x'), ...pieces))
  await fc.assert(
    fc.asyncProperty(bodies, async (body) => {
      const sent = run(body)
      if (sent === 'unreadable' || sent === 'rule' || sent === 'too-large') return true
      const headers = { 'content-type': `multipart/form-data; boundary=${B}` }
      const read = await new Response(sent, { headers }).formData()
      return read.getAll('text').every((each) => typeof each === 'string' && !each.includes('<b>'))
    }),
    { seed: 7, numRuns: 500 },
  )
})
