"""Sales that depend on the buyer's answer, through all stages: real posts to buyers that accept, refuse, hang and fail."""
import json
import signal
import threading
import time
import uuid

import pytest

import leadline_testing as lt
import traffic

RESPONSES = [{"status": 200, "pointer": "/result", "equals": "no", "outcome": "REJECTED"},
             {"status": 200, "pointer": "/result", "equals": "dup", "outcome": "DUPLICATE"}, {"status": "200-299", "outcome": "ACCEPTED"}]
YES, NO, DUPLICATE = (200, '{"result":"yes"}'), (200, '{"result":"no"}'), (200, '{"result":"dup"}')
TIMEOUT_MS = 600
UNPAUSED = {"LEADLINE_BREAKER_PAUSE_MS": "100"}  # buyers that fail often are tried again and again
PRICES = {"a": "30.00", "b": "25.00", "c": "20.00"}


def configuration(endpoints, caps=None, **more):
    """Buyers a, b, c in this order."""
    caps = caps or {}
    return lt.document(
        buyers=[lt.buyer(id, delivery={"url": endpoint.url, "secrets": [lt.SECRET], "timeout_ms": TIMEOUT_MS, "responses": RESPONSES},
                         caps=[{"window": "total", "leads": 1_000_000}]) for id, endpoint in endpoints.items()],
        campaigns=[lt.campaign(**{"confirm": True, "deadline_ms": 4000, "duplicates": [{"fields": ["phone"], "window_days": 30}],
                                  "caps": [{"window": "total", "leads": 1_000_000}],
                                  "sources": [lt.source(cost={"mode": "REVENUE_SHARE", "percent": "10"}, answer="full", caps=[{"window": "day", "leads": 1_000_000}])],
                                  "contracts": [lt.contract(id, PRICES[id], priority=n, caps=[{"window": "day", "leads": caps.get(id, 1_000_000)}])
                                                for n, id in enumerate(endpoints, 1)], **more})])


@pytest.fixture
def endpoints():
    made = {id: lt.Buyer(YES) for id in PRICES}
    yield made
    for endpoint in made.values():
        endpoint.close()


def slow(answer, seconds):
    def reply(_request):
        time.sleep(seconds)
        return answer
    return reply


def by_turns(request):
    """What a buyer says of this lead: another buyer says something else."""
    turn = (uuid.UUID(request.data["id"]).bytes[15] + ord(request.data["buyer_id"])) % 8
    if turn == 4:
        time.sleep(2 * TIMEOUT_MS / 1000)
    return [YES, NO, DUPLICATE, 503, YES, YES, NO, YES][turn]


def settled(dev, seconds=30):
    """Until nobody is asked any more."""
    lt.eventually(lambda: dev.query_one("SELECT count(*) FROM distributing") == 0 and dev.query_one("SELECT count(*) FROM lead WHERE status = 'DISTRIBUTING'") == 0,
                  seconds, message=lambda: f"{dev.query('SELECT * FROM distributing')}")


def check(dev):
    """Sold once or not at all; who said yes in time, and is recorded so, has bought; the counters are the sums of the sales."""
    assert dev.query("SELECT id FROM lead l LEFT JOIN sale s ON s.lead_id = l.id WHERE (l.status = 'ACCEPTED') <> (s.lead_id IS NOT NULL)") == []
    assert dev.query("SELECT id FROM lead WHERE status::text NOT IN ('ACCEPTED', 'UNMATCHED')") == []
    assert dev.query("SELECT lead_id FROM sale GROUP BY lead_id HAVING count(*) > 1") == []
    assert dev.query("SELECT coalesce(s.lead_id, d.lead_id) FROM sale s FULL JOIN (SELECT * FROM delivery WHERE state = 'DELIVERED') d"
                     " ON (d.lead_id, d.n, d.buyer_id) = (s.lead_id, s.n, s.buyer_id) WHERE s.lead_id IS NULL OR d.lead_id IS NULL") == []
    assert dev.query("SELECT lead_id FROM delivery GROUP BY lead_id HAVING count(*) FILTER (WHERE state = 'OPEN') > 0") == []
    assert dev.query("SELECT * FROM reservation") == []
    assert dev.query("SELECT k.lead_id FROM duplicate_key k JOIN lead l ON l.id = k.lead_id WHERE l.status <> 'ACCEPTED'") == []
    for kind, column, cents in (("contract", "contract_id", "price_cents"), ("buyer", "buyer_id", "price_cents"), ("campaign", "campaign_id", "cost_cents")):
        wrong = dev.query(
            f"SELECT c.owner_id, c.total_leads, c.total_cents, c.day_leads, c.day_cents, s.leads, s.cents FROM counter c CROSS JOIN LATERAL"
            f" (SELECT count(*) AS leads, coalesce(sum({cents}), 0)::int8 AS cents FROM sale WHERE {column} = c.owner_id AND NOT is_test) s"
            f" WHERE c.kind::text = %s AND (c.total_leads, c.total_cents) <> (s.leads, s.cents)", kind)
        assert wrong == [], wrong


