/** Finds names that an object of a JSON text has twice: the reader of JSON would silently take the last. */

/** `text` is valid JSON: that was checked. */
export function repeatedKeys(text: string): string[] {
  const repeated: string[] = []
  const open: (Set<string> | null)[] = []
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\]:,]/g) ?? []
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(null)
    else if (token === '}' || token === ']') open.pop()
    else if (token.startsWith('"') && tokens[i + 1] === ':') {
      const key = JSON.parse(token) as string
      const keys = open.at(-1)
      if (keys?.has(key)) repeated.push(key)
      keys?.add(key)
    }
  }
  return repeated
}
