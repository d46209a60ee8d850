/**
 * The rule about payment cards in a message: masked, or a reason to refuse it. It stands behind the rule about HTML, so that
 * tags within a number are gone. How a card is found, src/cards knows.
 */
import { holdsCard, maskCardData, type OnHidden } from '../cards/mask.ts'
import type { MessagesConfig } from '../config/shape.ts'
import { REFUSE, type Visit } from './fields.ts'

/** Puts the rule behind `visit`. `onHidden` hears of every card, code and track that was found. */
export function withCards(visit: Visit, config: MessagesConfig, onHidden: OnHidden): Visit {
  const { cards, cardsShown } = config
  if (cards === 'off') return visit
  const isRejecting = cards === 'reject'
  return (text) => {
    const cleaned = visit(text)
    if (cleaned === REFUSE) return REFUSE
    const masked = maskCardData(cleaned, cardsShown, onHidden)
    return isRejecting && masked !== cleaned ? REFUSE : masked
  }
}

const LEAST_LENGTH = 12

/** True where a card stands in the path or the query of a URL, decoded as a service would decode it. */
export function hasCardInTarget(path: string, query: string): boolean {
  return isCardIn(path) || isCardIn(query.replaceAll('+', ' '))
}

function isCardIn(part: string): boolean {
  return part.length >= LEAST_LENGTH && holdsCard(decodeEscapes(part))
}

/** Part of a URL as a service would read it; escapes that are no UTF-8 stay. */
export function decodeEscapes(part: string): string {
  return part.includes('%') ? part.replace(/(?:%[0-9a-f]{2})+/gi, decode) : part
}

function decode(escapes: string): string {
  try {
    return decodeURIComponent(escapes)
  } catch {
    return escapes
  }
}