def check_answers(dev, load):
    """What the supplier was told last is what is recorded, and what it is told when it asks again."""
    client = dev.client()
    rows = {id: (status, body) for id, status, body in dev.query("SELECT id::text, answer_status, answer_body FROM lead")}
    for one in load.sent:
        again = client.ingest(one.lead, idempotency_key=one.key)
        assert rows[again.data["id"]] == (again.status, again.body.decode())
        if one.status in (200, 201):
            assert (one.status, one.body) == (again.status, again.body)
    assert len(rows) == len({one.key for one in load.sent}), "a lead was recorded twice"


def test_the_answer_decides(endpoints):
    endpoints["a"].answer, endpoints["b"].answer = NO, 503
    with lt.Dev(configuration(endpoints)) as dev:
        client = dev.client()
        answer = client.ingest(lt.lead())
        assert answer.status == 201
        assert answer.data["buyers"] == [{"buyer_id": "c", "price": "20.00"}] and answer.data["price"] == "20.00"
        assert [len(endpoint.requests) for endpoint in endpoints.values()] == [1, 1, 1]
        request, = endpoints["c"].requests
        assert request.is_signed() and request.json()["type"] == "lead.accepted" and request.data["price"] == "20.00"
        assert request.webhook_id == dev.query_one("SELECT id::text FROM delivery WHERE state = 'DELIVERED'")
        shown = dev.show(answer.data["id"])
        assert [(each["buyer_id"], each["state"]) for each in sorted(shown["deliveries"], key=lambda each: each["buyer_id"])] == \
            [("a", "REJECTED"), ("b", "FAILED"), ("c", "DELIVERED")]
        assert [(sale["buyer_id"], sale["price"], sale["state"]) for sale in shown["sales"]] == [("c", "20.00", "SOLD")]
        assert (shown["price"], shown["cost"]) == ("20.00", "2.00")

        endpoints["c"].answer = DUPLICATE
        answer = client.ingest(lt.lead())
        assert answer.status == 200 and answer.data["status"] == "UNMATCHED" and answer.data["buyer_id"] is None
        settled(dev)
        check(dev)
        assert [len(endpoint.requests) for endpoint in endpoints.values()] == [2, 2, 2], "the post is the delivery, none follows"


def test_while_a_buyer_thinks_the_lead_is_distributing(endpoints):
    event = threading.Event()
    endpoints["a"].answer = lambda _request: event.wait(5) and YES
    changed = configuration(endpoints)
    changed["buyers"][0]["delivery"]["timeout_ms"] = 3500
    with lt.Dev(changed) as dev:
        lead, key, answers = lt.lead(), str(uuid.uuid4()), []
        threads = [threading.Thread(target=lambda: answers.append(dev.client().ingest(lead, idempotency_key=key))) for _ in range(2)]
        threads[0].start()
        id = endpoints["a"].wait(1)[0].data["id"]
        threads[1].start()  # the repeat waits for the first
        seen = dev.client().get(f"/api/v1/leads/{id}")
        assert seen.status == 200 and seen.data["status"] == "DISTRIBUTING" and seen.data["reasons"] == []
        event.set()
        for thread in threads:
            thread.join()
        assert answers[0].status == 201 and answers[0].body == answers[1].body
        assert dev.client().get(f"/api/v1/leads/{id}").data["status"] == "ACCEPTED"
        assert len(endpoints["a"].requests) == 1
        check(dev)


