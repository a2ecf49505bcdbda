"""The router and ping-post: pings, posts and live bids. The test plays the dispatcher that asks the buyers."""
import base64
import json
import time
import uuid

import pytest

from leadline_testing import buyer, campaign, contract, document, eventually, source, supplier
from played import BIDS, frame, uuid7
from test_router import CAMPAIGN, OTHER, RULES, SUPPLIER, make_rig, person, rig  # noqa: F401 (fixtures)

PING, FULL = 1, 2
BIDDERS = ["one", "two", "three"]
TEXAS = {"state": "TX"}


def ping_post(**more):
    """buyer_abc, then buyer_def, with prices of their contracts."""
    return document(buyers=[buyer(), buyer("buyer_def")], suppliers=[supplier(), supplier(OTHER, key="other")], campaigns=[
        campaign(**{"routing": "PING_POST", "sources": [source(), source(OTHER)],
                    "contracts": [contract(priority=1), contract("buyer_def", "20.00", priority=2)], **more})])


def live(timeout_ms=5000, **more):
    """Three buyers who bid, and one with a price of 25.00."""
    return document(buyers=[*(buyer(id, ping={"url": "http://127.0.0.1:9/ping", "timeout_ms": timeout_ms}) for id in BIDDERS), buyer("plain")], campaigns=[
        campaign(**{"routing": "PING_POST", "distribution": "HIGHEST_BID", "contracts": [*(contract(id, "1.00") for id in BIDDERS), contract("plain", "25.00")],
                    "fields": [{"name": "state", "ping": True}, {"name": "email", "ping": "sha256"}], **more})])


def ping(rig, router, fields=TEXAS, **more):
    """A ping, and what it is answered as JSON."""
    answer = rig.ask(router, rig.item(fields, mode=PING, **more))
    assert answer.is_recorded is False
    return json.loads(answer.body)


def buyers(answer):
    return [(item["buyer_id"], item["price"]) for item in answer["buyers"]]


def questions(rig, count, dispatcher=None):
    """The first so many questions that came to the played dispatcher, by buyer."""
    def all_there():
        asked = [item for item in (dispatcher or rig.dispatcher).items if isinstance(item.get(6), list) and isinstance(item[5], int) and item.get(9) is None]
        return len(asked) >= count and asked[:count]
    return {item[3]: item for item in eventually(all_there, 10, 0.005, f"{count} questions")}


def bid(question, outcome="BID", cents=0, took_ms=7):
    item = {1: question[1], 2: outcome, 4: took_ms}
    return {**item, 3: cents} if cents else item


def say(rig, router, *bids):
    rig.neighbours.push(router, frame(BIDS, list(bids), "dispatcher-1"))


# Pings with static prices ----------------------------------------------------------------------------------------------

def test_a_ping_leaves_nothing(rig):
    rig.apply(ping_post(caps=[{"window": "day", "leads": 9}], duplicates=RULES))
    router = rig.start()
    tables = "SELECT (SELECT count(*) FROM lead), (SELECT count(*) FROM trail), (SELECT count(*) FROM ping_used), (SELECT array_agg(c ORDER BY id) FROM counter c)"
    before = rig.query(tables)
    answer = ping(rig, router, person())
    assert answer["accepted"] is True and buyers(answer) == [("buyer_abc", "25.00"), ("buyer_def", "20.00")]
    assert rig.query(tables) == before and rig.dispatcher.items == []
    assert router.metric("leadline_pings_total", answer="accepted") == 1 and router.metric("leadline_leads_total") == 0


def test_a_ping_waits_for_no_lock(rig):
    caps = [{"window": "day", "leads": 2}]
    rig.apply(ping_post(contracts=[contract(caps=caps)]))
    router = rig.start()
    with rig.database.connect() as holder:
        holder.autocommit = False
        holder.cursor().execute("SELECT id FROM counter FOR UPDATE")
        post = rig.send(router, [rig.item(mode=FULL)])
        rig.wait_blocked(router)
        assert buyers(ping(rig, router)) == [("buyer_abc", "25.00")]
        holder.rollback()
    assert rig.answers(post)[0].status == 201
    assert rig.ask(router, rig.item(mode=FULL)).status == 201
    assert ping(rig, router)["reason"] == "capped"


