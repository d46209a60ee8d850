/**
 * The rule of window.ts for many claims, as one atomic step in Redis. It knows nothing of names, policies or clients.
 *
 * A value is text: `used endsAt` and, where blocks were given, `blockedUntil strikes` behind it. `used` is as of the last
 * add, `endsAt` the end of its window, times are Redis's own clock in milliseconds: the clocks of gateways do not matter.
 * A window that ends further ahead than it could (the clock was set back) is cut to what it may be. Every key expires when
 * nothing of it is left to know. A text that is not ours counts as fresh.
 *
 * Keys: one per claim. First argument: the asks, `;` between them, each a list of `rule,points` with `/` between them; then
 * the rules as `ruleText` writes them. Points: more than 0 are added, 0 looks, less than 0 blocks for so many milliseconds,
 * and an `x` behind them forgets the key. The claims of an ask are counted together or, where one is refused that is not dry, not at all.
 *
 * Answer: two numbers per claim, `used` (over capacity: refused; -1: the key is of another kind) and milliseconds until
 * the window or the block ends.
 */
import { RedisScript } from './redis-script.ts'
import type { WindowRule } from './window.ts'

/** A rule as the script reads it: rate, capacity, window, dry, quiet, blocks. */
export function ruleText(rule: WindowRule): string {
  const { rate, capacity, windowMs, isDry, quietMs, blocks } = rule
  return [rate, capacity, windowMs, isDry ? 1 : 0, quietMs, ...blocks].join(' ')
}

export const WINDOW_SCRIPT = new RedisScript(`
local clock = redis.call('time')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local rules = {}
local function ruleOf(index)
  local rule = rules[index]
  if rule then return rule end
  local rate, capacity, window, dry, quiet, blocks = string.match(ARGV[index + 1], '^(%d+) (%d+) (%d+) (%d) (%d+)(.*)$')
  rule = {rate = tonumber(rate), capacity = tonumber(capacity), window = tonumber(window), dry = dry == '1',
    quiet = tonumber(quiet), blocks = {}}
  for block in string.gmatch(blocks, '%d+') do rule.blocks[#rule.blocks + 1] = tonumber(block) end
  rules[index] = rule
  return rule
end
local function read(key, rule)
  local entry = {key = key, rule = rule, used = 0, ends = now + rule.window, till = 0, strikes = 0, broken = false}
  local value = redis.pcall('get', key)
  if type(value) == 'table' then
    entry.broken = true
    return entry
  end
  if not value then return entry end
  local used, ends, till, strikes = string.match(value, '^(%d+) (%d+) ?(%d*) ?(%d*)$')
  if not used then return entry end
  used, ends = tonumber(used), tonumber(ends)
  entry.till, entry.strikes = tonumber(till) or 0, tonumber(strikes) or 0
  if entry.strikes > 0 and now >= entry.till + rule.quiet then entry.till, entry.strikes = 0, 0 end
  if used == 0 then return entry end
  if ends <= now then
    local passed = math.floor((now - ends) / rule.window) + 1
    used = used - passed * rule.rate
    if used <= 0 then return entry end
    ends = ends + passed * rule.window
  end
  entry.used, entry.ends = used, math.min(ends, now + rule.window)
  return entry
end
local function write(entry)
  local life = 0
  if entry.used > 0 then
    life = entry.ends - now + (math.ceil(entry.used / entry.rule.rate) - 1) * entry.rule.window
  end
  local value = entry.used .. ' ' .. entry.ends
  if entry.strikes > 0 or entry.till > now then
    value = value .. ' ' .. entry.till .. ' ' .. entry.strikes
    life = math.max(life, entry.till - now + (entry.strikes > 0 and entry.rule.quiet or 0))
  end
  redis.call('set', entry.key, value, 'PX', math.max(1, life))
end
local out = {}
local k = 0
for ask in string.gmatch(ARGV[1], '[^;]+') do
  local entries = {}
  local refused = false
  for index, points, gone in string.gmatch(ask, '(%d+),(-?%d+)(x?)') do
    k = k + 1
    local rule = ruleOf(tonumber(index))
    local entry = read(KEYS[k], rule)
    entry.points = tonumber(points)
    entry.gone = gone == 'x'
    local blocked = entry.till > now
    entry.over = blocked or (entry.points > 0 and entry.used + entry.points > rule.capacity)
    local stops = blocked or entry.used + math.max(1, entry.points) > rule.capacity
    if stops and not rule.dry and not entry.broken then refused = true end
    entries[#entries + 1] = entry
  end
  for _, entry in ipairs(entries) do
    local rule = entry.rule
    local points = entry.points
    if entry.broken then
      out[#out + 1] = -1
      out[#out + 1] = 0
    else
      if entry.gone then
        redis.call('del', entry.key)
      elseif points < 0 then
        entry.used, entry.till = 0, now - points
        entry.over = true
        write(entry)
      elseif entry.over then
        if entry.till <= now then
          if #rule.blocks > 0 then
            entry.strikes = entry.strikes + 1
            entry.till = now + rule.blocks[math.min(entry.strikes, #rule.blocks)]
            entry.used = 0
            write(entry)
          elseif entry.used < rule.capacity then
            entry.used = rule.capacity
            write(entry)
          end
        end
      elseif points > 0 and not refused then
        entry.used = entry.used + points
        write(entry)
      end
      out[#out + 1] = entry.over and rule.capacity + 1 or entry.used
      out[#out + 1] = (entry.till > now and entry.till or entry.ends) - now
    end
  end
end
return out
`)
