"""Ping-post through all stages, with prices from contracts: the offer, the post at its price, and everything that can be wrong with a ping id."""
import base64
import concurrent.futures
import copy
import datetime

import pytest

import leadline_testing as lt

TWO = [lt.contract(priority=1), lt.contract("buyer_def", "20.00", priority=2)]
OURS = [lt.source(), lt.source("other")]
RULES = [{"fields": ["phone"], "window_days": 30}]


def configuration():
    def ping_post(id, **more):
        return lt.campaign(id, routing="PING_POST", **{"sources": OURS, "contracts": copy.deepcopy(TWO), **more})

    one_place = [lt.contract(priority=1, caps=[{"window": "total", "leads": 1}]), lt.contract("buyer_def", "20.00", priority=2)]
    campaigns = [
        ping_post("campaign_abc123"), ping_post("second"), ping_post("short", ping_seconds=1), ping_post("last_place", contracts=one_place),
        ping_post("repriced"), ping_post("removed"), ping_post("paused_later"), ping_post("campaign_off"), ping_post("refiltered"), ping_post("rebought"),
        ping_post("texas", inbound_filters={"all": [{"field": "state", "op": "IN", "value": ["TX"]}]}, duplicates=RULES,
                  contracts=[lt.contract(states=["TX"], filters={"all": [{"field": "age", "op": ">=", "value": 21}]})],
                  fields=[{"name": "age", "type": "number"}, {"name": "plan", "default": "gold"}]),
        ping_post("full_up", contracts=[lt.contract(caps=[{"window": "day", "leads": 0}])]),
        ping_post("paused", sources=[lt.source(status="PAUSED")]), ping_post("capped", sources=[lt.source(caps=[{"window": "day", "leads": 0}])]),
        ping_post("turns", distribution="ROUND_ROBIN"), ping_post("dear", distribution="HIGHEST_BID", max_sells=2),
        lt.campaign("direct", sources=OURS, contracts=copy.deepcopy(TWO)),
        ping_post("one_buyer_twice", contracts=[lt.contract(id="a1", priority=1), lt.contract(id="a2", price="30.00", priority=2)]),
        ping_post("quiet", sources=[lt.source(answer="received")]), ping_post("asked", confirm=True, max_sells=2, contracts=[lt.contract(exclusive_price="60.00"), lt.contract("mute", "70.00")]),
        ping_post("not_ours", sources=[lt.source("other")]),
    ]
    suppliers = [lt.supplier(), lt.supplier("other", key="other_key"), lt.supplier("tester", key="test_key", test_mode=True)]
    campaigns[0]["sources"] = [*OURS, lt.source("tester")]
    return lt.document(campaigns=campaigns, suppliers=suppliers, buyers=[lt.buyer(), lt.buyer("buyer_def"), lt.buyer("buyer_ghi"), {"id": "mute", "name": "mute"}])


@pytest.fixture(scope="module")
def dev():
    with lt.Dev(configuration(), gateways=2, validators=2, routers=2) as running:
        running.document = configuration()
        yield running


@pytest.fixture
def client(dev):
    client = dev.client()
    yield client
    client.close()


@pytest.fixture
def other(dev):
    client = dev.client(key="other_key")
    yield client
    client.close()


def pinged(client, **fields):
    """The answer of a ping that is accepted."""
    answer = client.ping(lt.ping(**fields))
    assert answer.status == 200, answer.body
    assert answer.json()["accepted"] is True, answer.body
    return answer.json()


def post(client, ping, **fields):
    return client.ingest(lt.lead(flo_ping_id=ping["ping_id"] if isinstance(ping, dict) else ping, **fields))


def is_refused(dev, answer, word, data=None):
    """One of the errors of ping-post: recorded as REJECTED, nothing sold. Returns its message."""
    assert (answer.status, answer.error) == (422, word), answer.body
    assert list(answer.json()) == ["error", "message", "request_id", "type", "title", "status", "data"]
    if data is None:
        assert answer.data["status"] == "REJECTED"
        assert dev.query("SELECT l.status::text, count(s.*) FROM lead l LEFT JOIN sale s ON s.lead_id = l.id WHERE l.id = %s GROUP BY 1",
                         answer.data["id"]) == [("REJECTED", 0)]
        shown = dev.show(answer.data["id"])
        assert [reason["code"] for reason in shown["reasons"]] == [word]
        assert [(row["step"], row["decision"], row["reason"]) for row in shown["trail"]] == [("ping", "rejected", word)]
    else:
        assert answer.data == data
    return answer.json()["message"]