def test_many_pings_at_once(rig):
    rig.apply(ping_post(contracts=[contract(caps=[{"window": "day", "leads": 2}])], duplicates=RULES))
    router = rig.start()
    answers = rig.ask_all(router, [rig.item(person(), mode=PING) for _ in range(1500)])
    assert all(json.loads(answer.body)["accepted"] for answer in answers)
    assert len({json.loads(answer.body)["ping_id"] for answer in answers}) == 1500


def test_a_ping_judged_by_a_newer_catalog_waits_for_it(rig):
    rig.apply(ping_post())
    router = rig.start()
    changed = ping_post()
    changed["campaigns"][0]["contracts"][0]["price"] = "26.00"
    rig.apply(changed)
    assert buyers(ping(rig, router))[0] == ("buyer_abc", "26.00")
    assert ping(rig, router, version=rig.version + 5)["accepted"] is True  # there is none so new: what the database has lost


def test_pings_of_suppliers_that_may_not_sell(rig):
    rig.apply(ping_post(sources=[source(status="PAUSED"), source(OTHER, caps=[{"window": "day", "leads": 0}])]))
    router = rig.start()
    assert ping(rig, router)["error"] == "source_paused" and ping(rig, router, supplier=OTHER)["error"] == "source_capped"
    answer = ping(rig, router, reason="validation_failed", errors=[["age", "invalid_format", None, "must be a number"]])
    assert (answer["error"], answer["field_errors"]) == ("validation_failed", [{"field": "age", "code": "invalid_format", "message": "must be a number"}])
    assert ping(rig, router, reason="filtered")["reason"] == "filtered"


# Posts -----------------------------------------------------------------------------------------------------------------

def test_one_ping_at_two_routers_is_sold_once(rig):
    rig.apply(ping_post())
    routers = rig.start(2)
    for _ in range(20):
        id = ping(rig, routers[0])["ping_id"]
        items = [rig.item(mode=0, ping_id=id) for _ in routers]
        ids = [rig.send(router, [item])[0] for router, item in zip(routers, items)]
        answers = rig.answers(ids)
        assert sorted(answer.status for answer in answers) == [201, 422]
        sold, used = sorted((json.loads(answer.body) for answer in answers), key=lambda body: "error" in body)
        assert used["error"] == "ping_used" and used["data"] == sold["data"]
    assert rig.query_one("SELECT count(*) FROM ping_used") == 20
    rig.check()


def test_a_key_that_this_router_has_not_read(rig):
    rig.apply(ping_post())
    first = rig.start()
    ping(rig, first)
    rig.query("INSERT INTO ping_key (id, key, created_at) VALUES (77, sha256('new'), clock_timestamp() - interval '5 minutes')")
    rig.query("UPDATE ping_key SET created_at = created_at - interval '1 hour' WHERE id = 1")
    second = rig.start()
    id = ping(rig, second)["ping_id"]
    assert base64.urlsafe_b64decode(id[:4])[1] == 77
    eventually(lambda: rig.ask(first, rig.item(ping_id=id)).status == 201, 5)  # at once, unless it has read the keys in this moment
    gone = base64.urlsafe_b64encode(bytes([1, 200])).decode()[:2] + id[2:]
    assert json.loads(rig.ask(first, rig.item(ping_id=gone)).body)["error"] == "ping_mismatch"


def test_keys_come_and_go(rig):
    rig.apply(ping_post())
    rig.query("UPDATE ping_key SET id = 253, created_at = created_at - interval '4 days'")
    rig.query("INSERT INTO ping_key (id, key, created_at) SELECT n, sha256(n::text::bytea), now() - (257 - n) * interval '25 hours' FROM generate_series(254, 255) n")
    rig.start()
    eventually(lambda: rig.query("SELECT id, age < interval '1 minute' FROM (SELECT id, now() - created_at AS age FROM ping_key) k ORDER BY age")
               == [(1, True), (255, False), (254, False)], 10)


