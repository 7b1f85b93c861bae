-- Reserves a place under every cap for each unit of a batch, or none for it. Times are this server's, in milliseconds.
-- KEYS[1]: since when is counted here, "<run id>:<since>". The counters' names come in ARGV, for there are thousands of them.
-- ARGV[1], JSON: recount: count from now on, whatever is here
--   shapes: [window or 0, where the period begins when it is none, limit, time to live]
--   names: of counters, what one recipient got under one cap, member -> when; keys: the place of its shape for each
--   units: [member, 1 when it is never refused, places of its keys...]
--   known: {"place of a key": [[member, when]...]}, what the ledger says of the time before; told: the `since` it was read after
-- Answer: since, then for each unit 0 (reserved), n (its nth key is full), -1 (what was before is not known)
local asked = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local there = redis.call('GET', KEYS[1])
local since = there and tonumber(string.match(there, '^' .. run .. ':(%d+)$'))
if asked.recount or not since then
    since = now
    redis.call('SET', KEYS[1], string.format('%s:%.0f', run, since))
end

local states = {}
local function look(place)
    if states[place] then return states[place] end
    local window, begins, limit, keeps = unpack(asked.shapes[asked.keys[place]])
    if window > 0 then begins = now - window end
    local key = asked.names[place]
    local state = {key = key, limit = limit, size = redis.call('ZCARD', key), keeps = keeps, is_rolling = window > 0}
    -- what is past is of no interest before the counter looks full
    if window > 0 and state.size >= limit then
        state.size = state.size - redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('(%.0f', begins))
    end
    state.is_whole = begins > since
    if not state.is_whole then
        local mark = tonumber(redis.call('ZSCORE', key, '@') or nil)
        if mark then state.size = state.size - 1 end
        -- what was read before this counting began may lack what was lost since
        local known = asked.told == since and asked.known[tostring(place)]
        if mark == since then
            state.is_whole = true
        elseif known then
            for _, one in ipairs(known) do
                if one[2] >= begins then
                    state.size = state.size + redis.call('ZADD', key, 'NX', string.format('%.0f', one[2]), one[1])
                end
            end
            redis.call('ZADD', key, string.format('%.0f', since), '@')
            redis.call('PEXPIRE', key, keeps)
            state.is_whole = true
        end
    end
    states[place] = state
    return state
end

local moment = string.format('%.0f', now)
local answer = {string.format('%.0f', since)}
for number, unit in ipairs(asked.units) do
    local member, is_forced, verdict = unit[1], unit[2] == 1, 0
    for nth = 3, #unit do
        local state = look(unit[nth])
        if not is_forced then
            if not state.is_whole then
                verdict = -1
                break
            end
            if state.size >= state.limit and not redis.call('ZSCORE', state.key, member) then
                verdict = nth - 2
                break
            end
        end
    end
    if verdict == 0 then
        for nth = 3, #unit do
            local state = look(unit[nth])
            local is_new = state.size == 0
            state.size = state.size + redis.call('ZADD', state.key, moment, member)
            if is_new or state.is_rolling then redis.call('PEXPIRE', state.key, state.keeps) end
        end
    end
    answer[number + 1] = verdict
end
return answer
