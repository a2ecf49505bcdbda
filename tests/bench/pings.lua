-- wrk's script: each request is a ping, without phone and e-mail. What is answered is not looked at: the bench asks the routers' metrics.

local HEADERS = {["x-api-key"] = "your_supplier_api_key", ["content-type"] = "application/json"}
local STATES = {"TX", "CA", "FL", "NY", "OH"}
local ZIPS = {"75201", "90001", "33101", "10001", "44101"}
local requests, number = {}, 0

function init(args)
    for i = 1, #STATES do
        requests[i] = wrk.format("POST", nil, HEADERS, '{"flo_campaign_id":"campaign_abc123","flo_supplier_id":"supplier_xyz789","state":"'
            .. STATES[i] .. '","zip_code":"' .. ZIPS[i] .. '","age":"42"}')
    end
end

function request()
    number = number + 1
    return requests[number % #STATES + 1]
end