def test_used_pings_are_cleaned(rig):
    rig.apply(ping_post())
    rig.query("INSERT INTO ping_used (ping_id, lead_id, expires_at) SELECT gen_random_uuid(), gen_random_uuid(), now() + n * interval '1 hour' FROM generate_series(-3, 3) n")
    rig.start()
    eventually(lambda: rig.query_one("SELECT count(*) FROM ping_used") == 3, 20)


# Live bids -------------------------------------------------------------------------------------------------------------

def test_buyers_are_asked_for_what_may_go_out(rig):
    rig.apply(live(timeout_ms=300))
    router = rig.start()
    item = rig.item({"state": "TX", "email": "john@example.com", "first_name": "John"}, mode=PING)
    ids = rig.send(router, [item])
    asked = questions(rig, 3)
    assert set(asked) == set(BIDDERS)
    for question in asked.values():
        assert question[2] == item[1] and question[4] == CAMPAIGN and 250 <= question[5] <= 300
        assert question[6] == [["email", 0, "855f96e983f1f8e8be944692b6f719fd54329826cb62e98015efee8e2e071dd4"], ["state", 0, "TX"]]
    assert rig.gateway.of(ids[0]) == []  # it waits
    say(rig, router, bid(asked["one"], cents=3150), bid(asked["two"], "NO_BID"), bid(asked["three"], cents=999))
    answer = json.loads(rig.answers(ids)[0].body)
    assert buyers(answer) == [("one", "31.50"), ("plain", "25.00"), ("three", "9.99")]
    assert router.metric("leadline_auctions_total") == 1 and router.metric("leadline_questions_total", outcome="BID") == 2
    sold = rig.ask(router, rig.item({"state": "TX", "email": "john@example.com", "first_name": "John"}, ping_id=answer["ping_id"]))
    assert json.loads(sold.body)["data"]["buyer_id"] == "one"
    assert rig.query("SELECT buyer_id, price_cents FROM sale") == [("one", 3150)]


def test_who_does_not_answer_in_time_is_left_out(rig):
    rig.apply(live())
    router = rig.start()
    began = time.monotonic()
    ids = rig.send(router, [rig.item(TEXAS, mode=PING, left_ms=700)])
    asked = questions(rig, 3)
    assert 500 <= asked["one"][5] <= 650
    say(rig, router, bid(asked["two"], cents=3000))
    answer = json.loads(rig.answers(ids)[0].body)
    assert buyers(answer) == [("two", "30.00"), ("plain", "25.00")]
    assert time.monotonic() - began >= 0.6
    say(rig, router, bid(asked["one"], cents=9000), {1: uuid7().bytes, 2: "BID", 3: 1})  # too late, and never asked
    assert len(rig.gateway.of(ids[0])) == 1
    assert router.metric("leadline_questions_total", outcome="LATE") == 2


def test_with_too_little_time_nobody_is_asked(rig):
    rig.apply(live())
    router = rig.start()
    ids = rig.send(router, [rig.item(TEXAS, mode=PING, left_ms=95)])
    assert buyers(json.loads(rig.answers(ids)[0].body)) == [("plain", "25.00")]
    assert rig.dispatcher.items == []


def test_without_a_dispatcher_nobody_bids(make_rig):
    rig = make_rig(dispatchers=0)
    rig.apply(live())
    assert buyers(ping(rig, rig.start())) == [("plain", "25.00")]


