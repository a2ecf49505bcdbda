"""What the pipeline answers is what proto/openapi.yaml says: status, media type, headers, body, order of the keys."""
import json

import pytest

import leadline_testing as lt
import openapi

LEAD = lt.lead()  # sold once, by the first test that needs it; a duplicate from then on


def configuration(url):
    unique = {"duplicates": [{"fields": ["phone"], "window_days": 30}]}
    return lt.document(
        campaigns=[
            lt.campaign(sources=[lt.source(), lt.source("slow"), lt.source("other")], **unique),
            lt.campaign("full", sources=[lt.source(answer="full")]),
            lt.campaign("received", sources=[lt.source(answer="received")]),
            lt.campaign("nobody", contracts=[]),
            lt.campaign("nobody_full", sources=[lt.source(answer="full")], contracts=[]),
            lt.campaign("paused", sources=[lt.source(status="PAUSED")]),
            lt.campaign("capped", sources=[lt.source(caps=[{"window": "total", "leads": 0}])]),
            lt.campaign("not_ours", sources=[]),
        ],
        suppliers=[lt.supplier(), lt.supplier("other", key="other_key"), lt.supplier("far", key="far_key", allowed_ips=["203.0.113.0/24"]),
                   lt.supplier("slow", key="slow_key", rate_limits={kind: {"per_second": 1, "burst": 0} for kind in ("ingest", "lookup")})],
        buyers=[lt.buyer(url=url)])


@pytest.fixture(scope="module")
def dev():
    with lt.Buyer() as buyer, lt.Dev(configuration(buyer.url)) as running:
        yield running


def fits(answer, path, method="post"):
    """Checks the answer against the description of that path; returns it."""
    response = openapi.resolve(openapi.API["paths"][path][method]["responses"][str(answer.status)])
    media = answer.headers["content-type"]
    schema = response["content"][media]["schema"]
    body = answer.body.decode() if media == "application/yaml" else answer.json()
    assert openapi.faults(body, schema)[0] == [], answer.body
    assert openapi.out_of_order(body, schema) == []
    for name, header in response["headers"].items():
        header = openapi.resolve(header)
        value = answer.headers.get(name.lower())
        assert value is not None or not header.get("required"), name
        if value is not None:
            value = int(value) if header["schema"]["type"] == "integer" else value
            assert openapi.faults(value, header["schema"])[0] == [], name
    said = {name.lower() for name in response["headers"]}
    for name in ("x-request-id", "ratelimit-policy", "ratelimit", "retry-after", "allow"):
        assert name in said or name not in answer.headers, f"{name} is not in the description"
    if answer.status >= 400:
        assert body["request_id"] == answer.headers["x-request-id"]
    if media != "application/yaml":
        assert answer.body == json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()  # compact
    return answer


INGESTS = [
    # claim, status, word, body, headers
    ("sold", 201, None, lambda: lt.lead(), {}),
    ("a test lead, sold", 201, None, lambda: lt.lead(is_test=True), {}),
    ("sold, with everything", 201, None, lambda: lt.lead(flo_campaign_id="full"), {}),
    ("received", 200, None, lambda: lt.lead(flo_campaign_id="received"), {}),
    ("nobody buys", 200, None, lambda: lt.lead(flo_campaign_id="nobody"), {}),
    ("nobody buys, with everything", 200, None, lambda: lt.lead(flo_campaign_id="nobody_full"), {}),
    ("nobody buys a test lead", 200, None, lambda: lt.lead(flo_campaign_id="nobody", is_test=True), {}),
    ("fields", 400, "validation_failed", lambda: lt.lead(phone="1", email=None, first_name={"a": 1}, zip_code="x"), {}),
    ("no campaign", 400, "validation_failed", lambda: lt.lead(flo_campaign_id=None), {}),
    ("a ping that is none", 422, "ping_mismatch", lambda: lt.lead(flo_ping_id="x"), {}),
    ("no JSON", 400, "invalid_json", lambda: "{", {}),
    ("no form", 400, "invalid_form", lambda: "a=1&a=2", {"content_type": "application/x-www-form-urlencoded"}),
    ("a malformed header", 400, "bad_request", lambda: lt.lead(), {"idempotency_key": "x" * 300}),
    ("no key", 401, "unauthorized", lambda: lt.lead(), {"x_api_key": None}),
    ("an unknown key", 401, "unauthorized", lambda: lt.lead(), {"x_api_key": "nobody's"}),
    ("not from there", 403, "forbidden", lambda: lt.lead(), {"x_api_key": "far_key"}),
    ("another supplier's id", 403, "forbidden", lambda: lt.lead(flo_supplier_id="other"), {}),
    ("not on the campaign", 403, "forbidden", lambda: lt.lead(flo_campaign_id="not_ours"), {}),
    ("paused", 403, "source_paused", lambda: lt.lead(flo_campaign_id="paused"), {}),
    ("capped", 403, "source_capped", lambda: lt.lead(flo_campaign_id="capped"), {}),
    ("an unknown campaign", 404, "campaign_not_found", lambda: lt.lead(flo_campaign_id="nowhere"), {}),
    ("over 64 KiB", 413, "payload_too_large", lambda: lt.lead(note="x" * 70000), {}),
    ("another type", 415, "unsupported_media_type", lambda: "<lead/>", {"content_type": "text/xml"}),
]


