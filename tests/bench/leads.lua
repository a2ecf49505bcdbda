-- wrk's script: each request is a lead that nobody sent before.
--
--   wrk … -s leads.lua URL -- RUN CAMPAIGNS
--
-- RUN (0-79) keeps the runs of one database apart. With CAMPAIGNS above 1 the leads go to campaign_1 … campaign_N by turns.
-- Phone numbers are 2RR nnn nnnn and up: thread t of T sends t, T + t, 2T + t … The script looks at no answer, that would cost
-- more than sending; wrk itself counts those of 400 and above, and the bench compares with the rows in the database.

local threads = 0
local states = {"TX", "CA", "FL", "NY", "OH"}
local zips = {"75201", "90001", "33101", "10001", "44101"}

function setup(thread)
    thread:set("place", threads)
    threads = threads + 1
end

-- All threads are set up before the first begins, but none knows how many there are: numbers are dealt for at most 8.
function init(args)
    local run = tonumber(args[1] or "0")
    campaigns = tonumber(args[2] or "1")
    number = run * 100000000 + place
end

function request()
    local n = number
    local at = (n - n % 8) / 8
    local which = at % 5 + 1
    local campaign = "campaign_abc123"

    number = n + 8
    if campaigns > 1 then
        campaign = "campaign_" .. (at % campaigns + 1)
    end
    return wrk.format("POST", nil, HEADERS, '{"flo_campaign_id":"' .. campaign .. '","flo_supplier_id":"supplier_xyz789",'
        .. '"first_name":"John","last_name":"Doe","phone":"' .. string.format("%.0f", 2000000000 + n)
        .. '","email":"john.' .. string.format("%.0f", n) .. '@example.com","state":"' .. states[which]
        .. '","zip_code":"' .. zips[which] .. '","age":"42"}')
end

HEADERS = {["x-api-key"] = "your_supplier_api_key", ["content-type"] = "application/json", ["host"] = "127.0.0.1"}