def is_sold(dev, answer, buyer, price):
    assert answer.status == 201 and answer.data["buyer_id"] == buyer, answer.body
    assert [(row["buyer_id"], row["price"]) for row in dev.show(answer.data["id"])["sales"]] == [(buyer, price)]


def changed(dev, campaign_id, **contract):
    """Applies the document with that campaign's contract of buyer_abc changed; None takes it away."""
    campaign = next(item for item in dev.document["campaigns"] if item["id"] == campaign_id)
    if contract.get("status") == "GONE":
        campaign["contracts"] = campaign["contracts"][1:]
    else:
        campaign["contracts"][0].update(contract)
    dev.apply(dev.document)


# The ping --------------------------------------------------------------------------------------------------------------

def test_a_ping_is_answered_in_this_form(dev, client):
    before = dev.query_one("SELECT (SELECT count(*) FROM lead) + (SELECT count(*) FROM ping_used)")
    asked_at = datetime.datetime.now(datetime.timezone.utc)
    answer = client.ping(lt.ping())
    body = answer.json()
    assert answer.status == 200 and list(body) == ["accepted", "ping_id", "expires_at", "buyers", "message"]
    assert body["buyers"] == [{"buyer_id": "buyer_abc", "price": "25.00"}, {"buyer_id": "buyer_def", "price": "20.00"}]
    assert body["message"] == "Lead accepted"
    lasts = datetime.datetime.fromisoformat(body["expires_at"].replace("Z", "+00:00")) - asked_at
    assert abs(lasts.total_seconds() - 1800) < 60
    assert answer.headers["ratelimit-policy"].startswith('"ping";q=') and "x-request-id" in answer.headers
    assert len(body["ping_id"]) <= 4096 and "buyer" not in base64.urlsafe_b64decode(body["ping_id"] + "===").decode("latin-1")
    assert dev.query_one("SELECT (SELECT count(*) FROM lead) + (SELECT count(*) FROM ping_used)") == before


@pytest.mark.parametrize("fields, reason", [
    ({"flo_campaign_id": "texas", "state": "CA"}, "filtered"),
    ({"flo_campaign_id": "texas"}, "no_buyer"),
    ({"flo_campaign_id": "texas", "age": 20}, "no_buyer"),
    ({"flo_campaign_id": "full_up"}, "capped"),
])
def test_a_ping_that_nobody_takes(dev, client, fields, reason):
    answer = client.ping(lt.ping(**fields))
    assert answer.status == 200 and list(answer.json()) == ["accepted", "reason", "message"]
    assert (answer.json()["accepted"], answer.json()["reason"]) == (False, reason) and answer.json()["message"]


def test_a_ping_of_somebody_who_was_sold_is_a_duplicate(dev, client):
    lead = lt.lead(flo_campaign_id="texas", age=30)
    ping = pinged(client, flo_campaign_id="texas", age=30, phone=lead["phone"])
    assert client.ingest({**lead, "flo_ping_id": ping["ping_id"]}).status == 201
    assert client.ping(lt.ping(flo_campaign_id="texas", age=30, phone=lead["phone"])).json()["reason"] == "duplicate"


@pytest.mark.parametrize("body, status, word", [
    (lt.ping(state="nowhere"), 400, "validation_failed"), (lt.ping(flo_supplier_id=None), 400, "validation_failed"),
    (lt.ping(flo_campaign_id=None), 400, "validation_failed"), (lt.ping(flo_ping_id="x"), 400, "validation_failed"),
    (lt.ping(flo_timeout_ms=5), 400, "validation_failed"), ("{", 400, "invalid_json"),
    (lt.ping(flo_supplier_id="other"), 403, "forbidden"), (lt.ping(flo_campaign_id="not_ours"), 403, "forbidden"),
    (lt.ping(flo_campaign_id="paused"), 403, "source_paused"), (lt.ping(flo_campaign_id="capped"), 403, "source_capped"),
    (lt.ping(flo_campaign_id="none"), 404, "campaign_not_found"),
])
def test_a_ping_that_is_not_judged(dev, client, body, status, word):
    before = dev.query_one("SELECT count(*) FROM lead")
    answer = client.ping(body)
    assert (answer.status, answer.error) == (status, word), answer.body
    assert "data" not in answer.json() and dev.query_one("SELECT count(*) FROM lead") == before


