"""Every row of SPEC 2's status table, provoked at the whole pipeline."""
import json
import re
import urllib.parse

import pytest

import leadline_testing as lt

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


def configuration(url):
    campaigns = [
        lt.campaign(),
        lt.campaign("full", sources=[lt.source(answer="full")], max_sells=2,
                    contracts=[lt.contract(price="25.00"), lt.contract("buyer_def", "20.50", priority=2)]),
        lt.campaign("received", sources=[lt.source(answer="received")]),
        lt.campaign("texas", contracts=[lt.contract(states=["TX"], zips=["75"])]),
        lt.campaign("nobody", contracts=[]),
        lt.campaign("unique", duplicates=[{"fields": ["phone"], "window_days": 30}],
                    sources=[lt.source(), lt.source("other")]),
        lt.campaign("paused_source", sources=[lt.source(status="PAUSED")]),
        lt.campaign("paused", status="PAUSED"),
        lt.campaign("capped", sources=[lt.source(caps=[{"window": "day", "leads": 1}])]),
        lt.campaign("loose", fields=[{"name": "email", "required": False}, {"name": "age", "type": "number", "required": True},
                                     {"name": "roof", "type": "list", "values": ["tile", "metal"]}]),
        lt.campaign("not_ours", sources=[lt.source("other")]),
        lt.campaign("texts", fields=[{"name": "phone", "type": "string"}, {"name": "email", "type": "string"}]),
    ]
    suppliers = [lt.supplier(), lt.supplier("other", key="other_key"), lt.supplier("tester", key="test_key", test_mode=True),
                 lt.supplier("far", key="far_key", allowed_ips=["203.0.113.0/24"]),
                 lt.supplier("slow", key="slow_key", rate_limits={"ingest": {"per_second": 1, "burst": 2}, "lookup": {"per_second": 1, "burst": 1}})]
    campaigns[0]["sources"] += [lt.source(id) for id in ("tester", "far", "slow")]
    return lt.document(campaigns=campaigns, suppliers=suppliers, buyers=[lt.buyer(url=url), lt.buyer("buyer_def", url=url)])


@pytest.fixture(scope="module")
def buyer():
    with lt.Buyer() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def dev(buyer):
    with lt.Dev(configuration(buyer.url)) as running:
        yield running


def is_problem(answer, status, word):
    """One shape of every error."""
    assert answer.status == status, answer.body
    body = answer.json()
    assert list(body)[:6] == ["error", "message", "request_id", "type", "title", "status"]
    assert body["error"] == word and body["status"] == status and UUID.match(body["request_id"])
    assert answer.headers["x-request-id"] == body["request_id"]
    return body


def stored(dev, lead_id):
    return dev.query_one("SELECT status::text FROM lead WHERE id = %s", lead_id)


def lead_count(dev):
    return dev.query_one("SELECT count(*) FROM lead")


def test_sold_is_exactly_the_example(dev, client, buyer):
    answer = client.ingest(lt.lead())
    assert answer.status == 201
    assert re.fullmatch(rb'\{"data":\{"id":"[0-9a-f-]{36}","status":"ACCEPTED","buyer_id":"buyer_abc","campaign_id":"campaign_abc123"\}\}',
                        answer.body)
    assert UUID.match(answer.data["id"]) and stored(dev, answer.data["id"]) == "ACCEPTED"
    delivered = lt.eventually(lambda: buyer.of_lead(answer.data["id"]))[0]
    assert delivered.is_signed() and delivered.data["price"] == "25.00" and delivered.data["buyer_id"] == "buyer_abc"
    assert answer.headers["content-type"].startswith("application/json") and answer.headers["x-request-id"]


def test_delivery_is_within_a_second_of_the_sale(client, buyer):
    answer = client.ingest(lt.lead())
    assert lt.eventually(lambda: buyer.of_lead(answer.data["id"]), 1.0)


def test_form_is_a_lead_too(client, buyer):
    answer = client.post("/api/v1/ingest", urllib.parse.urlencode(lt.lead(first_name="Zoë & Co")),
                         content_type="application/x-www-form-urlencoded")
    assert answer.status == 201
    assert lt.eventually(lambda: buyer.of_lead(answer.data["id"]))[0].data["fields"]["first_name"] == "Zoë & Co"


def test_full_answer_names_buyers_and_price(client):
    answer = client.ingest(lt.lead(flo_campaign_id="full"))
    assert answer.status == 201
    assert answer.data["buyers"] == [{"buyer_id": "buyer_abc", "price": "25.00"}, {"buyer_id": "buyer_def", "price": "20.50"}]
    assert answer.data["price"] == "45.50" and answer.data["buyer_id"] == "buyer_abc"


