/**
 * Tells attributes (` href=x class="y"`) from words that stand between `<` and `>` by chance (` && c==d || e`). It guesses
 * what a person meant, as markup.ts does: no safety rests on it.
 */

const NAME = /[a-zA-Z_:@][\w:.@-]*/y
const VALUE = /[^\s"'<>=`][^\s<>]*/y
/** Nobody names a variable so. */
const TELLING = /^(?:on[a-z]{3,}|href|src|srcset|style|class|action|data-[\w-]+|aria-[\w-]+)$/i

/** True for a list of attributes of which the first has a value, or one a value in quotes, or a telling name. Linear. */
export function readsLikeAttributes(rest: string): boolean {
  let isTelling = false
  let isFirst = true
  let at = afterSpace(rest, 0, true)
  while (at < rest.length) {
    const name = match(NAME, rest, at)
    if (name === '') return false
    at += name.length
    const sign = afterSpace(rest, at, false)
    if (rest[sign] === '=') {
      at = afterSpace(rest, sign + 1, false)
      const quote = rest[at]
      if (quote === '"' || quote === "'") {
        at = rest.indexOf(quote, at + 1) + 1
        if (at === 0) return false
        isTelling = true
      } else {
        const value = match(VALUE, rest, at)
        if (value === '') return false
        at += value.length
        if (isFirst || TELLING.test(name)) isTelling = true
      }
    }
    isFirst = false
    at = afterSpace(rest, at, true)
  }
  return isTelling
}

function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? ''
}

function afterSpace(text: string, from: number, slashes: boolean): number {
  let at = from
  while (at < text.length) {
    const c = text.charCodeAt(at)
    if (c !== 32 && c !== 9 && c !== 10 && c !== 12 && c !== 13 && !(slashes && c === 47)) return at
    at++
  }
  return at
}
