/**
 * The rule of window.ts as one atomic step in Redis. Handed to RateLimiterRedis as its increment script; it knows
 * nothing of names, policies or clients.
 *
 * The value under a key is an integer: `used` as of the last add, or -1 while the key is blocked. The expiry is the
 * moment at which `used` has drained to 0, so that value and expiry together tell how many windows went by since, and
 * no clock has to be shared. A key never stands without an expiry: one that does (somebody else's hand) counts as fresh.
 *
 * Arguments: points to add (0: only look), seconds (unused), capacity, window in seconds, rate, block in milliseconds.
 * The first four are what RateLimiterRedis sends to every increment script, the last two are ours. Answer: used (over
 * capacity: refused), milliseconds until the window or the block ends.
 */
export const WINDOW_SCRIPT = `
local add = tonumber(ARGV[1])
local capacity = tonumber(ARGV[3])
local window = math.floor(tonumber(ARGV[4]) * 1000 + 0.5)
local rate = tonumber(ARGV[5])
local block = tonumber(ARGV[6])
local used = tonumber(redis.call('get', KEYS[1]) or '0') or 0
local expiry = redis.call('pttl', KEYS[1])
local rest = window
if expiry <= 0 then
  used = 0
elseif used < 0 then
  return {capacity + 1, expiry}
elseif used > 0 then
  local left = math.ceil(expiry / window)
  local passed = math.max(0, math.ceil(used / rate) - left)
  used = math.max(0, used - rate * passed)
  rest = expiry - (left - 1) * window
end
if add == 0 then
  return {used, rest}
end
if used + add > capacity then
  if block > 0 then
    redis.call('set', KEYS[1], -1, 'PX', block)
    return {capacity + 1, block}
  end
  if used < capacity then
    redis.call('set', KEYS[1], capacity, 'PX', rest + (math.ceil(capacity / rate) - 1) * window)
  end
  return {capacity + 1, rest}
end
used = used + add
redis.call('set', KEYS[1], used, 'PX', rest + (math.ceil(used / rate) - 1) * window)
return {used, rest}
`
