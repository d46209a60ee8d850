/**
 * Where the digits of a text stand: groups of digits, and runs of groups with nothing but what people write within numbers
 * between them. It knows no card. One pass, no allocation but the lists.
 */

/** Starts and ends in turn, in places of the text. */
export interface DigitGroups {
  readonly groups: readonly number[]
  /** Where in `groups` each run begins; behind the last of them the end of `groups`. */
  readonly runs: readonly number[]
}

/** Separators between two groups of one run. */
const MOST_BETWEEN = 4
const ZERO = 48
const NINE = 57

/** Linear in the length. */
export function digitGroups(text: string): DigitGroups {
  const groups: number[] = []
  const runs: number[] = []
  let at = 0
  /** Behind the last group, and whether nothing but separators came since then. */
  let lastEnd = -1
  let isJoined = false
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code < ZERO || code > NINE) {
      if (isJoined && (!isSeparator(code) || at - lastEnd >= MOST_BETWEEN)) isJoined = false
      at++
      continue
    }
    if (!isJoined) runs.push(groups.length)
    groups.push(at)
    do at++
    while (isDigitAt(text, at))
    groups.push(at)
    lastEnd = at
    isJoined = true
  }
  runs.push(groups.length)
  return { groups, runs }
}

/** Space, line feed and one of `._-/\|,~`. */
function isSeparator(code: number): boolean {
  return (
    code === 32 ||
    code === 10 ||
    (code >= 44 && code <= 47) ||
    code === 92 ||
    code === 95 ||
    code === 124 ||
    code === 126
  )
}

function isDigitAt(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= ZERO && code <= NINE
}
