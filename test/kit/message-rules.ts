/** A set of message rules as the configuration gives it, for tests of parts. */
import type { MessagesConfig } from '../../src/config/shape.ts'
import { compileRules, type MessageRules } from '../../src/messages/rules.ts'

/** The defaults, `$.text` as the one field and `message` as the one event, and the changes. */
export function messagesConfig(changes: Partial<MessagesConfig> = {}): MessagesConfig {
  return {
    fields: ['$.text'],
    events: { message: ['$[0].text'] },
    otherEvents: 'inspect',
    binary: 'refuse',
    files: 'refuse',
    html: 'strip',
    output: 'html',
    cards: 'mask',
    cardsShown: 'last4',
    maxSize: 1000,
    onViolation: 'refuse',
    ...changes,
  }
}

/** The same, compiled. */
export function messageRules(changes: Partial<MessagesConfig> = {}): MessageRules {
  return compileRules(messagesConfig(changes))
}
