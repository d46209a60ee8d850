/** Entity tags (RFC 9110, 8.8.3): of bytes, and of what the bytes mean. It knows no answer. */

const TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/
const TAGS = /(?:W\/)?("[^"]*")/g

/** The weak form: the same content, maybe in other bytes. Null for what is no entity tag. */
export function weakTag(tag: string): string | null {
  if (!TAG.test(tag)) return null
  return tag.startsWith('W/') ? tag : `W/${tag}`
}

/** A list of entity tags, each in its strong form. */
export function strongTags(list: string): string {
  return list.replace(TAGS, '$1')
}

/** True where a list has the tag in its weak form, and not in the strong one that is given. */
export function hasOnlyWeak(list: string, strong: string): boolean {
  let isThere = false
  for (const [each] of list.matchAll(TAGS)) {
    if (each === strong) return false
    if (each === `W/${strong}`) isThere = true
  }
  return isThere
}
