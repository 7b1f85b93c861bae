-- One account's health record, read, changed and written back in one step, by Redis' clock. breaking.py says the same in Python, for
-- the time when Redis is away; its docstrings explain the fields. KEYS: the record, the processes that note results.
-- ARGV: the verb, its arguments as JSON. Reply: what was granted, what changed, the record, the time, the number of processes.
local clock = redis.call('TIME')
local asked = cjson.decode(ARGV[2])
local now = asked.now or (tonumber(clock[1]) + tonumber(clock[2]) / 1000000)
local text = redis.call('GET', KEYS[1])
local record = text and cjson.decode(text) or {}
for _, name in ipairs({'state', 'since', 'till', 'turn', 'asked', 'good', 'trips', 'pause', 'cap', 'base', 'cap_at', 'cut_at', 'doubted',
        'reported'}) do
    record[name] = record[name] or 0
end
record.slots = record.slots or {}
record.codes = record.codes or {}

local CALLS, ERRORS, MESSAGES, FIRSTS, RETRIES = 1, 2, 3, 4, 5
local length = (asked.window or 30) / 10
local place = math.floor(now / length)
for name in pairs(record.slots) do
    if tonumber(name) <= place - 10 or tonumber(name) > place + 1 then record.slots[name] = nil end
end

local function add(which, count)
    local name = string.format('%d', place)
    record.slots[name] = record.slots[name] or {0, 0, 0, 0, 0}
    record.slots[name][which] = record.slots[name][which] + count
end

local function sum(which)
    local total = 0
    for _, slot in pairs(record.slots) do total = total + slot[which] end
    return total
end

local function observed()
    local first = place
    for name in pairs(record.slots) do first = math.min(first, tonumber(name)) end
    return sum(MESSAGES) / math.max(1, now - first * length)
end

local function ceiling()
    if record.cap == 0 then return 0 end
    local seconds, knee = math.max(0, now - record.cap_at), 0.5 * record.base
    local doubling = record.cap < knee and 3 * math.log(knee / record.cap) / math.log(2) or 0
    if seconds < doubling then return record.cap * 2 ^ (seconds / 3) end
    local now_at = math.max(record.cap, knee) + 0.05 * record.base * (seconds - doubling)
    return now_at < 4 * record.base and now_at or 0
end

local function open()
    if record.state == 0 then
        record.since = now
        record.base = math.max(1, observed())
    end
    record.state = 1
    record.till = now + math.min(asked.longest, asked.rest * 2 ^ math.min(record.trips, 20))
    record.turn, record.trips, record.good, record.slots = record.till, record.trips + 1, 0, {}
end

local function close()
    record.state, record.since, record.good, record.slots, record.codes = 0, now, 0, {}, {}
    record.base = math.max(record.base, 10)
    record.cap, record.cap_at = math.max(10, 0.25 * record.base), now
end

local function throttle(seconds)
    if now >= math.max(record.cut_at + 1, record.pause) then
        local share, current = seconds >= 5 and 0.1 or 0.5, ceiling()
        if current > 0 then
            record.base = math.max(10, current, record.base / 2)
            record.cap = math.max(1, current * share)
        else
            local seen = observed()
            record.base, record.cap = math.max(50, seen), math.max(5, seen * share)
        end
        record.cut_at = now
    end
    record.pause = math.max(record.pause, now + seconds)
    record.cap_at = math.max(record.cap_at, record.pause)
end

local granted, changed = 0, ''
local verbs = {}

function verbs.note()
    local counts_up = 0
    for _, count in pairs(asked.codes) do counts_up = counts_up + count end
    if counts_up > 0 then
        if now - (record.codes_at or 0) > 600 then record.codes = {} end
        record.codes_at = now
    end
    for code, count in pairs(asked.codes) do record.codes[code] = (record.codes[code] or 0) + count end
    if asked.throttled > 0 then throttle(asked.throttled) end
    if record.state == 0 then
        if record.trips > 0 and now - record.since > 60 then record.trips = 0 end
        add(CALLS, asked.calls)
        add(ERRORS, asked.errors)
        add(MESSAGES, asked.messages)
        add(FIRSTS, asked.firsts)
        local calls, errors = sum(CALLS), sum(ERRORS)
        if errors > 0 and calls >= asked.least and errors >= asked.share * calls then
            open()
            changed = 'opened'
        end
    elseif asked.probe then
        record.turn = math.min(record.turn, record.asked + 1)
        if asked.errors > 0 then
            open()
        elseif asked.calls > 0 then
            record.good = record.good + 1
            if record.good >= asked.probes then
                close()
                changed = 'closed'
            end
        end
    end
    redis.call('ZADD', KEYS[2], now, asked.process)
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 60)
end

function verbs.permit()
    if record.state == 1 and now >= record.till + asked.late and now >= record.turn then
        record.turn, record.asked, granted = now + 15, now, 1
    end
end

function verbs.retry()
    local left = math.floor(asked.retry_rate * asked.window + asked.retry_share * sum(FIRSTS) - sum(RETRIES))
    granted = math.max(0, math.min(asked.wanted, left))
    if granted > 0 then add(RETRIES, granted) end
end

function verbs.set()
    for name, value in pairs(asked.fields) do record[name] = value end
end

verbs[ARGV[1]]()
local kept = cjson.encode(record)
redis.call('SET', KEYS[1], kept, 'PX', 3600000)
return {granted, changed, kept, tostring(now), redis.call('ZCARD', KEYS[2])}
