/**
 * One step over a shared value in Redis. Key: its place. Arguments: `get`; `put`, value, milliseconds; or `swap`, what must
 * stand there (`=` and the value, or `-` for nothing), what to write (the same way), milliseconds.
 *
 * Answer: for `get` the value or nothing, else 1 where it was written and 0 where something else stands there.
 */
import { RedisScript } from './redis-script.ts'

export const VALUES_SCRIPT = new RedisScript(`
local act = ARGV[1]
if act == 'get' then return redis.call('get', KEYS[1]) end
if act == 'put' then
  redis.call('set', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
local now = redis.call('get', KEYS[1])
if (now and '=' .. now or '-') ~= ARGV[2] then return 0 end
if ARGV[3] == '-' then
  redis.call('del', KEYS[1])
else
  redis.call('set', KEYS[1], string.sub(ARGV[3], 2), 'PX', ARGV[4])
end
return 1
`)
