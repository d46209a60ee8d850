-- The chat scenario for nginx: counts the client in Redis and takes HTML out of the message, as the gateway does.
-- The Redis protocol is spoken here, over nginx's own sockets with their pool of kept connections.
local cjson = require "cjson.safe"

local WINDOW = "local n = redis.call('INCR', KEYS[1]) "
  .. "if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end "
  .. "return {n, redis.call('PTTL', KEYS[1])}"
local POINTS = 100000000
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
local shared = package.loaded
local function count(key)
  local socket = ngx.socket.tcp()
  socket:settimeout(1000)
  if not socket:connect("127.0.0.1", tonumber(ngx.var.redis_port)) then return nil end
  local digest = shared.bench_window_sha
  if not digest then
    socket:send(command("SCRIPT", "LOAD", WINDOW))
    digest = answer(socket)
    shared.bench_window_sha = digest
  end
  socket:send(command("EVALSHA", digest, 1, key, WINDOW_MS))
  local result = answer(socket)
  socket:setkeepalive(60000, 256)
  return result and result[1]
end

local function clean(text)
  if not text:find("<", 1, true) then return text end
  local words = text:gsub("<[sS][cC][rR][iI][pP][tT].-</[sS][cC][rR][iI][pP][tT]%s*>", "")
  words = words:gsub("<[sS][tT][yY][lL][eE].-</[sS][tT][yY][lL][eE]%s*>", "")
  words = words:gsub("<[%a/!?][^>]*>", "")
  if not words:find("<[%a/!?]") then return words end
  return (words:gsub("<", "&lt;"):gsub(">", "&gt;"))
end

local counted = count("bench:" .. ngx.var.remote_addr)
if not counted then return ngx.exit(503) end
if counted > POINTS then return ngx.exit(429) end

ngx.req.read_body()
local body = ngx.req.get_body_data()
if not body or #body > MAX_BYTES then return ngx.exit(413) end
local message = cjson.decode(body)
if type(message) ~= "table" then return ngx.exit(400) end
if type(message.text) == "string" then
  local text = clean(message.text)
  if text ~= message.text then
    message.text = text
    ngx.req.set_body_data(cjson.encode(message))
  end
end
