/** Finds card numbers whose parts stand apart: words or signs between groups of four. It knows groups, not how they were found. */
import { cardOf } from './brands.ts'
import type { FoundCard } from './find.ts'
import { isLabelled, isPartOfMore } from './surroundings.ts'

/** Between the parts of a number that somebody has split by words or signs. */
const MOST_GAP = 24
const LINKING =
  /^[^\p{L}\d]{0,8}$|^[^\p{L}\d]{0,8}(?:(?:x|and|und|then|dann|next|rest|the|continues?|weiter|danach|followed|by|second|part|half|teil|plus|dash|space|dot|strich|y|e|et|puis|luego|poi|en|и|ve)[^\p{L}\d]{1,8}){1,5}$|^[^\p{L}\d]{0,4}(?:x|dash|space|dot|and|und)[^\p{L}\d]{0,4}$/iu
const SPLIT_GROUPINGS = ['4-4-4-4', '4-6-5', '4-6-4', '8-8', '4-4-8', '4-12', '6-10', '8-4-4']

/** Adds to `found`. `groups` holds starts and ends, in turn. Labels are heeded: parts that stand apart are easily something else. */
export function findSplit(text: string, groups: readonly number[], found: FoundCard[]): void {
  const count = groups.length / 2
  const size = (i: number): number => groups[2 * i + 1]! - groups[2 * i]!
  let known = 0
  const cards = [...found]
  for (let i = 0; i < count; i++) {
    const start = groups[2 * i]!
    if (size(i) !== 4 && size(i) !== 8 && size(i) !== 6) continue
    while (known < cards.length && cards[known]!.tailEnd <= start) known++
    if (known < cards.length && cards[known]!.start <= start) continue
    let shape = ''
    let digits = ''
    let isSplit = false
    for (let j = i; j < count && j < i + 5; j++) {
      if (j > i) {
        const from = groups[2 * j - 1]!
        const to = groups[2 * j]!
        if (to - from > MOST_GAP) break
        const gap = text.slice(from, to)
        if (!/^[ \n._\-/\\|~]{1,4}$/.test(gap)) {
          if (!LINKING.test(gap) || (gap.includes(',') && !/\p{L}/u.test(gap))) break
          isSplit = true
        }
      }
      if (known < cards.length && groups[2 * j + 1]! > cards[known]!.start) break
      shape += j === i ? size(j) : `-${size(j)}`
      digits += text.slice(groups[2 * j]!, groups[2 * j + 1]!)
      if (!SPLIT_GROUPINGS.some((each) => each.startsWith(shape))) break
      if (!isSplit || !SPLIT_GROUPINGS.includes(shape)) continue
      const card = cardOf(digits)
      const end = groups[2 * j + 1]!
      if (card?.isSure !== true || isLabelled(text, start, end) || isPartOfMore(text, start, end)) continue
      found.push({ start, end, brand: card.brand, tailEnd: end })
      i = j
      break
    }
  }
}