def test_a_late_yes_is_no_sale(endpoints):
    """The next buyer has the lead; the late one is recorded, not charged."""
    endpoints["a"].answer = slow(YES, 1.5)
    changed = configuration(endpoints, deadline_ms=900)
    changed["buyers"][0]["delivery"]["timeout_ms"] = 15000
    with lt.Dev(changed) as dev:
        answer = dev.client().ingest(lt.lead())
        assert answer.status == 200 and answer.data["status"] == "UNMATCHED", "a had all the time that there was"
        lt.eventually(lambda: dev.query("SELECT verdict, http_status FROM attempt") == [("LATE", 200)], 10, message=lambda: dev.query("SELECT verdict FROM attempt"))
        assert dev.query("SELECT state::text FROM delivery") == [("FAILED",)]
        settled(dev)
        check(dev)
        assert [attempt["verdict"] for attempt in dev.show(answer.data["id"])["deliveries"][0]["attempts"]] == ["LATE"]


def test_the_campaigns_deadline_is_longer_than_the_gateways(endpoints):
    endpoints["a"].answer, endpoints["b"].answer = slow(NO, 0.5), slow(YES, 0.5)
    with lt.Dev(configuration(endpoints), env={"LEADLINE_DEADLINE_MS": "700"}) as dev:
        answer = dev.client().ingest(lt.lead())
        assert answer.status == 201 and answer.data["buyer_id"] == "b"
        check(dev)


def test_the_supplier_may_shorten_it(endpoints):
    endpoints["a"].answer, endpoints["b"].answer = slow(NO, 0.4), slow(YES, 3)
    with lt.Dev(configuration(endpoints)) as dev:
        answer = dev.client().ingest(lt.lead(flo_timeout_ms=800))
        assert answer.status == 200 and answer.data["status"] == "UNMATCHED"
        assert endpoints["c"].requests == []
        settled(dev)
        check(dev)


def test_a_dead_buyer_costs_nothing_and_a_hanging_one_its_time(endpoints):
    changed = configuration(endpoints)
    changed["buyers"][0]["delivery"]["url"] = f"http://127.0.0.1:{lt.free_port()}/"
    endpoints["b"].answer = slow(YES, 3)
    with lt.Dev(changed) as dev:
        answer = dev.client().ingest(lt.lead())
        assert answer.status == 201 and answer.data["buyer_id"] == "c"
        verdicts = dict(dev.query("SELECT d.buyer_id, a.verdict || ' ' || a.answer FROM attempt a JOIN delivery d ON d.lead_id = a.lead_id AND d.id = a.delivery_id"))
        assert verdicts["a"] == "FAILED refused" and verdicts["b"] == "FAILED timeout"
        check(dev)


def test_caps_are_exact_while_buyers_do_what_they_like(endpoints):
    """Places are held while a buyer thinks, given back when it refuses, and sold to the last one."""
    for endpoint in endpoints.values():
        endpoint.answer = by_turns
    with lt.Dev(configuration(endpoints, caps={"a": 20, "b": 20, "c": 20}), routers=2, dispatchers=2, env=UNPAUSED) as dev:
        load = traffic.Traffic(dev.port, (lt.lead() for _ in range(300)), connections=16)
        load.wait()
        settled(dev)
        statuses = traffic.statuses(load.sent)
        assert set(statuses) == {(201, "ACCEPTED"), (200, "UNMATCHED")}, statuses
        check(dev)
        check_answers(dev, load)
        sold = dict(dev.query("SELECT contract_id, count(*) FROM sale GROUP BY 1"))
        assert statuses[(201, "ACCEPTED")] == sum(sold.values()) and max(sold.values()) <= 20, sold
        for endpoint in endpoints.values():
            endpoint.answer = YES
        client = dev.client()
        # What was given back is there; an endpoint that is paused at this moment comes again.
        lt.eventually(lambda: client.ingest(lt.lead()).status in (200, 201) and dev.query_one("SELECT count(*) FROM sale") == 60, 30, 0.001)
        assert client.ingest(lt.lead()).status == 200
        assert dict(dev.query("SELECT contract_id, count(*) FROM sale GROUP BY 1")) == {"a": 20, "b": 20, "c": 20}
        check(dev)


