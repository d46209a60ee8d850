/**
 * The bans in Redis: a hash of subject to `until reason`, and a version that every change moves on. It knows no addresses.
 *
 * Keys: the hash, the version. Arguments: the version that the caller knows, the most bans, what to do (`look`, `ban`,
 * `unban`), then for each ban subject, milliseconds and reason, for each unban the subject.
 *
 * Answer: the version as it is now, `full` or `ok`, and, where the caller's was another one, subject, milliseconds left and
 * reason of each ban. The version '0' says that nothing is known: a Redis that was emptied or never had a ban. Versions are
 * times of Redis's clock, so that one that begins anew never meets an old one.
 */
import { RedisScript } from './redis-script.ts'

export const BANS_SCRIPT = new RedisScript(`
local clock = redis.call('time')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local known, most, act = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local version = redis.call('get', KEYS[2]) or '0'
local status = 'ok'
local changed = false
local function all()
  local fields = redis.call('hgetall', KEYS[1])
  local list, last = {}, 0
  for i = 1, #fields, 2 do
    local till, reason = string.match(fields[i + 1], '^(%d+) (.*)$')
    till = tonumber(till) or 0
    if till <= now then
      redis.call('hdel', KEYS[1], fields[i])
    else
      list[#list + 1] = fields[i]
      list[#list + 1] = tostring(till - now)
      list[#list + 1] = reason
      last = math.max(last, till)
    end
  end
  return list, last
end
if act == 'ban' then
  for i = 4, #ARGV, 3 do
    local size = redis.call('hlen', KEYS[1])
    if size >= most then
      all()
      size = redis.call('hlen', KEYS[1])
    end
    if size >= most and not redis.call('hget', KEYS[1], ARGV[i]) then
      status = 'full'
      break
    end
    redis.call('hset', KEYS[1], ARGV[i], (now + tonumber(ARGV[i + 1])) .. ' ' .. ARGV[i + 2])
    changed = true
  end
elseif act == 'unban' then
  for i = 4, #ARGV do
    if redis.call('hdel', KEYS[1], ARGV[i]) == 1 then changed = true end
  end
end
if not changed and version == known then return {version, status} end
local list, last = all()
if changed then
  version = tostring(math.max(now, tonumber(version) + 1))
  local life = math.max(1, last - now)
  if #list > 0 then redis.call('pexpire', KEYS[1], life) end
  redis.call('set', KEYS[2], version, 'PX', life + 86400000)
end
table.insert(list, 1, version)
table.insert(list, 2, status)
return list
`)
