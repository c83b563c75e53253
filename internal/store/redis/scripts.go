package redis

import goredis "github.com/redis/go-redis/v9"

// Every script gets the same keys, those of one kind: the sorted sets of all
// keys, of due times and of expiries, the last version, and the channel's name.
// Its first arguments are the prefix of the records and the time in
// milliseconds. Numbers travel as text: Lua's are exact up to 2^53, which
// microseconds do not reach before the year 2255.
const prelude = `
local all, due, expires, last, changed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix, now = ARGV[1], tonumber(ARGV[2])

-- live is version, due, expires, bytes, claim and writer of a record; nil: none.
local function live(key)
	local r = redis.call('HMGET', prefix .. key, 'v', 'd', 'e', 'b', 'c', 't')
	if not r[1] or (r[3] ~= '0' and tonumber(r[3]) <= now) then return nil end
	return r
end

-- index keeps a key in a sorted set under a time; '0' is none.
local function index(set, key, time)
	if time == '0' then redis.call('ZREM', set, key) else redis.call('ZADD', set, time, key) end
end

-- useNoMore makes the first write of a script one that frees memory: a server that
-- has no more (maxmemory, noeviction) lets the script then go on ("Eval", Script in
-- low memory conditions). What is under way continues so when the server is full.
local function useNoMore(key) redis.call('ZREM', due, key) end

local function forget(key)
	redis.call('DEL', prefix .. key)
	redis.call('ZREM', all, key)
	redis.call('ZREM', due, key)
	redis.call('ZREM', expires, key)
end

-- purge removes what has expired, a few at a time.
local function purge(limit)
	for _, key in ipairs(redis.call('ZRANGEBYSCORE', expires, '-inf', now, 'LIMIT', 0, limit)) do
		forget(key)
	end
end

local function nextVersion()
	local time = redis.call('TIME')
	local version = math.max(time[1] * 1000000 + time[2], (tonumber(redis.call('GET', last)) or 0) + 1)
	version = string.format('%.0f', version)
	redis.call('SET', last, version)
	return version
end
`

// putScript answers the new version, or nothing for a conflict. Its arguments:
// key, version, due, expires, bytes, claim, writer, whether a full server is to
// take it.
var putScript = goredis.NewScript(prelude + `
local key, version, dueAt, expiresAt, bytes = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local claimedUntil, writer, always = ARGV[8], ARGV[9], ARGV[10]
local old = live(key)
if old and old[6] == writer then return old[1] end -- the answer got lost, not the write
if (old and old[1] or '0') ~= version then return false end
if always == '1' then useNoMore(key) end
purge(4)
version = nextVersion()
redis.call('HSET', prefix .. key, 'v', version, 'd', dueAt, 'e', expiresAt, 'b', bytes, 't', writer)
if claimedUntil == '0' then
	redis.call('HDEL', prefix .. key, 'c')
else
	redis.call('HSET', prefix .. key, 'c', claimedUntil)
	dueAt = claimedUntil
end
if expiresAt == '0' then
	redis.call('PERSIST', prefix .. key)
else
	redis.call('PEXPIREAT', prefix .. key, expiresAt)
end
redis.call('ZADD', all, 0, key)
index(due, key, dueAt)
index(expires, key, expiresAt)
redis.call('PUBLISH', changed, key)
return version
`)

// deleteScript answers whether the record was there and had the version. Its
// arguments: key, version.
var deleteScript = goredis.NewScript(prelude + `
local key, version = ARGV[3], ARGV[4]
local old = live(key)
if not old then return 'missing' end
if old[1] ~= version then return 'conflict' end
forget(key)
redis.call('PUBLISH', changed, key)
return 'deleted'
`)

// claimScript answers key, version, due, expires, bytes and claim of each record.
// Its arguments: until when to claim, limit, claimer.
var claimScript = goredis.NewScript(prelude + `
local claimedUntil, limit, claimer = ARGV[3], tonumber(ARGV[4]), ARGV[5]
local claimed = {}
-- the answer got lost, not the claim
for _, key in ipairs(redis.call('ZRANGEBYSCORE', due, claimedUntil, claimedUntil)) do
	local r = live(key)
	if r and r[6] == claimer then claimed[#claimed + 1] = {key, r[1], r[2], r[3], r[4], r[5]} end
end
if #claimed > 0 then return claimed end
while #claimed < limit do
	local keys = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, limit - #claimed)
	if #keys == 0 then break end
	for _, key in ipairs(keys) do
		local r = live(key)
		if not r then
			forget(key)
		else
			useNoMore(key)
			local version = nextVersion()
			redis.call('HSET', prefix .. key, 'v', version, 'c', claimedUntil, 't', claimer)
			redis.call('ZADD', due, claimedUntil, key)
			redis.call('PUBLISH', changed, key)
			claimed[#claimed + 1] = {key, version, r[2], r[3], r[4], claimedUntil}
		end
	end
end
return claimed
`)

// nextDueScript answers the earliest time in the index, or 0.
var nextDueScript = goredis.NewScript(prelude + `
while true do
	local first = redis.call('ZRANGEBYSCORE', due, '-inf', '+inf', 'LIMIT', 0, 1)
	if #first == 0 then return '0' end
	local r = live(first[1])
	if r then return r[5] or r[2] end
	forget(first[1])
end
`)

// listScript answers like claimScript. Its arguments: after, limit.
var listScript = goredis.NewScript(prelude + `
local after, limit = ARGV[3], tonumber(ARGV[4])
local listed = {}
while #listed < limit do
	local from = after == '' and '-' or '(' .. after
	local keys = redis.call('ZRANGEBYLEX', all, from, '+', 'LIMIT', 0, limit - #listed)
	if #keys == 0 then break end
	for _, key in ipairs(keys) do
		local r = live(key)
		if not r then
			forget(key)
		else
			listed[#listed + 1] = {key, r[1], r[2], r[3], r[4], r[5]}
		end
		after = key
	end
end
return listed
`)
