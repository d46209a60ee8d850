/** The stage that gives the service another path than the client's. It changes what is sent, never what is logged or checked. */
import { makeTranslation } from '../http/path-pattern.ts'
import { DONE, GO, type Stage } from './contracts.ts'

/** `to` uses names of `from` only: that was checked. */
export function makeRewrite(from: string, to: string): Stage {
  const translate = makeTranslation(from, to)!
  return function rewritePath(x) {
    const target = x.sentTarget ?? x.path + x.query
    const mark = target.indexOf('?')
    const path = translate(mark === -1 ? target : target.slice(0, mark))
    if (path === null) {
      x.refuse('no-route')
      return DONE
    }
    x.sentTarget = mark === -1 ? path : path + target.slice(mark)
    return GO
  }
}
