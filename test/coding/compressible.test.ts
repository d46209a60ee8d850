/** Which answers may be compressed by what they say, and what they say afterwards. */
import t from 'tap'
import { codedFields, isCompressible, isForEverybody, TypeList } from '../../src/coding/compressible.ts'
import type { HeaderList } from '../../src/http/headers.ts'

const types = new TypeList(['text/*', 'application/json', 'application/*+json'])
const rules = { types, minBytes: 1000 }
const JSON_TYPE: HeaderList = ['content-type', 'application/json']
const is = (headers: HeaderList, status = 200): boolean => isCompressible(status, headers, rules)

t.test('types', (t) => {
  for (const type of [
    'text/html',
    'TEXT/HTML; charset=utf-8',
    'text/plain ;x',
    'application/json',
    'application/problem+json',
  ]) {
    t.ok(types.has(type), type)
  }
  for (const type of [
    'image/png',
    'application/jsonp',
    'application/json+x',
    'xtext/html',
    'text',
    '',
    'text/event-stream',
    'Text/Event-Stream; charset=utf-8',
  ]) {
    t.notOk(types.has(type), type)
  }
  t.ok(new TypeList(['text/event-stream']).has('text/event-stream;charset=utf-8'), 'named, it is meant')
  t.end()
})

t.test('statuses, ranges, codings, sizes, wishes', (t) => {
  for (const status of [200, 201, 203, 400, 404, 500, 503]) t.ok(is(JSON_TYPE, status), String(status))
  for (const status of [101, 204, 205, 206, 304]) t.notOk(is(JSON_TYPE, status), String(status))
  t.notOk(is([...JSON_TYPE, 'content-range', 'bytes 0-9/20']))
  t.notOk(is([]), 'nobody knows what it is')
  for (const coding of ['gzip', 'br', 'x', 'identity, gzip'])
    t.notOk(is([...JSON_TYPE, 'content-encoding', coding]), coding)
  t.ok(is([...JSON_TYPE, 'content-encoding', 'Identity']))
  t.notOk(is([...JSON_TYPE, 'content-length', '999']))
  t.ok(is([...JSON_TYPE, 'content-length', '1000']))
  t.notOk(is([...JSON_TYPE, 'cache-control', 'max-age=1', 'cache-control', 'No-Transform']))
  t.ok(is([...JSON_TYPE, 'cache-control', 'no-store']))
  t.end()
})

t.test('what is for everybody', (t) => {
  t.ok(isForEverybody(['cache-control', 'public, max-age=60']))
  for (const control of [
    'max-age=60',
    'private',
    'public, private',
    'public, no-store',
    'public, private="x"',
    'x-public',
  ]) {
    t.notOk(isForEverybody(['cache-control', control]), control)
  }
  t.notOk(isForEverybody(['cache-control', 'public', 'set-cookie', 'a=b']))
  t.notOk(isForEverybody([]))
  t.end()
})

t.test('fields that are true of the bytes before', (t) => {
  const before = [
    ...['content-type', 'a/b', 'content-length', '5', 'etag', '"x"', 'accept-ranges', 'bytes', 'content-md5', 'm'],
    ...['digest', 'd', 'content-digest', 'c', 'repr-digest', 'r', 'content-encoding', 'identity', 'x-own', 'y'],
  ]
  t.same(codedFields(before, 'br'), ['content-type', 'a/b', 'etag', 'W/"x"', 'x-own', 'y', 'content-encoding', 'br'])
  t.same(codedFields(['etag', 'W/"x"'], 'gzip'), ['etag', 'W/"x"', 'content-encoding', 'gzip'])
  t.same(codedFields(['etag', 'x'], 'gzip'), ['content-encoding', 'gzip'], 'what is no tag cannot be made weak')
  t.end()
})
