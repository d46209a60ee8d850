/** Reads Accept-Encoding (RFC 9110, 12.5.3) and chooses among codings. It knows no answer and no compressor. */

/** Codings that answers can be given, by their names in Content-Encoding. */
export const CONTENT_CODINGS = ['zstd', 'br', 'gzip'] as const
export type ContentCoding = (typeof CONTENT_CODINGS)[number]

/** A list of more is longer than there are codings. */
const MOST_ITEMS = 32
const ITEM = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:[\t ]*;[\t ]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/

/**
 * The coding that the client likes best, of several the first in `order`; null where the answer goes as it is: the client
 * names none of them, refuses them, or would rather have `identity`. What is no item of the list is as if it were not there,
 * and of an item that stands twice the first counts.
 *
 * @param field All lines of Accept-Encoding, joined; null where there are none: such a client is not known to decode anything.
 */
export function chooseCoding(field: string | null, order: readonly ContentCoding[]): ContentCoding | null {
  if (field === null) return null
  const weights = readWeights(field)
  const others = weights.get('*') ?? 0
  let best: ContentCoding | null = null
  let bestWeight = 0
  for (const coding of order) {
    const weight = weights.get(coding) ?? others
    if (weight > bestWeight) {
      best = coding
      bestWeight = weight
    }
  }
  return (weights.get('identity') ?? others) > bestWeight ? null : best
}

function readWeights(field: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const each of field.split(',', MOST_ITEMS)) {
    const found = ITEM.exec(each.trim())
    if (found === null) continue
    const name = found[1]!.toLowerCase()
    // The older name of the same (RFC 9110, 8.4.1.3).
    const coding = name === 'x-gzip' ? 'gzip' : name
    if (!weights.has(coding)) weights.set(coding, found[2] === undefined ? 1 : Number(found[2]))
  }
  return weights
}
