/** Cookies get what they lack, and keep what they have. */
import t from 'tap'
import { makeTranslation } from '../../src/http/path-pattern.ts'
import { tidyCookie } from '../../src/http/set-cookie.ts'

const wishes = {
  ...{ host: 'chat.example.com', isSecure: true, sameSite: 'Lax' },
  ...{ readable: new Set(['XSRF-TOKEN']), publicPath: null },
}
const tidy = (value: string, more: object = {}): string => tidyCookie(value, { ...wishes, ...more })

t.test('Secure, HttpOnly and SameSite where they are missing', (t) => {
  t.equal(tidy('a=b'), 'a=b; Secure; HttpOnly; SameSite=Lax')
  t.equal(tidy('a=b; HTTPONLY; secure;samesite=None'), 'a=b; HTTPONLY; secure;samesite=None')
  t.equal(tidy('a=b; SameSite=Whatever'), 'a=b; Secure; HttpOnly; SameSite=Lax', 'what browsers read as nothing')
  t.equal(tidy('XSRF-TOKEN=x'), 'XSRF-TOKEN=x; Secure; SameSite=Lax')
  t.equal(tidy('a=b', { isSecure: false }), 'a=b; HttpOnly; SameSite=Lax')
  t.equal(tidy('a="x; Secure"'), 'a="x; Secure"; Secure; HttpOnly; SameSite=Lax', 'quotes end no attribute')
  t.end()
})

t.test('a domain that is not the own one goes', (t) => {
  const whole = '; Secure; HttpOnly; SameSite=Lax'
  t.equal(tidy(`a=b; Domain=chat.internal${whole}`), `a=b${whole}`)
  t.equal(tidy(`a=b; Domain=.example.com${whole}`), `a=b; Domain=.example.com${whole}`)
  t.equal(tidy(`a=b; domain=example.com.evil.org${whole}`), `a=b${whole}`)
  t.equal(tidy(`a=b; Domain=ample.com${whole}`), `a=b${whole}`)
  t.end()
})

t.test('paths of the service become those of clients', (t) => {
  const publicPath = makeTranslation('/v2/*', '/chat/*')
  const path = (value: string): string => tidy(value, { publicPath }).split(';')[1]!.trim()
  t.equal(path('a=b; Path=/v2/x'), 'Path=/chat/x')
  t.equal(path('a=b; path=/v2'), 'Path=/chat/')
  t.equal(path('a=b; Path=/other'), 'Path=/other')
  t.equal(path('__Host-a=b; Path=/v2'), 'Path=/v2', 'its path is its promise')
  t.end()
})