def test_methods_keys_and_media_of_a_ping(dev, client):
    assert client.get("/api/v1/ping").status == 405 and client.get("/api/v1/ping").headers["allow"] == "POST"
    assert client.ping(lt.ping(), x_api_key="nobody").status == 401
    assert client.ping(lt.ping(), content_type="text/plain").status == 415
    form = "flo_campaign_id=campaign_abc123&flo_supplier_id=supplier_xyz789&state=tx"
    assert client.ping(form, content_type="application/x-www-form-urlencoded").json()["accepted"] is True


def test_a_buyer_with_two_contracts_is_offered_once(dev, client):
    assert pinged(client, flo_campaign_id="one_buyer_twice")["buyers"] == [{"buyer_id": "buyer_abc", "price": "25.00"}]


def test_where_buyers_are_asked_one_after_another(dev, client):
    """Nobody gets the lead alone, and nobody is offered who could not be asked."""
    assert pinged(client, flo_campaign_id="asked")["buyers"] == [{"buyer_id": "buyer_abc", "price": "25.00"}]


def test_pings_take_no_turns(dev, client):
    first = [pinged(client, flo_campaign_id="turns")["buyers"] for _ in range(3)]
    assert first[0] == first[1] == first[2]
    sold = post(client, pinged(client, flo_campaign_id="turns"), flo_campaign_id="turns").data["buyer_id"]
    assert sold == first[0][0]["buyer_id"] != pinged(client, flo_campaign_id="turns")["buyers"][0]["buyer_id"]


# The post --------------------------------------------------------------------------------------------------------------

def test_the_post_is_sold_at_the_price_of_its_ping(dev, client):
    is_sold(dev, post(client, pinged(client)), "buyer_abc", "25.00")


def test_the_post_names_its_buyer(dev, client):
    is_sold(dev, post(client, pinged(client), flo_buyer_id="buyer_def"), "buyer_def", "20.00")


def test_a_ping_is_honoured_on_a_campaign_that_needs_none(dev, client):
    is_sold(dev, post(client, pinged(client, flo_campaign_id="direct"), flo_campaign_id="direct", flo_buyer_id="buyer_def"), "buyer_def", "20.00")
    assert client.ingest(lt.lead(flo_campaign_id="direct")).status == 201


def test_both_in_one_call(dev, client):
    is_sold(dev, client.ingest(lt.lead(flo_mode="full")), "buyer_abc", "25.00")
    assert client.ingest(lt.lead(flo_mode="half")).error == "validation_failed"


def test_the_best_two_of_a_ping(dev, client):
    answer = post(client, pinged(client, flo_campaign_id="dear"), flo_campaign_id="dear")
    assert [(row["buyer_id"], row["price"]) for row in dev.show(answer.data["id"])["sales"]] == [("buyer_abc", "25.00"), ("buyer_def", "20.00")]


def test_a_test_ping_is_for_test_leads(dev, client):
    tester = dev.client(key="test_key")
    ping = pinged(tester, flo_supplier_id="tester")
    answer = post(tester, ping, flo_supplier_id="tester")
    assert answer.status == 201 and answer.data["is_test"] is True
    is_refused(dev, post(client, pinged(client, is_test=True)), "ping_mismatch")
    assert post(client, pinged(client, is_test=True), is_test=True).status == 201


