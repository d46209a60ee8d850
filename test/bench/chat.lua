-- The chat scenario for nginx: counts the client in Redis and takes HTML out of the message, as the gateway does. With `whole`
-- also what else the gateway does there by default, and nginx only by a script: payment cards, RateLimit fields, metrics.
-- The Redis protocol is spoken here, over nginx's own sockets with their pool of kept connections.
local cjson = require "cjson.safe"

local WINDOW = "local n = redis.call('INCR', KEYS[1]) "
  .. "if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end "
  .. "return {n, redis.call('PTTL', KEYS[1])}"
local POINTS = 100000000
local POLICY = '"clients";q=100000000;w=60'
local WINDOW_MS = "60000"
local MAX_BYTES = 16384

local function command(...)
  local parts = { "*" .. select("#", ...) .. "\r\n" }
  for i = 1, select("#", ...) do
    local word = tostring(select(i, ...))
    parts[#parts + 1] = "$" .. #word .. "\r\n" .. word .. "\r\n"
  end
  return table.concat(parts)
end

local function answer(socket)
  local line, failure = socket:receive()
  if not line then return nil, failure end
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == ":" then return tonumber(rest) end
  if kind == "+" then return rest end
  if kind == "-" then return nil, rest end
  if kind == "$" then
    local bytes = socket:receive(tonumber(rest) + 2)
    return bytes and bytes:sub(1, -3)
  end
  local list = {}
  for i = 1, tonumber(rest) do list[i] = answer(socket) end
  return list
end

-- The script's digest, kept for the life of the worker.
local digest
local function count(key)
  local socket = ngx.socket.tcp()
  socket:settimeout(1000)
  if not socket:connect("127.0.0.1", tonumber(ngx.var.redis_port)) then return nil end
  if not digest then
    socket:send(command("SCRIPT", "LOAD", WINDOW))
    digest = answer(socket)
  end
  socket:send(command("EVALSHA", digest, 1, key, WINDOW_MS))
  local result = answer(socket)
  socket:setkeepalive(60000, 256)
  if not result then return nil end
  return result[1], result[2]
end

local function clean(text)
  if not text:find("<", 1, true) then return text end
  local words = text:gsub("<[sS][cC][rR][iI][pP][tT].-</[sS][cC][rR][iI][pP][tT]%s*>", "")
  words = words:gsub("<[sS][tT][yY][lL][eE].-</[sS][tT][yY][lL][eE]%s*>", "")
  words = words:gsub("<[%a/!?][^>]*>", "")
  if not words:find("<[%a/!?]") then return words end
  return (words:gsub("<", "&lt;"):gsub(">", "&gt;"))
end

local function is_card(digits)
  local sum, double = 0, false
  for i = #digits, 1, -1 do
    local n = digits:byte(i) - 48
    if double then
      n = n * 2
      if n > 9 then n = n - 9 end
    end
    sum, double = sum + n, not double
  end
  return sum % 10 == 0
end

local function mask(group)
  local digits = group:gsub("%D", "")
  if #digits < 13 or #digits > 19 or not is_card(digits) then return nil end
  return "[card ending in " .. digits:sub(-4) .. "]"
end

local function hide_cards(text)
  if not text:find("%d[%d -][%d -][%d -]") then return text end
  return (text:gsub("%d[%d -]+%d", mask))
end

local Chat = {}

function Chat.access(whole)
  local counted, ends_ms = count("bench:" .. ngx.var.remote_addr)
  if not counted then return ngx.exit(503) end
  if whole then
    local reset = math.ceil(ends_ms / 1000)
    ngx.header["RateLimit-Policy"] = POLICY
    ngx.header["RateLimit"] = '"clients";r=' .. POINTS - counted .. ";t=" .. reset
    if counted > POINTS then ngx.header["Retry-After"] = reset end
  end
  if counted > POINTS then return ngx.exit(429) end

  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  if not body or #body > MAX_BYTES then return ngx.exit(413) end
  local message = cjson.decode(body)
  if type(message) ~= "table" then return ngx.exit(400) end
  if type(message.text) ~= "string" then return end
  local text = clean(message.text)
  if whole then text = hide_cards(text) end
  local is_changed = text ~= message.text
  if is_changed then
    message.text = text
    ngx.req.set_body_data(cjson.encode(message))
  end
  if whole then Chat.inspected(is_changed and "changed" or "same") end
end

-- Metrics as the gateway has them, of this one route: requests by protocol and status, two histograms, bytes, outcomes. They are kept in tables of
-- the worker and brought to the memory that workers share once a second, as the usual library for Prometheus does it.
local BOUNDS = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 }
local requests, outcomes, bytes = {}, {}, { ["in"] = 0, out = 0 }
local durations, waits = { sum = 0 }, { sum = 0 }

local function add(table_of, key, amount)
  table_of[key] = (table_of[key] or 0) + amount
end

local function observe(histogram, seconds)
  local bucket = #BOUNDS + 1
  for i = 1, #BOUNDS do
    if seconds <= BOUNDS[i] then
      bucket = i
      break
    end
  end
  add(histogram, bucket, 1)
  histogram.sum = histogram.sum + seconds
end

function Chat.inspected(outcome)
  add(outcomes, outcome, 1)
end

function Chat.log()
  local var = ngx.var
  local of_protocol = requests[var.server_protocol]
  if not of_protocol then
    of_protocol = {}
    requests[var.server_protocol] = of_protocol
  end
  add(of_protocol, ngx.status, 1)
  observe(durations, ngx.now() - ngx.req.start_time())
  local wait = tonumber(var.upstream_header_time)
  if wait then observe(waits, wait) end
  bytes["in"] = bytes["in"] + (tonumber(var.content_length) or 0)
  bytes.out = bytes.out + (tonumber(var.body_bytes_sent) or 0)
end

local function bring(name, counted)
  local shared = ngx.shared.metrics
  for key, amount in pairs(counted) do
    if amount ~= 0 then shared:incr(name .. "," .. key, amount, 0) end
    counted[key] = 0
  end
end

local function bring_all()
  for protocol, of_protocol in pairs(requests) do bring("requests," .. protocol, of_protocol) end
  bring("outcomes", outcomes)
  bring("bytes", bytes)
  bring("duration", durations)
  bring("wait", waits)
end

function Chat.start()
  ngx.timer.every(1, bring_all)
end

function Chat.page()
  bring_all()
  local shared = ngx.shared.metrics
  for _, key in ipairs(shared:get_keys(0)) do ngx.say(key, " ", shared:get(key)) end
end

return Chat