def test_a_dispatcher_that_dies_keeps_nobody_waiting(rig):
    rig.apply(live())
    router = rig.start()
    ids = rig.send(router, [rig.item(TEXAS, mode=PING, left_ms=60000)])
    say(rig, router, bid(questions(rig, 3)["three"], cents=2600))
    rig.neighbours.vanish("dispatcher-1")
    assert buyers(json.loads(rig.answers(ids)[0].body)) == [("three", "26.00"), ("plain", "25.00")]
    assert router.metric("leadline_questions_total", outcome="FAILED") == 2


def test_only_who_could_buy_is_asked(rig):
    contracts = [contract("one", states=["CA"]), contract("two", caps=[{"window": "day", "leads": 0}]), contract("three", id="t1"), contract("three", id="t2"),
                 contract("plain", status="PAUSED")]
    rig.apply(live(contracts=contracts))
    router = rig.start()
    ids = rig.send(router, [rig.item(TEXAS, mode=PING)])
    asked = questions(rig, 1)
    say(rig, router, bid(asked["three"], cents=100))
    assert buyers(json.loads(rig.answers(ids)[0].body)) == [("three", "1.00")]
    assert len(rig.dispatcher.items) == 1


def test_a_budget_is_held_against_the_bid(rig):
    rig.apply(live(contracts=[contract("one", caps=[{"window": "day", "budget": "10.00"}]), contract("two", caps=[{"window": "day", "budget": "10.00"}])]))
    router = rig.start()
    ids = rig.send(router, [rig.item(TEXAS, mode=PING)])
    asked = questions(rig, 2)
    say(rig, router, bid(asked["one"], cents=1001), bid(asked["two"], cents=1000))
    assert buyers(json.loads(rig.answers(ids)[0].body)) == [("two", "10.00")]


@pytest.mark.parametrize("changes, mode", [({}, FULL), ({"routing": "DIRECT_POST"}, 0)], ids=["both in one call", "highest bid"])
def test_a_lead_is_sold_by_bids(rig, changes, mode):
    rig.apply(live(**changes))
    router = rig.start()
    item = rig.item(mode=mode)
    ids = rig.send(router, [item])
    asked = questions(rig, 3)
    rig.send(router, [{**item, 8: True}])  # the gateway has grown impatient: it is in hand, and asked for once
    say(rig, router, bid(asked["one"], cents=2600, took_ms=12), bid(asked["two"], cents=2700, took_ms=40), bid(asked["three"], "LATE", took_ms=300))
    answer = rig.answers(ids)[0]
    assert answer.status == 201 and json.loads(answer.body)["data"]["buyer_id"] == "two"
    assert rig.query("SELECT buyer_id, price_cents FROM sale") == [("two", 2700)]
    assert rig.query_one("SELECT decisions FROM trail") == [
        {"contract_id": "two", "decision": "sold", "detail": "27.00, bid in 40 ms"},
        {"contract_id": "one", "decision": "not_needed", "reason": "sold_out", "detail": "26.00, bid in 12 ms"},
        {"contract_id": "plain", "decision": "not_needed", "reason": "sold_out"},
        {"contract_id": "three", "decision": "passed_over", "reason": "no_bid", "detail": "LATE in 300 ms"}]
    assert router.metric("leadline_questions_total") == 3
    rig.check()


def test_nobody_bids_and_nobody_else_is_there(rig):
    rig.apply(live(contracts=[contract(id) for id in BIDDERS]))
    router = rig.start()
    ids = rig.send(router, [rig.item(mode=FULL)])
    say(rig, router, *(bid(question, "NO_BID") for question in questions(rig, 3).values()))
    assert json.loads(rig.answers(ids)[0].body)["data"]["status"] == "UNMATCHED"
    assert {row["reason"] for row in rig.query_one("SELECT decisions FROM trail")} == {"no_bid"}


def test_a_lead_that_nobody_could_buy_asks_nobody(rig):
    rig.apply(live(duplicates=RULES))
    router = rig.start()
    fields = person()
    ids = rig.send(router, [rig.item(fields, mode=FULL)])
    say(rig, router, *(bid(question, cents=3000) for question in questions(rig, 3).values()))
    assert rig.answers(ids)[0].status == 201
    assert rig.ask(router, rig.item(fields, mode=FULL)).status == 409
    assert router.metric("leadline_questions_total") == 3


