/** One line about what a configuration holds. */
import type { Configuration } from './shape.ts'

/** `store`, `fields` and `bans` stand among the limits and are none. */
const LIMIT_SETTINGS = 3

/** `3 listeners, 2 services, 4 routes, 1 set of message rules, 2 limits`. */
export function summaryOf(configuration: Configuration): string {
  const { listeners, services, routes, messages, limits } = configuration
  const count = (amount: number, one: string, many = `${one}s`): string => `${amount} ${amount === 1 ? one : many}`
  return [
    count(Object.values(listeners).filter((each) => each !== undefined).length, 'listener'),
    count(Object.keys(services).length, 'service'),
    count(routes.length, 'route'),
    count(Object.keys(messages).length, 'set of message rules', 'sets of message rules'),
    count(Object.keys(limits).length - LIMIT_SETTINGS, 'limit'),
  ].join(', ')
}