def test_the_router_dies_between_the_yes_and_the_sale(endpoints):
    """The dispatcher has recorded the yes: another router makes it a sale."""
    with lt.Dev(configuration(endpoints), routers=2) as dev:
        def kill(_request):
            for name in ("router-1", "router-2"):
                dev.kill(name)
            return YES
        endpoints["a"].answer = kill
        lead, key = lt.lead(), str(uuid.uuid4())
        first = dev.client().ingest(lead, idempotency_key=key)
        endpoints["a"].answer = YES
        settled(dev)
        again = lt.eventually(lambda: (answer := dev.client().ingest(lead, idempotency_key=key)).status != 503 and answer, 20)
        assert again.status == 201 and again.data["buyer_id"] == "a"
        assert first.status == 503 or first.body == again.body
        assert len(endpoints["a"].requests) == 1 and dev.query_one("SELECT count(*) FROM lead") == 1
        check(dev)


def test_the_dispatcher_dies_between_the_yes_and_the_record(endpoints):
    """Nobody knows of the yes: it is no sale, and the next buyer is asked."""
    with lt.Dev(configuration(endpoints)) as dev:
        def kill(_request):
            dev.kill("dispatcher-1")
            return YES
        endpoints["a"].answer = kill
        lead, key = lt.lead(), str(uuid.uuid4())
        first = dev.client().ingest(lead, idempotency_key=key)
        settled(dev)
        again = dev.client().ingest(lead, idempotency_key=key)
        assert again.status in (200, 201) and (first.status == 503 or first.body == again.body)
        assert dev.query("SELECT count(*) FROM sale WHERE buyer_id = 'a'") == [(0,)] and len(endpoints["a"].requests) == 1
        assert dev.query("SELECT state::text FROM delivery WHERE buyer_id = 'a'") == [("FAILED",)]
        check(dev)


def test_kills_of_routers_and_dispatchers(endpoints):
    """Between a buyer's yes and the record, or anywhere: sold once or not at all, caps right, and the repeat gets the truth."""
    for endpoint in endpoints.values():
        endpoint.answer = by_turns
    with lt.Dev(configuration(endpoints), routers=2, dispatchers=2, env=UNPAUSED) as dev:
        load = traffic.Traffic(dev.port, traffic.endless(), connections=12, insist=True, pause=0.02, timeout=12)
        load.wait_answers(60)
        for victim in ["router-1", "dispatcher-1", "router-2", "dispatcher-2", "router-1", "dispatcher-1"]:
            dev.kill_and_wait(victim)
            load.wait_answers(60, 60)
        load.stop()
        settled(dev)
        statuses = traffic.statuses(load.sent)
        assert set(statuses) <= {(201, "ACCEPTED"), (200, "UNMATCHED")}, statuses
        assert statuses[(201, "ACCEPTED")] > statuses[(200, "UNMATCHED")]
        check(dev)
        check_answers(dev, load)
        check(dev)  # asking again changed nothing
        ids = [request.webhook_id for endpoint in endpoints.values() for request in endpoint.requests]
        assert len(ids) == len(set(ids)), "posted twice"


def test_instances_come_and_go(endpoints):
    """TERM of a router and of a dispatcher: no request fails."""
    endpoints["a"].answer = slow(YES, 0.1)
    with lt.Dev(configuration(endpoints), routers=2, dispatchers=2) as dev:
        load = traffic.Traffic(dev.port, traffic.endless(), connections=12, pause=0.01)
        load.wait_answers(100)
        for name in ("router-1", "dispatcher-1", "router-2", "dispatcher-2"):
            dev.kill_and_wait(name, signal.SIGTERM, 30)
            load.wait_answers(100)
        load.stop()
        settled(dev)
        assert [one for one in load.tries if one.error] == []
        assert set(traffic.statuses(load.sent)) == {(201, "ACCEPTED")}, traffic.statuses(load.sent)
        check(dev)
        check_answers(dev, load)
