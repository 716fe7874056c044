-- Sends the requests in the file REQUESTS in turn; prints what load_tests/comparison/wrk.py reads.

local requests = {}
local last = 0

function init()
  local file = io.open(os.getenv("REQUESTS"), "rb")
  for length in file:lines() do
    requests[#requests + 1] = file:read(tonumber(length))
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %.0f %.0f %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
