"""Live bids through all stages: twenty buyers, some of them dead or slow; exclusive offers; kills in the middle (SPEC.md, 6 and 8)."""
import json
import threading
import time

import pytest

import leadline_testing as lt

BIDDERS = 20
DEAD, SLOW = range(10, 15), range(15, 20)
DEADLINE_MS = 2000


def bids(price, gate=None):
    """Bids that price at /ping, or answers 204 when it is None; waits for the gate before; takes every lead."""
    def answer(request):
        if request.path != "/ping":
            return 200
        if gate is not None:
            gate.wait(20)
        return (200, json.dumps({"bid_price": price})) if price else 204
    return lt.Buyer(answer)


class World:
    """The buyers 0-9 bid at once, 10-14 have nobody at their port, 15-19 answer when the gate opens."""

    def __init__(self):
        self.gate = threading.Event()
        self.alive = {n: bids(f"{10 + n}.00" if n != 3 else None, self.gate if n in SLOW else None) for n in range(BIDDERS) if n not in DEAD}
        buyers = []
        for n in range(BIDDERS):
            port = self.alive[n].port if n in self.alive else lt.free_port()
            buyers.append(lt.buyer(f"b{n}", url=f"http://127.0.0.1:{port}/leads", ping={"url": f"http://127.0.0.1:{port}/ping", "timeout_ms": 5000}))
        contracts = [lt.contract(f"b{n}", "1.00") for n in range(BIDDERS)]
        fields = [{"name": "state", "ping": True}, {"name": "phone", "ping": "sha256"}]
        live = {"distribution": "HIGHEST_BID", "contracts": contracts, "fields": fields, "deadline_ms": DEADLINE_MS}
        few = [lt.contract("b0", "1.00"), lt.contract("b1", "1.00"), lt.contract("plain", "9.00", exclusive_price="21.01"),
               lt.contract("b2", "1.00", exclusive_price="30.00", states=["CA"])]
        campaigns = [lt.campaign(routing="PING_POST", **live), lt.campaign("best_two", max_sells=2, **live),
                     lt.campaign("exclusive", routing="PING_POST", max_sells=2, distribution="HIGHEST_BID", contracts=few, fields=fields)]
        self.document = lt.document(buyers=[*buyers, lt.buyer("plain")], campaigns=campaigns)

    def asked(self, n):
        return [json.loads(request.body) for request in self.alive[n].requests if request.path == "/ping"]

    def close(self):
        self.gate.set()
        for buyer in self.alive.values():
            buyer.close()


@pytest.fixture
def world():
    made = World()
    yield made
    made.close()


@pytest.fixture
def dev(world):
    with lt.Dev(world.document, validators=2, routers=2, dispatchers=2) as running:
        yield running


def test_all_bids_that_come_in_time(dev, world):
    client = dev.client()
    began = time.monotonic()
    answer = client.ping(lt.ping(phone="5551234567"))
    took = time.monotonic() - began
    assert answer.status == 200 and took < DEADLINE_MS / 1000
    in_time = sorted((n for n in range(10) if n != 3), reverse=True)
    assert answer.json()["buyers"] == [{"buyer_id": f"b{n}", "price": f"{10 + n}.00"} for n in in_time]
    for n in range(10):
        question, = world.asked(n)
        assert question["buyer_id"] == f"b{n}" and question["campaign_id"] == "campaign_abc123" and question["timeout_ms"] <= DEADLINE_MS - 50
        assert set(question["fields"]) == {"phone", "state"} and len(question["fields"]["phone"]) == 64  # a hash
    sold = client.ingest(lt.lead(phone="5551234567", flo_ping_id=answer.json()["ping_id"]))
    assert sold.data["buyer_id"] == "b9" and dev.show(sold.data["id"])["price"] == "19.00"
    delivered = lt.eventually(lambda: [request for request in world.alive[9].requests if request.path == "/leads"])
    assert delivered[0].data["id"] == sold.data["id"] and delivered[0].data["price"] == "19.00"


@pytest.mark.parametrize("timeout", [600, "6e2"])
def test_the_supplier_may_have_less_time(dev, world, timeout):
    began = time.monotonic()
    answer = dev.client().ping(lt.ping(flo_timeout_ms=timeout))
    assert answer.status == 200 and answer.json()["accepted"] and time.monotonic() - began < 1.5


def test_the_trail_tells_of_every_buyer(dev, world):
    answer = dev.client().ingest(lt.lead(flo_campaign_id="best_two"))
    assert answer.status == 201
    rows = {row["contract_id"]: (row["decision"], row["reason"], row["detail"]) for row in dev.show(answer.data["id"])["trail"] if row["step"] == "sale"}
    assert len(rows) == BIDDERS
    assert [rows["b9"][0], rows["b8"][0], rows["b7"][:2]] == ["sold", "sold", ("not_needed", "sold_out")]
    assert rows["b7"][2].startswith("17.00, bid in ") and rows["b3"][:2] == ("passed_over", "no_bid") and rows["b3"][2].startswith("NO_BID in ")
    assert all(rows[f"b{n}"][1] == "no_bid" and rows[f"b{n}"][2].startswith("FAILED") for n in DEAD)
    assert all(rows[f"b{n}"][1] == "no_bid" and rows[f"b{n}"][2].startswith("LATE") for n in SLOW)


def test_an_exclusive_offer_against_shared_ones(dev, world):
    client = dev.client()
    answer = client.ping(lt.ping(flo_campaign_id="exclusive")).json()
    assert answer["buyers"] == [{"buyer_id": "b1", "price": "11.00"}, {"buyer_id": "b0", "price": "10.00"},
                                {"buyer_id": "plain", "price": "9.00", "exclusive_price": "21.01"}]
    sold = client.ingest(lt.lead(flo_campaign_id="exclusive", flo_ping_id=answer["ping_id"]))
    assert [(row["buyer_id"], row["price"]) for row in dev.show(sold.data["id"])["sales"]] == [("plain", "21.01")]
    answer = client.ping(lt.ping(flo_campaign_id="exclusive", state="CA")).json()
    sold = client.ingest(lt.lead(flo_campaign_id="exclusive", state="CA", flo_ping_id=answer["ping_id"], flo_buyer_id="b1"))
    assert [(row["buyer_id"], row["price"]) for row in dev.show(sold.data["id"])["sales"]] == [("b1", "11.00")]


def test_kills_while_buyers_are_asked(dev, world):
    """Whatever dies, the supplier gets a sale or can ask again; one key is sold once."""
    client = dev.client()
    for name in ("router-1", "router-2", "dispatcher-1", "dispatcher-2", "validator-1"):
        key, body, got = f"while-{name}", lt.lead(flo_campaign_id="best_two"), []
        thread = threading.Thread(target=lambda: got.append(dev.client().ingest(body, idempotency_key=key)))
        thread.start()
        dev.kill_and_wait(name)
        thread.join(30)
        answer = got[0] if got[0].status == 201 else \
            lt.eventually(lambda: (again := client.ingest(body, idempotency_key=key)).status == 201 and again, 30)
        rows = dev.query("SELECT l.id::text FROM lead l WHERE l.raw->>'phone' = %s", body["phone"])
        assert rows == [(answer.data["id"],)]
        assert client.ingest(body, idempotency_key=key).data == answer.data
        assert dev.query_one("SELECT count(*) FROM sale WHERE lead_id = %s", answer.data["id"]) == len(dev.show(answer.data["id"])["sales"]) > 0
