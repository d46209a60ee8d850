/**
 * What the rules of a route would make of one message, and why, for a person who writes the rules. Nothing is sent and
 * nothing is counted.
 */
import type { Configuration, RouteConfig } from '../config/shape.ts'
import { suggestion } from '../config/suggestion.ts'
import { applyFields, compileField } from '../messages/fields.ts'
import { packetLabel, plainLabel } from '../messages/message-label.ts'
import { type Cleaned, cleanMessage, compileRules, type MessageRules } from '../messages/rules.ts'
import { cleanPacket } from '../messages/socketio-packets.ts'
import { isJson, parseStrict } from '../messages/strict-json.ts'

export interface Attempt {
  /** Name or path of the route. */
  readonly route: string
  /** socket.io event whose arguments the text holds; null: the text is the whole message. */
  readonly event: string | null
  readonly text: string
}

export interface Verdict {
  readonly lines: readonly string[]
  readonly outcome: 'passes' | 'refused' | 'not-tried'
}

interface Visited {
  readonly before: string
  /** Null: refused. */
  readonly after: string | null
}

/** Tries one message. `not-tried`: the lines say what was asked wrongly. */
export function tryMessage(config: Configuration, attempt: Attempt): Verdict {
  const route = config.routes.find((each) => each.name === attempt.route || each.path === attempt.route)
  if (route === undefined) {
    const known = config.routes.map((each) => each.name ?? each.path)
    const hint = suggestion(attempt.route, known, known.length > 20 ? '' : `; known are ${known.join(', ')}`)
    return { lines: [`no route ${JSON.stringify(attempt.route)}${hint}`], outcome: 'not-tried' }
  }
  if (attempt.event !== null && !route.socketIo) {
    return { lines: ['this route has no "socketIo": true, so there are no events'], outcome: 'not-tried' }
  }
  if (route.messages === undefined) return withoutRules(config, route, attempt)
  return new Trial(config, route, attempt).run()
}

function withoutRules(config: Configuration, route: RouteConfig, attempt: Attempt): Verdict {
  const lines = [`route    ${nameOf(route)}: no message rules`, ...sizeLines(route, attempt.text)]
  const isTooBig = Buffer.byteLength(attempt.text) > route.socket.maxMessage
  if (isTooBig) return { lines: [...lines, 'outcome  refused'], outcome: 'refused' }
  return { lines: [...lines, ...limitLines(config, route, 'message'), 'outcome  passes as it is'], outcome: 'passes' }
}

class Trial {
  readonly #config: Configuration
  readonly #route: RouteConfig
  readonly #rules: MessageRules
  readonly #name: string
  readonly #text: string
  readonly #visited: Visited[] = []
  #hidden = 0

