import t from 'tap'
import {
  applyEverywhere,
  applyFields,
  compileField,
  countKeys,
  REFUSE,
  validateField,
} from '../../src/messages/fields.ts'
import { countMembers } from '../../src/messages/json-scan.ts'

const shout = (text: string) => text.toUpperCase()
const applied = (document: unknown, ...paths: string[]): unknown => {
  const copy = structuredClone(document)
  return applyFields(copy, paths.map(compileField), shout).root
}

t.test('paths find their strings and no others', (t) => {
  const chat = {
    text: 'a',
    id: 'b',
    parts: [{ body: 'c', x: 'd' }, { body: 'e' }],
    deep: { caption: 'f', more: [{ caption: 'g' }] },
  }
  t.same(applied(chat, '$.text'), { ...chat, text: 'A' })
  t.same(applied(chat, '$.parts[*].body'), { ...chat, parts: [{ body: 'C', x: 'd' }, { body: 'E' }] })
  t.same(applied(chat, '$.parts[1].body'), { ...chat, parts: [{ body: 'c', x: 'd' }, { body: 'E' }] })
  t.same(applied(chat, '$..caption'), { ...chat, deep: { caption: 'F', more: [{ caption: 'G' }] } })
  t.same(applied(chat, '$.nothing', '$.text.more', '$[0]'), chat)
  t.same(applied([{ text: 'a' }, 'b'], '$[0].text'), [{ text: 'A' }, 'b'])
  t.equal(applied('a', '$'), 'A')
  t.same(applied({ a: { b: 'x', c: 'y' } }, '$.a.*'), { a: { b: 'X', c: 'Y' } })
  t.end()
})

t.test('what stands in a field is cleaned in whatever shape it comes', (t) => {
  t.same(applied({ text: ['a', { b: 'c' }, 1, null, true] }, '$.text'), { text: ['A', { b: 'C' }, 1, null, true] })
  t.end()
})

t.test('keys are found in any case', (t) => {
  t.same(applied({ Text: 'a', TEXT: 'b', teſt: 'c', K: 'd' }, '$.text', '$.test', '$.k'), {
    Text: 'A',
    TEXT: 'B',
    teſt: 'C',
    K: 'D',
  })
  t.end()
})

t.test('a refusing visitor is heard', (t) => {
  t.equal(applyFields({ a: 'x' }, [compileField('$.a')], () => REFUSE).refused, true)
  t.equal(applyEverywhere({ ax: 'x' }, (text) => (text === 'ax' ? 'b' : text)).refused, true)
  t.equal(applyEverywhere(['x'], (text) => text).changed, false)
  t.end()
})

t.test('bad paths get a sentence', (t) => {
  for (const path of ['', 'text', '$.', '$[', '$[x]', '$..', '$.a b', `$${'.a'.repeat(40)}`]) {
    t.type(validateField(path), 'string')
    t.throws(() => compileField(path), /field path/)
  }
  t.equal(validateField('$.a[*]..b'), null)
  t.end()
})

t.test('members are counted as JSON.parse would see them, repeated ones included', (t) => {
  const texts: [string, number][] = [
    ['{}', 0],
    ['[]', 0],
    ['"a:b"', 0],
    ['{"a:b":"c:d"}', 1],
    ['{"a":1,"a":2}', 2],
    ['{"a\\"":{"b":[{"c":":"}]}}', 3],
    ['{"a":"\\\\"}', 1],
    ['{"\\\\\\"":"\\\\\\\\","b":1}', 2],
    ['["\\\\","a:\\\\\\""]', 0],
  ]
  for (const [text, count] of texts) t.equal(countMembers(text, 32), count, text)
  t.equal(countKeys(JSON.parse('{"a":1,"a":2}')), 1)
  t.equal(countKeys(JSON.parse('{"a":{"b":[{"c":1}]}}')), 3)
  for (const key of ['__proto__', 'constructor', 'prototype'])
    t.equal(countKeys(JSON.parse(`{"a":[{"${key}":1}]}`)), -1)
  t.end()
})

t.test('depth is bounded and strings must end', (t) => {
  t.equal(countMembers('['.repeat(32) + ']'.repeat(32), 32), 0)
  t.equal(countMembers('['.repeat(33) + ']'.repeat(33), 32), -1)
  t.equal(countMembers('{"a":'.repeat(33), 32), -1)
  t.equal(countMembers('{"a', 32), -1)
  t.equal(countMembers(`"${'\\"'.repeat(200_000)}"`, 32), 0)
  t.equal(countMembers(`"${'\\'.repeat(400_000)}"`, 32), 0)
  t.end()
})
