/**
 * The atomic steps of shared state, as Lua that runs inside Redis.
 *
 * Takes and corrections do what `state-windows.ts` does, with the same whole numbers; the suite runs both against one model. Time is
 * Redis's own, so that instances with different clocks agree on where a window ends; an argument other than 0 stands in for it in tests. Every key
 * that is written gets an end. Numbers are written with %.0f: Lua's own spelling loses digits above 10^14.
 *
 * A fixed window is kept as `used:end`, a bucket as `level:at:scale:end` (level in units of `state-bucket.ts`).
 */

const clock = `
local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
`

const windows = `
local never = 3155760000000
local held = {}

local function millisecondsTo(wanted, level, rate)
  if level >= wanted then return 0 end
  if rate == 0 then return never end
  return math.min(never, math.ceil((wanted - level) / rate))
end

local function fixed(key, length)
  local w = held[key]
  if w then return w end
  local used, ends = string.match(redis.call('GET', key) or '', '^(%d+):(%d+)$')
  w = { n = tonumber(used), ends = tonumber(ends) }
  if not w.ends or w.ends <= now or w.ends - now > 2 * length then w = { n = 0, ends = now - now % length + length } end
  held[key] = w
  return w
end

local function bucket(key, scale, rate, full)
  local b = held[key]
  if not b then
    local level, at, was, ends = string.match(redis.call('GET', key) or '', '^(%-?%d+):(%d+):(%d+):(%d+)$')
    b = { n = tonumber(level), at = tonumber(at), scale = tonumber(was) }
    if not ends or tonumber(ends) <= now then b = { n = full, at = now, scale = scale } end
    held[key] = b
  end
  if b.scale ~= scale then
    b.n = math.floor(b.n / b.scale) * scale
    b.scale = scale
  end
  if b.at - now > millisecondsTo(full, 0, rate) then b.at = now end
  local elapsed = now - b.at
  if elapsed <= 0 or b.n >= full then b.n = math.min(b.n, full)
  elseif elapsed >= millisecondsTo(full, b.n, rate) then b.n = full
  else b.n = b.n + elapsed * rate end
  b.at = math.max(b.at, now)
  return b
end

local function keep(key, value, ends)
  if ends <= now then redis.call('DEL', key)
  else redis.call('SET', key, value, 'PXAT', string.format('%.0f', ends)) end
end
local function keepFixed(key, w)
  keep(key, string.format('%.0f:%.0f', w.n, w.ends), w.ends)
end
local function keepBucket(key, b, rate, full)
  local ends = now + millisecondsTo(full, b.n, rate)
  keep(key, string.format('%.0f:%.0f:%.0f:%.0f', b.n, b.at, b.scale, ends), ends)
end
`

/** ARGV: time, then for each key scale (0 = fixed window), cost, limit or rate, length or full. Gives taken, then remaining, end and wait of each. */
const take = `${clock}${windows}
local short, enough = {}, true
local function arguments(i)
  return tonumber(ARGV[i * 4 - 2]), tonumber(ARGV[i * 4 - 1]), tonumber(ARGV[i * 4]), tonumber(ARGV[i * 4 + 1])
end
for i, key in ipairs(KEYS) do
  local scale, cost, limit, length = arguments(i)
  local ok
  if scale == 0 then
    local w = fixed(key, length)
    ok = w.n + cost <= limit
    if ok then w.n = w.n + cost end
  else
    local b = bucket(key, scale, limit, length)
    ok = cost <= b.n
    if ok then b.n = b.n - cost end
  end
  if not ok then short[i], enough = true, false end
end
if not enough then
  for i, key in ipairs(KEYS) do
    local scale, cost = arguments(i)
    if not short[i] then
      if scale == 0 then held[key].n = held[key].n - cost else held[key].n = held[key].n + cost end
    end
  end
end
local result = { enough and 1 or 0 }
for i, key in ipairs(KEYS) do
  local scale, cost, limit, length = arguments(i)
  local w = held[key]
  if scale == 0 then
    if enough then keepFixed(key, w) end
    table.insert(result, math.max(0, limit - w.n))
    table.insert(result, w.ends)
    table.insert(result, 0)
  else
    if enough then keepBucket(key, w, limit, length) end
    table.insert(result, math.max(0, math.floor(w.n / scale)))
    table.insert(result, now + millisecondsTo(length, w.n, limit))
    table.insert(result, short[i] and math.max(1, millisecondsTo(cost, w.n, limit)) or 0)
  end
end
return result
`

/** ARGV: time, then for each key scale (0 = fixed window), change, end of the take, rate, length or full. */
const give = `${clock}${windows}
for i, key in ipairs(KEYS) do
  local scale, change, at = tonumber(ARGV[i * 5 - 3]), tonumber(ARGV[i * 5 - 2]), tonumber(ARGV[i * 5 - 1])
  local rate, length = tonumber(ARGV[i * 5]), tonumber(ARGV[i * 5 + 1])
  if at > now then
    if scale ~= 0 then
      local b = bucket(key, scale, rate, length)
      b.n = math.max(-2251799813685248, math.min(length, b.n + change))
      keepBucket(key, b, rate, length)
    elseif at == now - now % length + length then
      local w = fixed(key, length)
      w.n = math.min(4503599627370495, math.max(0, w.n - change))
      keepFixed(key, w)
    end
  end
end
return 1
`

/** ARGV: amount, ttl. Gives the new value, or nothing when the key holds no counter or the sum is too large to be exact. */
const add = `
local before = redis.call('GET', KEYS[1])
if before and not string.match(before, '^%-?%d+$') then return false end
if math.abs(tonumber(before or 0) + tonumber(ARGV[1])) > 9007199254740991 then return false end
local after = redis.call('INCRBY', KEYS[1], ARGV[1])
if not before then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return after
`

/** ARGV: token, ttl. Gives 1 while the lock is still this holder's. */
const renew = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`

/** ARGV: token. */
const release = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`

/** For `defineCommand`; those without `numberOfKeys` take it as their first argument. */
export const scripts = {
  headgateTake: { lua: take },
  headgateGive: { lua: give },
  headgateAdd: { lua: add, numberOfKeys: 1 },
  headgateRenew: { lua: renew, numberOfKeys: 1 },
  headgateRelease: { lua: release, numberOfKeys: 1 },
} as const

type Argument = string | number

/** What `defineCommand` adds to a client for {@link scripts}. */
export interface ScriptCommands {
  headgateTake(keys: number, ...args: Argument[]): Promise<number[]>
  headgateGive(keys: number, ...args: Argument[]): Promise<number>
  headgateAdd(key: string, amount: number, ttl: number): Promise<number | null>
  headgateRenew(key: string, token: string, ttl: number): Promise<number>
  headgateRelease(key: string, token: string): Promise<number>
}
