/** Replaces payment cards in a path before it is logged. It decodes the path as a service would, and finds them as the messages do. */
import { replaceCardData } from '../cards/mask.ts'

/** Without escapes and plain digits no path of fewer characters holds a card. */
const LEAST_LENGTH = 12

/** The path with every card replaced by `[card]`; a path with a card is written decoded and encoded again. */
export function maskCards(path: string): string {
  if (path.length < LEAST_LENGTH) return path
  if (!path.includes('%')) return replaceCardData(path, '[card]')
  const decoded = decodeLoosely(path)
  const masked = replaceCardData(decoded, '[card]')
  return masked === decoded ? path : encodeURI(masked.toWellFormed()).replaceAll('%5Bcard%5D', '[card]')
}

/** Escapes that are no UTF-8 stay as they are. */
function decodeLoosely(path: string): string {
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes)
    } catch {
      return escapes
    }
  })
}
