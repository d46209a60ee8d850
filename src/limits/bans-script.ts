/**
 * The bans in Redis: a hash of subject to `until reason`, and a version that every change moves on. It knows no addresses.
 *
 * Keys: the hash, the version. Arguments: the most bans, what to do, and for `ban` subject, milliseconds and reason of each,
 * for `unban` the subjects, for `page` where to go on ('0': at the beginning). `look` only asks for the version. No call does
 * more than some hundred steps, however many bans there are: Redis does nothing else meanwhile.
 *
 * Answer: the version as it is now, `full`, `first` (a ban where nothing was known) or `ok`, and for `page` Redis's clock in milliseconds, where to go on (`0`: that
 * was all), then subject and value of each ban on the page; those that are over are taken out on the way. The version '0'
 * says that nothing is known: a Redis that was emptied or never had a ban. Versions are times of Redis's clock, so that one that
 * begins anew never meets an old one.
 */
import { RedisScript } from './redis-script.ts'

export const BANS_SCRIPT = new RedisScript(`
local clock = redis.call('time')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local most, act = tonumber(ARGV[1]), ARGV[2]
local version = redis.call('get', KEYS[2]) or '0'
local status, life = 'ok', 0
local function dropped(subject, value)
  if (tonumber(string.match(value, '^%d+')) or 0) > now then return false end
  redis.call('hdel', KEYS[1], subject)
  return true
end
if act == 'page' then
  local page = redis.call('hscan', KEYS[1], ARGV[3], 'COUNT', 200)
  local out = {version, status, tostring(now), page[1]}
  for i = 1, #page[2], 2 do
    if not dropped(page[2][i], page[2][i + 1]) then
      out[#out + 1] = page[2][i]
      out[#out + 1] = page[2][i + 1]
    end
  end
  return out
end
if act == 'ban' then
  if version == '0' then status = 'first' end
  for i = 3, #ARGV, 3 do
    if redis.call('hlen', KEYS[1]) >= most and not redis.call('hget', KEYS[1], ARGV[i]) then
      local some = redis.call('hrandfield', KEYS[1], 100, 'WITHVALUES')
      for k = 1, #some, 2 do dropped(some[k], some[k + 1]) end
      if redis.call('hlen', KEYS[1]) >= most then
        status = 'full'
        break
      end
    end
    redis.call('hset', KEYS[1], ARGV[i], (now + ARGV[i + 1]) .. ' ' .. ARGV[i + 2])
    life = math.max(life, ARGV[i + 1] + 0)
  end
elseif act == 'unban' then
  for i = 3, #ARGV do
    if redis.call('hdel', KEYS[1], ARGV[i]) == 1 then life = 1 end
  end
end
if life > 0 then
  version = tostring(math.max(now, version + 1))
  life = math.max(life, redis.call('pttl', KEYS[1]))
  redis.call('pexpire', KEYS[1], life)
  redis.call('set', KEYS[2], version, 'PX', life + 86400000)
end
return {version, status}
`)
