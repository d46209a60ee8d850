/**
 * One pass over JSON text before it is parsed: how deep it nests and how many members its objects have. It knows no
 * grammar: JSON.parse judges that. The member count is what reveals a repeated key, of which parsers keep different ones.
 */

const QUOTE = 34
const BACKSLASH = 92
const COLON = 58

/** Members of all objects; -1 where the nesting is deeper than `maxDepth` or a string does not end. Linear. */
export function countMembers(text: string, maxDepth: number): number {
  let depth = 0
  let members = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === QUOTE) {
      i = stringEnd(text, i)
      if (i === -1) return -1
    } else if (c === COLON) members++
    // `[` and `{` differ in one bit only, and so do `]` and `}`.
    else if ((c & 0xdf) === 91) {
      if (++depth > maxDepth) return -1
    } else if ((c & 0xdf) === 93) depth--
  }
  return members
}

/** Where the quote stands that ends the string begun at `start`; -1 where there is none. */
function stringEnd(text: string, start: number): number {
  let from = start + 1
  for (;;) {
    const end = text.indexOf('"', from)
    if (end === -1) return -1
    let slashes = end
    while (text.charCodeAt(slashes - 1) === BACKSLASH) slashes--
    // Not before `from`: a run of backslashes behind an escaped quote is never counted twice.
    if (((end - Math.max(slashes, from)) & 1) === 0) return end
    from = end + 1
  }
}
