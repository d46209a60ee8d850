/**
 * Reads the HTML that sanitize-html wrote: where a kept element's tag stands in it, and which links a kept `a` may have. It
 * parses no HTML of a client.
 */

/** Exactly the tags that sanitize-html writes: quoted values in which `"`, `<` and `>` are escaped. */
const WRITTEN_TAG = /<(?:\/[a-z][a-z0-9]*|[a-z][a-z0-9]*(?: [a-z]+="[^"<>]*")*(?: \/)?)>/g
const LINK = /^(?:https?:\/\/|mailto:)[\x21-\x7e]+$/
const MAX_LINK = 2048

export interface WrittenHtml {
  readonly html: string
  readonly tags: number
}

/** The HTML with every stretch of words between its tags replaced; `isLast` is true for what ends the text. */
export function replaceWords(html: string, replace: (words: string, isLast: boolean) => string): WrittenHtml {
  let result = ''
  let tags = 0
  let from = 0
  for (const found of html.matchAll(WRITTEN_TAG)) {
    if (found.index > from) result += replace(html.slice(from, found.index), false)
    result += found[0]
    tags++
    from = found.index + found[0].length
  }
  if (from < html.length) result += replace(html.slice(from), true)
  return { html: result, tags }
}

/**
 * The link of a kept `a` in its one spelling (IDN as xn--); null for what is no absolute http, https or mailto URL, carries
 * a user or password (`https://bank.example@evil.example`), or is longer than a link can be.
 */
export function safeLink(href: string | undefined): string | null {
  if (href === undefined || href.length > MAX_LINK) return null
  const url = URL.parse(href)
  if (url === null || url.username !== '' || url.password !== '') return null
  // A second reading must find the same link.
  return LINK.test(url.href) && url.href.length <= MAX_LINK && URL.parse(url.href)?.href === url.href ? url.href : null
}