def test_received_answer_tells_nothing_more(dev, client):
    answer = client.ingest(lt.lead(flo_campaign_id="received"))
    assert answer.status == 200 and answer.data == {"id": answer.data["id"], "status": "RECEIVED"}
    assert stored(dev, answer.data["id"]) == "ACCEPTED"


def test_nobody_buys(dev, client):
    answer = client.ingest(lt.lead(flo_campaign_id="nobody"))
    assert answer.status == 200
    assert list(answer.data.items())[1:] == [("status", "UNMATCHED"), ("buyer_id", None), ("campaign_id", "nobody")]
    assert stored(dev, answer.data["id"]) == "UNMATCHED"
    assert [(step["step"], step["contract_id"], step["decision"]) for step in dev.show(answer.data["id"])["trail"]] == [("sale", None, "unmatched")]


@pytest.mark.parametrize("fields, status", [
    ({"state": "TX", "zip_code": "75201"}, "ACCEPTED"), ({"state": "tx", "zip_code": "75201-1234"}, "ACCEPTED"),
    ({"state": "Texas", "zip_code": "75999"}, "ACCEPTED"), ({"state": "CA", "zip_code": "75201"}, "UNMATCHED"),
    ({"state": "TX", "zip_code": "85201"}, "UNMATCHED"), ({"state": None, "zip_code": "75201"}, "UNMATCHED"),
])
def test_states_and_zips(client, fields, status):
    assert client.ingest(lt.lead(flo_campaign_id="texas", **fields)).data["status"] == status


def test_duplicate_of_an_own_lead_names_it(dev, client):
    lead = lt.lead(flo_campaign_id="unique")
    first = client.ingest(lead)
    body = is_problem(client.ingest({**lead, "email": "another@example.com"}), 409, "duplicate")
    assert body["data"]["status"] == "DUPLICATE" and body["data"]["duplicate_of"] == first.data["id"]
    assert stored(dev, body["data"]["id"]) == "DUPLICATE"


def test_duplicate_of_anothers_lead_does_not(dev, client):
    lead = lt.lead(flo_campaign_id="unique")
    assert client.ingest(lead).status == 201
    other = lt.Client(dev.port, key="other_key")
    body = is_problem(other.ingest({**lead, "flo_supplier_id": "other", "phone": "+1 (555) " + lead["phone"][3:6] + "-" + lead["phone"][6:]}), 409, "duplicate")
    assert "duplicate_of" not in body["data"]
    other.close()


def test_test_lead_is_marked_and_counts_for_nothing(dev, client, buyer):
    lead = lt.lead(flo_campaign_id="unique", is_test=True)
    for _ in range(2):
        answer = client.ingest(lead)
        assert answer.status == 201 and list(answer.data)[-1] == "is_test" and answer.data["is_test"] is True
        assert lt.eventually(lambda: buyer.of_lead(answer.data["id"]))[0].data["is_test"] is True
    assert client.ingest({**lead, "is_test": False}).status == 201


def test_supplier_in_test_mode(dev):
    tester = lt.Client(dev.port, key="test_key")
    answer = tester.ingest(lt.lead(flo_supplier_id="tester"))
    assert answer.status == 201 and answer.data["is_test"] is True
    tester.close()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'"x"', b"null", b'{"a":1,}', b'{"a":1} x', b'{"a":1,"a":2}', b'{"a":"\\u0000"}',
                                  b'{"a":"\xff"}', b'{"a":"\\ud800"}', b"[" * 5000, b'{"a":' * 200 + b"1" + b"}" * 200, b"\x00", b"{\x00}",
                                  b'{"a":1e400}', b'{"b":1e-20000}', b'{"c":[0.%s]}' % (b"1" * 20000)], ids=lambda body: repr(body[:12]))
def test_invalid_json(dev, client, body):
    before = lead_count(dev)
    problem = is_problem(client.post("/api/v1/ingest", body), 400, "invalid_json")
    if body[:1] == b"{":
        assert "position" in problem["message"], problem
    assert lead_count(dev) == before
    assert client.ingest(lt.lead()).status == 201  # the connection is usable


def test_fields_missing_or_malformed(dev, client):
    body = is_problem(client.ingest(lt.lead(phone="12", email="nobody", last_name="", state=["TX"])), 400, "validation_failed")
    codes = {error["field"]: error["code"] for error in body["field_errors"]}
    assert codes == {"phone": "invalid_format", "email": "invalid_format", "last_name": "required", "state": "invalid_format"}
    assert all(error["message"] for error in body["field_errors"])
    assert stored(dev, body["data"]["id"]) == "REJECTED"