  constructor(config: Configuration, route: RouteConfig, attempt: Attempt) {
    this.#config = config
    this.#route = route
    this.#name = route.messages!
    const rules = compileRules(config.messages[this.#name]!, () => {
      this.#hidden++
    })
    this.#rules = {
      ...rules,
      visit: (before) => {
        const after = rules.visit(before)
        this.#visited.push({ before, after })
        return after
      },
    }
    this.#text = attempt.event === null ? attempt.text : packetOf(attempt.event, attempt.text)
  }

  run(): Verdict {
    const isPacket = this.#route.socketIo
    const lines = [`route    ${nameOf(this.#route)}, message rules ${JSON.stringify(this.#name)}`]
    const size = Buffer.byteLength(this.#text)
    if (size > this.#rules.maxBytes) {
      lines.push(
        `size     ${size} bytes, more than "maxSize" (${this.#rules.maxBytes}): a WebSocket closes with 1009, a request gets 413`,
      )
      return { lines: [...lines, 'outcome  refused'], outcome: 'refused' }
    }
    const cleaned = isPacket ? cleanPacket(this.#rules, this.#text) : cleanMessage(this.#rules, this.#text)
    const label = isPacket ? packetLabel(this.#rules, this.#text) : plainLabel(this.#rules, this.#text)
    lines.push(...this.#kindLines(label), ...this.#visitLines())
    if (cleaned.outcome === 'refused') return { lines: [...lines, ...this.#refusal(cleaned)], outcome: 'refused' }
    if (label !== null) lines.push(...limitLines(this.#config, this.#route, label))
    lines.push(`outcome  ${cleaned.outcome === 'same' ? 'passes as it is' : 'changed'}`)
    lines.push(`becomes  ${printable(cleaned.text)}`)
    return { lines, outcome: 'passes' }
  }

  #kindLines(label: string | null): string[] {
    if (!this.#route.socketIo) {
      const document = parseStrict(this.#text)
      if (document === undefined) {
        return [
          `message  ${isJson(this.#text) ? 'JSON that can be read in two ways: a repeated key, one like __proto__, or too deep' : 'plain text, cleaned whole'}`,
        ]
      }
      const paths = this.#config.messages[this.#name]!.fields
      return ['message  JSON', ...(paths.length === 0 ? ['fields   every string'] : fieldLines(paths, document))]
    }
    if (label === null) return ['message  a packet without text']
    const paths = this.#config.messages[this.#name]!.events[label]
    if (paths === undefined) {
      return [
        `message  a packet that "events" does not name: "otherEvents" is ${JSON.stringify(this.#rules.otherEvents)}`,
      ]
    }
    const at = this.#text.indexOf('[')
    const document = parseStrict(this.#text.slice(at)) as unknown[] | undefined
    return [`message  socket.io event ${JSON.stringify(label)}`, ...fieldLines(paths, document?.slice(1))]
  }

  #visitLines(): string[] {
    const lines: string[] = []
    for (const { before, after } of this.#visited.slice(0, MOST_TEXTS)) {
      if (after === before) lines.push(`text     ${shown(before)} stays`)
      else if (after === null) lines.push(`text     ${shown(before)} breaks a rule`)
      else lines.push(`text     ${shown(before)} becomes ${shown(after)}`)
    }
    const left = this.#visited.length - lines.length
    if (left > 0) lines.push(`text     and ${left} more`)
    if (this.#hidden > 0) lines.push(`cards    ${this.#hidden} hidden`)
    return lines
  }

  #refusal(cleaned: Extract<Cleaned, { outcome: 'refused' }>): string[] {
    const why =
      cleaned.reason === 'rule'
        ? 'it breaks a rule'
        : 'it cannot be read: broken or dubious JSON, a packet that no client sends, or binary data'
    const effect = this.#rules.closesOnViolation
      ? 'the WebSocket closes with 1008, a request is refused'
      : 'a WebSocket or polling message is dropped alone, a REST request is refused'
    return [`refused  ${why}; ${effect}`, 'outcome  refused']
  }
}

const MOST_TEXTS = 50
const MOST_SHOWN = 120

function nameOf(route: RouteConfig): string {
  return route.name === undefined ? route.path : `${route.name} (${route.path})`
}

/** The text holds the list of arguments, or the one argument. */
function packetOf(event: string, text: string): string {
  let first: unknown = text
  try {
    first = JSON.parse(text)
  } catch {
    // Plain words are one argument.
    return `42[${JSON.stringify(event)},${JSON.stringify(text)}]`
  }
  const list = Array.isArray(first) ? text.trim().slice(1, -1).trim() : text.trim()
  return list === '' ? `42[${JSON.stringify(event)}]` : `42[${JSON.stringify(event)},${list}]`
}

/** How often each path finds a text. */
function fieldLines(paths: readonly string[], document: unknown): string[] {
  return paths.map((path) => {
    let found = 0
    applyFields(document, [compileField(path)], (text) => {
      found++
      return text
    })
    return `field    ${path} ${found === 0 ? 'finds nothing' : `finds ${found} ${found === 1 ? 'text' : 'texts'}`}`
  })
}

function sizeLines(route: RouteConfig, text: string): string[] {
  const size = Buffer.byteLength(text)
  if (size <= route.socket.maxMessage) return []
  return [
    `size     ${size} bytes, more than "socket.maxMessage" (${route.socket.maxMessage}): a WebSocket closes with 1009`,
  ]
}

function limitLines(config: Configuration, route: RouteConfig, label: string): string[] {
  const lines = route.limits.map(
    (name) => `limit    ${JSON.stringify(name)} counts requests and handshakes, by address`,
  )
  if (route.webSocket || route.socketIo) {
    for (const name of route.socket.messageLimits) {
      const byEvent = config.limits[name]!.by.includes('event')
      const by = byEvent ? `address and event, here ${JSON.stringify(label)}` : 'address'
      lines.push(`limit    ${JSON.stringify(name)} counts this message, by ${by}`)
    }
  }
  return lines
}

function shown(text: string): string {
  return JSON.stringify(text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}...` : text)
}

/** A message must not write to the terminal of whoever tries it. */
function printable(text: string): string {
  return text.replace(
    /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
