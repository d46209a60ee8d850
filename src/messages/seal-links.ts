/**
 * Seals identifiers in the links of what services answer: chosen fields of JSON, and `Location`. How a token is made is the
 * business of whoever hands the sealer in.
 */
import { parseSealedPath, type SealedPath, segmentAt } from '../config/sealed-path.ts'
import type { UrlSealer } from '../exchange/sealed.ts'
import { normalisePath } from '../http/target.ts'
import { compileReplacer, type Hider } from './hide.ts'
import type { Cleaned } from './rules.ts'

export interface LinkRule {
  readonly kind: string
  readonly fields: readonly string[]
  /** A path with `{token}`, or `value` where the whole text is the identifier. */
  readonly link: string
}

/** Documents and packets with their links sealed. */
export interface LinkSealer extends Hider {
  /** The value of a Location field. */
  location(value: string): string
}

/** Rules apply one after the other. Throws an Error with a sentence for a field path that is none. */
export function compileLinkSealer(rules: readonly LinkRule[], sealer: UrlSealer): LinkSealer {
  const compiled = rules.map(({ kind, fields, link }) => {
    const form = link === 'value' ? null : parseSealedPath(link)
    if (typeof form === 'string') throw new Error(`"${link}" ${form}`)
    const replace = (text: string): string =>
      form === null ? sealer.seal(kind, text) : sealLink(text, form, kind, sealer)
    return { form, replace, replacer: compileReplacer(fields, replace) }
  })
  const each = (json: string, apply: (replacer: Hider, text: string) => Cleaned): Cleaned => {
    let cleaned: Cleaned = { outcome: 'same', text: json }
    for (const { replacer } of compiled) {
      const next = apply(replacer, cleaned.text)
      if (next.outcome === 'refused') return next
      if (next.outcome === 'changed') cleaned = next
    }
    return cleaned
  }
  return {
    document: (json) => each(json, (replacer, text) => replacer.document(text)),
    packet: (json, isEvent) => each(json, (replacer, text) => replacer.packet(text, isEvent)),
    location: (value) => compiled.reduce((text, { form, replace }) => (form === null ? text : replace(text)), value),
  }
}

const LINK = /^(https?:\/\/[^/?#\\\s]+)?(\/[^?#]*)(.*)$/is

/** A link of another form stays as it is. */
function sealLink(text: string, form: SealedPath, kind: string, sealer: UrlSealer): string {
  const found = LINK.exec(text)
  if (found === null) return text
  const [, origin = '', raw, rest] = found
  const path = normalisePath(raw!)
  const segment = path === null ? null : segmentAt(form, path)
  if (path === null || segment === null || segment === '' || sealer.isToken(segment)) return text
  const behind = path.slice(form.before.length + segment.length)
  return `${origin}${form.before}${sealer.seal(kind, decoded(segment))}${behind}${rest}`
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
