/** Finds the word that was probably meant. Knows words only. */

const MAX_WORD = 64
const MAX_CANDIDATES = 10_000

/** The nearest candidate, or null where none is near enough to be a slip of the finger. */
function suggest(word: string, candidates: Iterable<string>): string | null {
  if (word.length === 0 || word.length > MAX_WORD) return null
  const wanted = word.toLowerCase()
  let best: string | null = null
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  let seen = 0
  for (const candidate of candidates) {
    if (++seen > MAX_CANDIDATES) break
    if (candidate.length > MAX_WORD) continue
    const far = distance(wanted, candidate.toLowerCase())
    if (far < least) {
      least = far
      best = candidate
    }
  }
  return best
}

/** `; did you mean "x"?`, or what stands in `otherwise`. */
export function suggestion(word: string, candidates: Iterable<string>, otherwise = ''): string {
  const found = suggest(word, candidates)
  return found === null ? otherwise : `; did you mean ${JSON.stringify(found)}?`
}

/** Optimal string alignment: insertions, deletions, replacements, neighbours swapped. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, beforeLast[j - 2]! + 1)
      row.push(least)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
