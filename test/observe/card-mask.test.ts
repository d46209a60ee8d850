import t from 'tap'
import { maskCards } from '../../src/observe/card-mask.ts'

t.test('a card in a path is replaced, however it is written', (t) => {
  for (const card of [
    '4111111111111111',
    '4111-1111-1111-1111',
    '4111%201111%201111%201111',
    '4111%E2%80%931111%E2%80%931111%E2%80%931111',
    '%EF%BC%94%EF%BC%91%EF%BC%91%EF%BC%91111111111111',
    '378282246310005',
    '6304000000000000',
  ]) {
    t.equal(maskCards(`/orders/${card}/x`), '/orders/[card]/x', card)
  }
  t.end()
})

t.test('every other path stays as it is', (t) => {
  for (const path of [
    '/',
    '/orders/1763812345678',
    '/a%20b/%ff%fe/100%',
    '/x/4111111111111112',
    '/20261101-093000.json',
    '/8f14e45f-ceea-467f-a0e6-1b2c3d4e5f60',
  ]) {
    t.equal(maskCards(path), path)
  }
  t.equal(maskCards('/%ff/4111111111111111'), '/%25ff/[card]', 'what is no UTF-8 stays unread')
  t.end()
})