def test_campaign_changes_the_fields(client):
    lead = lt.lead(flo_campaign_id="loose", email=None)
    body = is_problem(client.ingest({**lead, "roof": "straw"}), 400, "validation_failed")
    assert {error["field"]: error["code"] for error in body["field_errors"]} == {"age": "required", "roof": "not_allowed"}
    assert client.ingest({**lead, "age": 40, "roof": "Tile"}).status == 201


def test_missing_campaign_is_recorded_without_one(dev, client):
    body = is_problem(client.ingest(lt.lead(flo_campaign_id=None)), 400, "validation_failed")
    assert [error["field"] for error in body["field_errors"]] == ["flo_campaign_id"]
    assert dev.query_one("SELECT campaign_id FROM lead WHERE id = %s", body["data"]["id"]) is None


def test_unauthorized(dev):
    for key in (None, "", "wrong"):
        stranger = lt.Client(dev.port, key=key)
        is_problem(stranger.ingest(lt.lead()), 401, "unauthorized")
        stranger.close()


def test_a_key_works_when_it_is_printed_and_not_when_it_was_taken_away(dev, buyer):
    for n in range(10):
        key = dev.leadctl("key", "new", "other").stdout.strip()
        fresh = lt.Client(dev.port, key=key)
        assert fresh.get("/api/v1/leads/lookup?phone=5551234567").status == 200
        changed = configuration(buyer.url)
        changed["suppliers"][1]["api_keys"] = [{"key": f"other_key_{n}"}]
        dev.apply(changed)
        is_problem(fresh.get("/api/v1/leads/lookup?phone=5551234567"), 401, "unauthorized")
        fresh.close()
    dev.apply(configuration(buyer.url))


def test_forbidden(dev, client):
    before = lead_count(dev)
    is_problem(client.ingest(lt.lead(flo_supplier_id="other")), 403, "forbidden")
    is_problem(client.ingest(lt.lead(flo_campaign_id="not_ours")), 403, "forbidden")
    far = lt.Client(dev.port, key="far_key")
    is_problem(far.ingest(lt.lead(flo_supplier_id="far")), 403, "forbidden")
    far.close()
    assert lead_count(dev) == before


def test_paused_and_capped_are_recorded(dev, client):
    for campaign, who in (("paused_source", "source"), ("paused", "campaign")):
        body = is_problem(client.ingest(lt.lead(flo_campaign_id=campaign)), 403, "source_paused")
        assert stored(dev, body["data"]["id"]) == "REJECTED"
        assert [(step["decision"], step["reason"], step["detail"]) for step in dev.show(body["data"]["id"])["trail"]] == [("rejected", "source_paused", who)]
    assert client.ingest(lt.lead(flo_campaign_id="capped")).status == 201
    body = is_problem(client.ingest(lt.lead(flo_campaign_id="capped")), 403, "source_capped")
    assert stored(dev, body["data"]["id"]) == "REJECTED"


def test_a_paused_source_hears_of_its_fields_first(client):
    is_problem(client.ingest(lt.lead(flo_campaign_id="paused_source", phone="1")), 400, "validation_failed")


def test_not_found_and_wrong_method(client):
    is_problem(client.ingest(lt.lead(flo_campaign_id="no_such")), 404, "campaign_not_found")
    is_problem(client.get("/api/v1/nothing"), 404, "not_found")
    is_problem(client.get("/"), 404, "not_found")
    is_problem(client.get("/api/v1/ingest"), 405, "method_not_allowed")


def test_too_large_and_wrong_type(dev, client):
    is_problem(client.post("/api/v1/ingest", b"<a/>", content_type="text/xml"), 415, "unsupported_media_type")
    big = json.dumps(lt.lead(note="x" * 65536)).encode()
    is_problem(client.post("/api/v1/ingest", big), 413, "payload_too_large")
    other = lt.Client(dev.port)
    fits = lt.lead()
    fits.update({f"note_{i}": "x" * 4000 for i in range(16)})
    assert len(json.dumps(fits)) < 65536 and other.ingest(fits).status == 201
    other.close()


def test_idempotency_key(dev, client):
    lead = lt.lead()
    first = client.ingest(lead, **{"Idempotency-Key": "abc-1"})
    again = client.ingest(lead, **{"Idempotency-Key": '"abc-1"'})
    assert first.status == again.status == 201 and first.body == again.body
    is_problem(client.ingest({**lead, "state": "CA"}, **{"Idempotency-Key": "abc-1"}), 422, "idempotency_mismatch")
    assert dev.query_one("SELECT count(*) FROM lead WHERE raw->>'phone' = %s", lead["phone"]) == 1
    bad = lt.lead(phone="1")
    refused = client.ingest(bad, **{"Idempotency-Key": "abc-2"})
    repeated = client.ingest(bad, **{"Idempotency-Key": "abc-2"})
    assert refused.status == repeated.status == 400 and refused.body == repeated.body  # with the first one's request id
    other = lt.Client(dev.port, key="other_key")  # a key belongs to its supplier
    assert other.ingest(lt.lead(flo_campaign_id="unique", flo_supplier_id="other"), **{"Idempotency-Key": "abc-1"}).status == 201
    other.close()


