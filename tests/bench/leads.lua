-- wrk's script: each request is a lead that nobody sent before.
--
--   wrk … -s leads.lua URL -- RUN CAMPAIGNS
--
-- RUN (0-79) keeps the runs on one database apart: its leads have the phone numbers from 2000000000 + RUN × 100000000. With CAMPAIGNS
-- above 1 the leads go to campaign_1 … campaign_N by turns. No answer is looked at here, that would cost more than sending:
-- wrk counts those of 400 and above, and the bench compares with the rows in the database.

local THREADS_MOST = 8
local HEADERS = {["x-api-key"] = "your_supplier_api_key", ["content-type"] = "application/json"}
local STATES = {"TX", "CA", "FL", "NY", "OH"}
local ZIPS = {"75201", "90001", "33101", "10001", "44101"}
local campaigns, number

local thread_count = 0

function setup(thread)
    thread:set("place", thread_count)
    thread_count = thread_count + 1
end

-- Thread t of at most 8 sends the numbers t, 8 + t, 16 + t …
function init(args)
    campaigns = tonumber(args[2] or "1")
    number = tonumber(args[1] or "0") * 100000000 + place
end

function request()
    local turn = (number - number % THREADS_MOST) / THREADS_MOST
    local which = turn % #STATES + 1
    local campaign = campaigns > 1 and "campaign_" .. turn % campaigns + 1 or "campaign_abc123"
    local body = '{"flo_campaign_id":"' .. campaign .. '","flo_supplier_id":"supplier_xyz789","first_name":"John","last_name":"Doe","phone":"'
        .. string.format("%.0f", 2000000000 + number) .. '","email":"john.' .. string.format("%.0f", number)
        .. '@example.com","state":"' .. STATES[which] .. '","zip_code":"' .. ZIPS[which] .. '","age":"42"}'

    number = number + THREADS_MOST
    return wrk.format("POST", nil, HEADERS, body)
end