def test_nobody_is_asked_again_for_what_is_recorded(rig):
    rig.apply(live())
    router = rig.start()
    key, fields = uuid.uuid4(), person()
    item = rig.item(fields, mode=FULL, key=key)
    ids = rig.send(router, [item])
    say(rig, router, *(bid(question, cents=3000) for question in questions(rig, 3).values()))
    first = rig.answers(ids)[0]
    assert first.status == 201
    assert rig.ask(router, rig.item(fields, mode=FULL, key=key)).body == first.body
    rig.send(router, [{**item, 8: True}])
    assert rig.answers(ids, count=2)[0].body == first.body
    assert router.metric("leadline_questions_total") == 3


def test_a_lead_whose_supplier_gave_up_is_not_sold(rig):
    """It left in time for the bids, but not for the batch."""
    rig.apply(live())
    router = rig.start()
    with rig.database.connect() as holder:
        holder.autocommit = False
        holder.cursor().execute("SELECT pg_advisory_xact_lock(4701, 1)")
        ids = rig.send(router, [rig.item(mode=FULL, left_ms=400)])
        eventually(lambda: router.metric("leadline_auctions_total") == 1, 5)
        rig.wait_blocked(router)
        time.sleep(0.1)
        holder.rollback()
    eventually(lambda: router.metric("leadline_leads_dropped_total") == 1, 5)
    assert rig.gateway.of(ids[0]) == [] and rig.statuses() == {}


@pytest.mark.parametrize("damaged", [{1: b"short", 2: "BID", 3: 1}, {1: uuid.uuid4().bytes, 2: "PERHAPS"}, {1: uuid.uuid4().bytes, 2: "BID", 3: 0},
                                     {1: uuid.uuid4().bytes, 2: "BID", 3: -5}, {1: uuid.uuid4().bytes}, "no map"])
def test_damaged_bids_are_dropped(rig, damaged):
    rig.apply(live())
    router = rig.start()
    ids = rig.send(router, [rig.item(TEXAS, mode=PING)])
    asked = questions(rig, 3)
    say(rig, router, damaged)
    say(rig, router, *(bid(question, cents=3000) for question in asked.values()))
    assert len(json.loads(rig.answers(ids)[0].body)["buyers"]) == 4
    assert "event=frame.refused" in router.log() or "refused" in router.log()


def test_many_auctions_at_once(rig):
    rig.apply(live())
    router = rig.start()
    ids = rig.send(router, [rig.item(TEXAS, mode=PING if n % 2 else FULL, left_ms=30000) for n in range(300)])
    eventually(lambda: len(rig.dispatcher.items) >= 900, 15)
    asked = [item for item in rig.dispatcher.items if isinstance(item.get(6), list)]
    for at in range(0, len(asked), 100):
        say(rig, router, *(bid(question, cents=3000 + BIDDERS.index(question[3])) for question in asked[at:at + 100]))
    answers = rig.answers(ids, 30)
    for n, answer in enumerate(answers):
        body = json.loads(answer.body)
        assert buyers(body)[0] == ("three", "30.02") if n % 2 else body["data"]["buyer_id"] == "three"
    assert rig.query_one("SELECT count(*) FROM sale WHERE price_cents = 3002") == 150
    rig.check()


def test_stopping_waits_for_the_bids(rig):
    rig.apply(live())
    router = rig.start()
    ids = rig.send(router, [rig.item(TEXAS, mode=PING)])
    asked = questions(rig, 3)
    router.signal(15)
    eventually(lambda: "stage.stopping" in router.log() or "stopping" in router.log(), 5)
    say(rig, router, *(bid(question, cents=3000) for question in asked.values()))
    assert len(json.loads(rig.answers(ids)[0].body)["buyers"]) == 4
    assert router.process.wait(30) == 0
