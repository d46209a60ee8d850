/** A rule in one line, for people: what it counts by, how much it lets through, what happens beyond. */
import type { LimitConfig } from '../config/shape.ts'

/** `120 per 60 s by address, burst 40, blocks for 300 s`. */
export function ruleText(config: LimitConfig): string {
  const { rate, by, burst, block, penalties, concurrent, tarpit, known, ban } = config
  const blocks = block.filter((ms) => ms > 0)
  const costs = Object.entries(penalties).map(([status, points]) => `${status} costs ${points}`)
  return [
    `${rate.points} per ${seconds(rate.windowMs)} by ${by.join(' and ')}`,
    burst > 0 && `burst ${burst}`,
    config.missing === 'skip' && 'without it not counted',
    config.ipv6Prefix !== undefined && `IPv6 /${config.ipv6Prefix}`,
    blocks.length > 0 && `blocks for ${blocks.map(seconds).join(', then ')}`,
    costs.length > 0 && costs.join(', '),
    concurrent !== undefined && `${concurrent} at once`,
    tarpit !== undefined && `waits ${seconds(tarpit.delay)}`,
    known !== undefined && `known clients for ${seconds(known.for)}`,
    ban !== undefined && `ban for ${seconds(ban.for)} after ${ban.after} refusals in ${seconds(ban.within)}`,
    config.exempt.length > 0 && `exempt ${config.exempt.join(', ')}`,
    config.deny.length > 0 && `denied ${config.deny.join(', ')}`,
    config.dryRun && 'dry run',
  ]
    .filter((part) => part !== false)
    .join('; ')
}

const seconds = (ms: number): string => `${ms / 1000} s`
