/** Builds what a route does to the fields of its service's answers. It knows no exchange. */
import type { Configuration, RouteConfig } from '../config/shape.ts'
import type { Metrics } from '../exchange/contracts.ts'
import { makeTranslation } from '../http/path-pattern.ts'
import { AnswerCare } from '../upstream/answer-care.ts'
import type { Service } from '../upstream/service.ts'

/** One for equal settings of one service: ten thousand routes share a handful. */
const made = new WeakMap<Configuration, Map<string, AnswerCare>>()

export function answerCare(
  config: Configuration,
  { name, config: { endpoints } }: Service,
  { path, rewrite = path, cookies, internalIn }: RouteConfig,
  metrics: Metrics,
): AnswerCare {
  const known = made.get(config) ?? new Map<string, AnswerCare>()
  made.set(config, known)
  const key = JSON.stringify([name, rewrite === path ? '' : [rewrite, path], cookies, internalIn])
  let care = known.get(key)
  if (care === undefined) {
    const urls = endpoints.map(({ url }) => new URL(url)).filter(({ host }) => host !== '')
    const rules = {
      authorities: new Set(urls.map(({ host }) => host)),
      names: [...config.internalNames, ...urls.map(({ hostname }) => hostname)],
      mayCarry: new Set(internalIn),
      publicPath: rewrite === path ? null : makeTranslation(rewrite, path),
      cookies,
    }
    care = new AnswerCare(rules, metrics)
    known.set(key, care)
  }
  return care
}