def test_rate_limit(dev):
    slow = lt.Client(dev.port, key="slow_key")
    answers = [slow.ingest(lt.lead(flo_supplier_id="slow")) for _ in range(6)]
    assert answers[0].status == 201
    assert answers[0].headers["ratelimit-policy"] == '"ingest";q=1;w=1,"ingest-burst";q=2;w=2'
    assert re.fullmatch(r'"ingest(-burst)?";r=\d+;t=\d+', answers[0].headers["ratelimit"])
    body = is_problem(answers[-1], 429, "rate_limited")
    assert body["retry_after"] >= 1 and answers[-1].headers["retry-after"] == str(body["retry_after"])
    slow.close()


def test_problem_json_when_it_is_accepted(client):
    answer = client.ingest(lt.lead(phone="1"), accept="application/problem+json")
    assert answer.status == 400 and answer.headers["content-type"].startswith("application/problem+json")


def test_own_leads_can_be_read(dev, client):
    lead = lt.lead(phone="(555) 867-5309")
    ids = [client.ingest(lead).data["id"] for _ in range(2)]
    one = client.get(f"/api/v1/leads/{ids[0]}")
    assert one.status == 200 and list(one.data) == ["id", "status", "campaign_id", "is_test", "received_at", "reasons"]
    assert one.data["status"] == "ACCEPTED" and one.data["reasons"] == []
    found = client.get("/api/v1/leads/lookup?phone=5558675309")
    assert [lead["id"] for lead in found.json()["data"]] == ids[::-1]
    assert client.get("/api/v1/leads/lookup?email=" + lead["email"].upper()).json()["data"][0]["id"] == ids[1]
    assert client.get("/api/v1/leads/lookup?phone=5558675309&flo_campaign_id=full").json() == {"data": []}
    other = lt.Client(dev.port, key="other_key")
    is_problem(other.get(f"/api/v1/leads/{ids[0]}"), 404, "not_found")
    assert other.get("/api/v1/leads/lookup?phone=5558675309").json() == {"data": []}
    other.close()
    is_problem(client.get("/api/v1/leads/01a20627-0314-715e-99e4-f9040511f3c9"), 404, "not_found")
    is_problem(client.get("/api/v1/leads/lookup"), 400, "validation_failed")


def test_leads_are_found_by_value_also_where_the_campaign_takes_any_text(client):
    lead = lt.lead(flo_campaign_id="texts", phone="(212) 555-0177", email=" Ann.Text@Example.COM")
    ids = [client.ingest(one).data["id"] for one in (lead, {**lead, "phone": "+1 212 555 0177", "email": "none"}, {**lead, "phone": "call me"})]
    assert [one["id"] for one in client.get("/api/v1/leads/lookup?phone=2125550177").data] == [ids[1], ids[0]]
    assert [one["id"] for one in client.get("/api/v1/leads/lookup?email=ann.text@example.com").data] == [ids[2], ids[0]]


def test_openapi_needs_no_key(dev):
    stranger = lt.Client(dev.port, key=None)
    answer = stranger.get("/api/v1/openapi.yaml")
    assert answer.status == 200 and b"openapi: 3.1" in answer.body
    stranger.close()


def test_what_operators_see_of_a_lead(dev, client, buyer):
    lead = lt.lead(flo_campaign_id="full", shoe_size="44")
    lead_id = client.ingest(lead).data["id"]
    lt.eventually(lambda: len(buyer.of_lead(lead_id)) == 2)
    shown = lt.eventually(lambda: (lambda s: s if all(d["state"] == "DELIVERED" for d in s["deliveries"]) else None)(dev.show(lead_id)))
    assert shown["status"] == "ACCEPTED" and shown["raw"] == lead and "shoe_size" not in shown["fields"]
    assert shown["fields"]["phone"] == "+1" + lead["phone"]
    assert (shown["price"], shown["cost"], shown["margin"]) == ("45.50", "10.00", "35.50")
    assert [(s["buyer_id"], s["price"], s["state"]) for s in shown["sales"]] == [("buyer_abc", "25.00", "SOLD"), ("buyer_def", "20.50", "SOLD")]
    assert all(d["attempts"][0]["http_status"] == 200 and d["attempts"][0]["verdict"] == "ACCEPTED" for d in shown["deliveries"])
    assert {step["contract_id"]: step["decision"] for step in shown["trail"] if step["step"] == "sale"} == {"buyer_abc": "sold", "buyer_def": "sold"}
