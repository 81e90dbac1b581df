-- One load: wrk -s load.lua URL -- BODIES [DELAY_MS]
-- BODIES holds one form body a line, shuffled by whoever wrote it; requests are made ready once and taken in turn,
-- so that the generator spends as little as it can of the cores it shares with what it measures.
-- With DELAY_MS each connection rests after an answer, half to one and a half times as long.
local requests, turn = {}, 0
local rest = 0
failed = 0 -- global: read by done() from each thread

local threads = {}
function setup(thread) threads[#threads + 1] = thread end

function init(args)
    local headers = { ["Content-Type"] = "application/x-www-form-urlencoded", ["Accept-Encoding"] = "gzip" }
    for body in io.lines(args[1]) do requests[#requests + 1] = wrk.format("POST", nil, headers, body) end
    rest = tonumber(args[2] or "0")
    if rest > 0 then
        delay = function() return math.floor(rest * (0.5 + math.random())) end
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end

function response(status, headers, body)
    if status ~= 200 or string.find(body, '{"error"', 1, true) then failed = failed + 1 end
end

function done(summary, latency, _)
    local said = 0
    for _, thread in ipairs(threads) do said = said + thread:get("failed") end
    local e = summary.errors
    io.write(string.format(
        '\nRESULT {"requests":%d,"micros":%d,"bytes":%d,"refused":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,' ..
        '"p50":%d,"p99":%d,"max":%d}\n',
        summary.requests, summary.duration, summary.bytes, said, e.connect, e.read, e.write, e.timeout,
        latency:percentile(50), latency:percentile(99), latency.max))
end