@pytest.mark.parametrize("accept", ["application/json", "application/problem+json"])
@pytest.mark.parametrize("status, word, body, headers", [row[1:] for row in INGESTS], ids=[row[0] for row in INGESTS])
def test_ingest(client, status, word, body, headers, accept):
    answer = fits(client.ingest(body(), accept=accept, **headers), "/ingest")
    assert answer.status == status and answer.json().get("error") == word
    assert answer.headers["content-type"] == (accept if status >= 400 else "application/json")


def test_duplicate(client, dev):
    client.ingest(LEAD)
    own = fits(client.ingest(LEAD), "/ingest")
    assert own.status == 409 and "duplicate_of" in own.data
    other = lt.Client(dev.port, key="other_key")
    foreign = fits(other.ingest({**LEAD, "flo_supplier_id": "other"}), "/ingest")
    assert foreign.status == 409 and "duplicate_of" not in foreign.data
    other.close()


def test_idempotency_mismatch(client):
    assert client.ingest(lt.lead(), idempotency_key="once").status == 201
    assert fits(client.ingest(lt.lead(), idempotency_key="once"), "/ingest").error == "idempotency_mismatch"


def test_rate_limited(dev):
    slow = lt.Client(dev.port, key="slow_key")
    answers = [fits(slow.ingest(lt.lead(flo_supplier_id="slow")), "/ingest") for _ in range(3)]
    assert answers[-1].status == 429
    answers = [fits(slow.get("/api/v1/leads/lookup?phone=5551234567"), "/leads/lookup", "get") for _ in range(3)]
    assert answers[-1].status == 429
    slow.close()


def test_wrong_method(client):
    for path, method, allow in [("/ingest", "PUT", "POST"), ("/leads/lookup", "POST", "GET, HEAD"), ("/spec", "POST", "GET, HEAD"), ("/openapi.yaml", "POST", "GET, HEAD")]:
        described = "post" if path == "/ingest" else "get"
        answer = fits(client.request(method, "/api/v1" + path, b""), path, described)
        assert answer.status == 405 and answer.headers["allow"] == allow


def test_unavailable(dev, client):
    """Nobody reads what the gateway has."""
    dev.kill("validator-1", lt.signal.SIGSTOP)
    try:
        answer = fits(client.ingest(lt.lead()), "/ingest")
        assert answer.status == 503 and answer.error in ("unavailable", "timeout")
    finally:
        dev.kill("validator-1", lt.signal.SIGCONT)
    lt.eventually(lambda: client.ingest(lt.lead()).status == 201)


@pytest.mark.parametrize("changes, state, reasons", [
    ({}, "ACCEPTED", 0), ({"flo_campaign_id": "nobody"}, "UNMATCHED", None), ({"phone": "1"}, "REJECTED", 1),
    ({"flo_campaign_id": None}, "REJECTED", 1), ({"flo_campaign_id": "capped"}, "REJECTED", 1), ({"is_test": True}, "ACCEPTED", 0)])
def test_lead(client, changes, state, reasons):
    lead = lt.lead(**changes)
    id = client.ingest(lead).data["id"]
    answer = fits(client.get("/api/v1/leads/" + id), "/leads/{id}", "get")
    assert answer.status == 200 and answer.data["status"] == state
    assert reasons is None or len(answer.data["reasons"]) == reasons
    found = fits(client.get("/api/v1/leads/lookup?email=" + lead["email"]), "/leads/lookup", "get")
    assert found.data == [answer.data]


def test_lead_of_nobody(client):
    for id in ("0193b3c1-6f2a-7c3e-9d41-2b8a5c6f7e10", "no-id"):
        answer = fits(client.get("/api/v1/leads/" + id), "/leads/{id}", "get")
        assert (answer.status, answer.error) == (404, "not_found")
    assert fits(client.get("/api/v1/leads/x", x_api_key=None), "/leads/{id}", "get").status == 401
    assert fits(client.get("/api/v1/leads/x", x_api_key="far_key"), "/leads/{id}", "get").status == 403


@pytest.mark.parametrize("query, status, error", [
    ("phone=5550000001", 200, None), ("", 400, "validation_failed"), ("phone=5551234567&email=a@example.com", 400, "validation_failed"),
    ("phone=12", 400, "validation_failed"), ("email=nobody", 400, "validation_failed"), ("phone=%zz", 400, "bad_request")])
def test_look_up(client, query, status, error):
    answer = fits(client.get("/api/v1/leads/lookup?" + query), "/leads/lookup", "get")
    assert (answer.status, answer.error) == (status, error)


def test_the_description_is_served(client):
    answer = fits(client.get("/api/v1/openapi.yaml", x_api_key=None), "/openapi.yaml", "get")
    assert answer.status == 200 and answer.body == (openapi.ROOT / "proto/openapi.yaml").read_bytes()
