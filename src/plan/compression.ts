/** Builds how a route's answers are compressed. It knows no exchange. */
import { answerCoder, type CodingRules } from '../coding/coded-answer.ts'
import { TypeList } from '../coding/compressible.ts'
import { preparedResponder } from '../coding/prepared-answer.ts'
import type { Configuration, RouteConfig } from '../config/shape.ts'
import type { AnswerOutletFactory } from '../exchange/answer-outlet.ts'
import type { Metrics, Responder } from '../exchange/contracts.ts'
import type { HeaderList } from '../http/headers.ts'
import { makeFixed } from '../responders/fixed.ts'

const made = new WeakMap<Configuration, CodingRules>()

/** One for all routes of a configuration. */
function codingRules(config: Configuration): CodingRules {
  let rules = made.get(config)
  if (rules === undefined) {
    const { codings, levels, minSize, types, atOnce } = config.compression
    rules = { order: codings, levels, minBytes: minSize, types: new TypeList(types), maxOpen: atOnce }
    made.set(config, rules)
  }
  return rules
}

/** For what services answer. Null: it passes as it is. */
export function answerOutlets(
  config: Configuration,
  { compression }: RouteConfig,
  metrics: Metrics,
): AnswerOutletFactory | null {
  return compression === 'off' ? null : answerCoder(codingRules(config), compression, metrics)
}

/** For what the gateway itself answers, always the same; `body` null: none. */
export function fixedAnswer(
  config: Configuration,
  { compression }: RouteConfig,
  metrics: Metrics,
  [status, headers, body]: readonly [status: number, headers: HeaderList, body: Buffer | null],
): Responder {
  const plain = makeFixed(status, headers, body)
  if (compression === 'off' || body === null) return plain
  return preparedResponder(status, headers, body, codingRules(config), metrics) ?? plain
}