def test_full_data_may_fail_where_the_ping_passed(dev, client):
    ping = pinged(client, flo_campaign_id="texas", age=30)
    sold = lt.lead(flo_campaign_id="texas", age=30)
    assert client.ingest({**sold, "flo_ping_id": ping["ping_id"]}).status == 201
    again = pinged(client, flo_campaign_id="texas", age=30)
    answer = client.ingest({**sold, "flo_ping_id": again["ping_id"]})
    assert (answer.status, answer.error) == (409, "duplicate")
    assert client.ingest(lt.lead(flo_campaign_id="texas", age=30, flo_ping_id=again["ping_id"])).status == 201  # it was not used up


# What can be wrong -----------------------------------------------------------------------------------------------------

def test_a_lead_without_a_ping(dev, client):
    is_refused(dev, client.ingest(lt.lead()), "ping_required")


@pytest.mark.parametrize("change", [
    lambda id: "x", lambda id: id[:-1], lambda id: id + "AAAA", lambda id: id[:20] + ("A" if id[20] != "A" else "B") + id[21:],
    lambda id: id[:1] + ("B" if id[1] != "B" else "C") + id[2:], lambda id: "A" * 4096, lambda id: "é" * 100,
], ids=["text", "cut", "longer", "one letter", "another key", "longest", "not ASCII"])
def test_an_altered_ping_id(dev, client, change):
    is_refused(dev, post(client, change(pinged(client)["ping_id"])), "ping_mismatch")


def test_a_ping_id_too_long_for_a_field(dev, client):
    assert post(client, "A" * 4097).error == "validation_failed"


def test_a_ping_of_another_supplier(dev, client, other):
    ping = pinged(other, flo_supplier_id="other")
    assert "supplier" in is_refused(dev, post(client, ping), "ping_mismatch")
    assert post(other, ping, flo_supplier_id="other").status == 201


def test_a_ping_for_another_campaign(dev, client):
    assert "campaign" in is_refused(dev, post(client, pinged(client, flo_campaign_id="second")), "ping_mismatch")


@pytest.mark.parametrize("fields", [{"subid": "8"}, {"subid": None}])
def test_a_changed_field_that_the_campaign_does_not_define(dev, client, fields):
    assert "fields" in is_refused(dev, post(client, pinged(client, subid="7"), **{"subid": "7", **fields}), "ping_mismatch")


@pytest.mark.parametrize("fields", [{"state": "CA"}, {"state": None}, {"zip_code": "75202"}, {"zip_code": None}])
def test_a_changed_field(dev, client, fields):
    assert "fields" in is_refused(dev, post(client, pinged(client, zip_code="75201"), **{"zip_code": "75201", **fields}), "ping_mismatch")


def test_the_same_field_in_another_notation(dev, client):
    assert post(client, pinged(client, zip_code="75201-1234", state="texas"), zip_code="75201", state="tx").status == 201
    assert post(client, pinged(client, email=" Jane.Doe@Example.com", subid=7), email="jane.doe@example.com", subid=" 7 ").status == 201


def test_a_buyer_that_was_not_offered(dev, client):
    assert "flo_buyer_id" in is_refused(dev, post(client, pinged(client), flo_buyer_id="nobody"), "ping_mismatch")


def test_a_ping_that_is_too_old(dev, client):
    ping = pinged(client, flo_campaign_id="short")
    expires = ping["expires_at"]
    lt.eventually(lambda: dev.query_one("SELECT clock_timestamp() > %s::timestamptz", expires), 10)
    is_refused(dev, post(client, ping, flo_campaign_id="short"), "ping_expired")


def test_a_ping_is_used_up_by_a_sale(dev, client):
    ping = pinged(client)
    sold = post(client, ping)
    is_refused(dev, post(client, ping), "ping_used", data=sold.data)
    assert dev.query("SELECT lead_id::text, expires_at > now() + interval '1 hour' FROM ping_used u JOIN lead l ON l.id = u.lead_id WHERE l.id = %s",
                     sold.data["id"]) == [(sold.data["id"], True)]
    assert dev.query_one("SELECT count(*) FROM lead WHERE raw->>'flo_ping_id' = %s AND status = 'ACCEPTED'", ping["ping_id"]) == 1


def test_a_used_ping_tells_no_more_than_the_sale_did(dev, client):
    ping = pinged(client, flo_campaign_id="quiet")
    told = post(client, ping, flo_campaign_id="quiet")
    assert told.data == {"id": told.data["id"], "status": "RECEIVED"}
    is_refused(dev, post(client, ping, flo_campaign_id="quiet"), "ping_used", data=told.data)


