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
 * Behind a claim may stand one with `k` and one with `o`: where the claim is refused and the key of `k` has a count, `o` is asked in
 * place of the claim, which is left as it was; else `o` is left.
 *
 * Answer: one text of two numbers per claim with spaces between them, `used` (over capacity: refused; -1: the key is of another
 * kind) and milliseconds until the window or the block ends. A list of numbers would be read one by one, each as an answer of its own.
 */
import { RedisScript } from './redis-script.ts'
import type { WindowRule } from './window.ts'

/** A rule as the script reads it: rate, capacity, window, dry, quiet, blocks. */
export function ruleText(rule: WindowRule): string {
  const { rate, capacity, windowMs, isDry, quietMs, blocks } = rule
  return [rate, capacity, windowMs, isDry ? 1 : 0, quietMs, ...blocks].join(' ')
}

export const WINDOW_SCRIPT = new RedisScript(`
local call, match, gmatch, floor, ceil, max, min = redis.call, string.match, string.gmatch, math.floor, math.ceil, math.max, math.min
local clock = call('time')
local now = clock[1] * 1000 + floor(clock[2] / 1000)
local rates, capacities, windows, dries, quiets, blocks = {}, {}, {}, {}, {}, {}
for i = 2, #ARGV do
  local rate, capacity, window, dry, quiet, rest = match(ARGV[i], '^(%d+) (%d+) (%d+) (%d) (%d+)(.*)$')
  rates[i - 1], capacities[i - 1], windows[i - 1] = rate + 0, capacity + 0, window + 0
  dries[i - 1], quiets[i - 1] = dry == '1', quiet + 0
  if rest ~= '' then
    local list = {}
    for block in gmatch(rest, '%d+') do list[#list + 1] = block + 0 end
    blocks[i - 1] = list
  end
end
-- One claim each, by the place of its key: its rule, points and what its value says as of now.
local rule, points, mark, used, ends, till, strikes, over, left = {}, {}, {}, {}, {}, {}, {}, {}, {}
local function write(k)
  local r, u, life = rule[k], used[k], 0
  local value = u .. ' ' .. ends[k]
  if u > 0 then life = ends[k] - now + (ceil(u / rates[r]) - 1) * windows[r] end
  if strikes[k] > 0 or till[k] > now then
    value = value .. ' ' .. till[k] .. ' ' .. strikes[k]
    life = max(life, till[k] - now + (strikes[k] > 0 and quiets[r] or 0))
  end
  call('set', KEYS[k], value, 'PX', max(1, life))
end
local out = {}
local k, first = 0, 1
for index, operation, letter, last in gmatch(ARGV[1], '(%d+),(-?%d+)([xko]?)(;?)') do
  k = k + 1
  local r, p = index + 0, operation + 0
  local value = redis.pcall('get', KEYS[k])
  local u, e, b, s = 0, now + windows[r], 0, 0
  local state = 0
  if value then
    if type(value) == 'table' then
      state = 2
    else
      local us, es, more = match(value, '^(%d+) (%d+)(.*)$')
      if us then
        if more ~= '' then
          b, s = match(more, '^ (%d+) (%d+)$')
          b, s = (b or 0) + 0, (s or 0) + 0
          if s > 0 and now >= b + quiets[r] then b, s = 0, 0 end
        end
        u = us + 0
        if u > 0 then
          es = es + 0
          if es <= now then
            local passed = floor((now - es) / windows[r]) + 1
            u = max(0, u - passed * rates[r])
            es = es + passed * windows[r]
          end
          if u > 0 then e = min(es, e) end
        end
      end
    end
  end
  rule[k], points[k], mark[k], used[k], ends[k], till[k], strikes[k] = r, p, letter, u, e, b, s
  if state == 0 and (b > now or (p > 0 and u + p > capacities[r])) then state = 1 end
  over[k] = state
  if last == ';' or k == #KEYS then
    local refused = false
    for i = first, k do
      if mark[i] == 'k' then left[over[i - 1] == 1 and over[i] == 0 and used[i] > 0 and i - 1 or i + 1] = true end
    end
    for i = first, k do
      local r = rule[i]
      if not left[i] and over[i] < 2 and not dries[r] and (over[i] == 1 or used[i] + max(1, points[i]) > capacities[r]) then refused = true end
    end
    for i = first, k do
      local r, p = rule[i], points[i]
      local u = used[i]
      if over[i] == 2 then
        u = -1
      elseif left[i] then
        if over[i] == 1 then u = capacities[r] + 1 end
      elseif mark[i] == 'x' then
        call('del', KEYS[i])
      elseif p < 0 then
        used[i], till[i] = 0, now - p
        u = capacities[r] + 1
        write(i)
      elseif over[i] == 1 then
        u = capacities[r] + 1
        if till[i] <= now then
          local list = blocks[r]
          if list then
            strikes[i] = strikes[i] + 1
            till[i] = now + list[min(strikes[i], #list)]
            used[i] = 0
            write(i)
          elseif used[i] < capacities[r] then
            used[i] = capacities[r]
            write(i)
          end
        end
      elseif p > 0 and not refused then
        u = u + p
        used[i] = u
        write(i)
      end
      out[2 * i - 1] = u
      out[2 * i] = u < 0 and 0 or (till[i] > now and till[i] or ends[i]) - now
    end
    first = k + 1
  end
end
return table.concat(out, ' ')
`)