def test_one_ping_posted_many_times_at_once_is_sold_once(dev, client):
    for _ in range(5):
        ping = pinged(client)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: post(client, ping), range(8)))
        sold = [answer for answer in answers if answer.status == 201]
        assert len(sold) == 1
        for answer in answers:
            if answer is not sold[0]:
                is_refused(dev, answer, "ping_used", data=sold[0].data)


# The world moves between ping and post ---------------------------------------------------------------------------------

def test_two_offers_of_the_last_place(dev, client, other):
    pings = [pinged(client, flo_campaign_id="last_place"), pinged(other, flo_campaign_id="last_place", flo_supplier_id="other")]
    assert pings[0]["buyers"] == pings[1]["buyers"] and len(pings[0]["buyers"]) == 2
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, client, pings[0], flo_campaign_id="last_place")
        second = pool.submit(post, other, pings[1], flo_campaign_id="last_place", flo_supplier_id="other")
        answers = [first.result(), second.result()]
    assert sorted(answer.data["buyer_id"] for answer in answers) == ["buyer_abc", "buyer_def"]
    assert dev.query("SELECT buyer_id, price_cents FROM sale WHERE campaign_id = 'last_place' ORDER BY 1") == [("buyer_abc", 2500), ("buyer_def", 2000)]
    third = pinged(client, flo_campaign_id="last_place")
    assert third["buyers"] == [{"buyer_id": "buyer_def", "price": "20.00"}]


def test_the_price_is_locked(dev, client):
    ping = pinged(client, flo_campaign_id="repriced")
    changed(dev, "repriced", price="1.00", priority=9)
    is_sold(dev, post(client, ping, flo_campaign_id="repriced"), "buyer_abc", "25.00")
    assert lt.eventually(lambda: pinged(client, flo_campaign_id="repriced")["buyers"][1] == {"buyer_id": "buyer_abc", "price": "1.00"})


@pytest.mark.parametrize("campaign, change", [("removed", {"status": "GONE"}), ("paused_later", {"status": "PAUSED"}), ("refiltered", {"states": ["CA"]}), ("rebought", {"buyer_id": "buyer_ghi"})])
def test_a_contract_that_is_not_there_any_more(dev, client, campaign, change):
    ping, wanting = pinged(client, flo_campaign_id=campaign), pinged(client, flo_campaign_id=campaign)
    changed(dev, campaign, **change)
    is_sold(dev, post(client, ping, flo_campaign_id=campaign), "buyer_def", "20.00")
    answer = post(client, wanting, flo_campaign_id=campaign, flo_buyer_id="buyer_abc")
    assert answer.status == 200 and answer.data["status"] == "UNMATCHED"
    assert post(client, wanting, flo_campaign_id=campaign).data["buyer_id"] == "buyer_def"  # what sold nothing may be repeated


def test_all_stages_start_anew_between_ping_and_post(dev, client):
    ping = pinged(client, state="TX", zip_code="75201")
    for name in dev.names():
        dev.kill_and_wait(name)
    lead = lt.lead(flo_ping_id=ping["ping_id"], zip_code="75201")
    answer = lt.eventually(lambda: (got := client.ingest(lead, idempotency_key="after-the-start")).status == 201 and got, 30)
    is_sold(dev, answer, "buyer_abc", "25.00")
    is_refused(dev, post(client, ping, zip_code="75201"), "ping_used", data=answer.data)


def test_a_new_key_seals_and_the_old_one_opens(dev, client):
    old = pinged(client)
    dev.query("UPDATE ping_key SET created_at = created_at - interval '25 hours'")
    dev.query("INSERT INTO ping_key (id, key, created_at) SELECT 99, sha256('another'), clock_timestamp() - interval '2 minutes'")
    first = lambda id: base64.urlsafe_b64decode(id[:4])[1]
    fresh = lt.eventually(lambda: first((got := pinged(client))["ping_id"]) == 99 and got, 60, 0.2)
    assert first(old["ping_id"]) == 1
    assert post(client, old).status == 201 and post(client, fresh).status == 201
