"""
Leads whose sale depends on the buyer's answer, with real routers. The test is the dispatcher: it gets the post that asks, writes what the buyer said
as dispatcher/store.c does, and tells the router.
"""
import json
import threading
import time
import uuid

import pytest

from leadline_testing import buyer, campaign, contract, document, eventually, source, supplier
from played import VERDICTS, frame, uuid7
from router_rig import CAMPAIGN, make_rig, person, rig  # noqa: F401 (fixtures)
from test_settle import CAPS, MONEY, SUMS

RULES = [{"fields": ["phone"], "window_days": 30}]


def confirmed(buyers=("buyer_abc", "buyer_def"), timeout_ms=15000, caps=CAPS, contracts=None, **more):
    """These buyers are asked in this order, for 25.00, 24.00 …"""
    return document(suppliers=[supplier(caps=caps)],
                    buyers=[buyer(id, caps=caps, delivery={"url": f"http://127.0.0.1:1/{id}", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjfuu/E2pA=="],
                                                           "timeout_ms": timeout_ms}) for id in buyers],
                    campaigns=[campaign(**{"confirm": True, "duplicates": RULES, "caps": caps,
                                           "sources": [source(caps=caps, cost={"mode": "REVENUE_SHARE", "percent": "10"}, answer="full")],
                                           "contracts": contracts or [contract(id, f"{25 - n}.00", priority=n + 1, caps=caps) for n, id in enumerate(buyers)],
                                           **more})])


class Asked:
    """The posts that ask, in order of arrival; and the buyers' words."""

    def __init__(self, rig):
        self.rig = rig
        self.seen = 0

    def next(self, seconds=10):
        """The next post: delivery id, lead id, buyer, its time."""
        items = self.rig.dispatcher.items
        eventually(lambda: len(items) > self.seen, seconds, 0.005, message="nobody is asked")
        item = items[self.seen]
        self.seen += 1
        assert item[11] > 0 and item[9] == 0
        return {"id": uuid.UUID(bytes=item[1]), "lead": uuid.UUID(bytes=item[2]), "buyer": item[3], "price": item[5], "confirm_ms": item[11],
                "router": self.rig.dispatcher.frames[-1][1]}

    def record(self, post, state, redirect_url=None):
        verdict = {"DELIVERED": "ACCEPTED"}.get(state, state)
        return self.rig.query("WITH d AS (UPDATE delivery SET state = %s::delivery_state, attempt = 1, lease_by = NULL WHERE lead_id = %s::uuid AND id = %s::uuid"
                              " AND state = 'OPEN' AND attempt = 0 RETURNING lead_id, id)"
                              " INSERT INTO attempt (lead_id, delivery_id, attempt, at, took_ms, http_status, verdict, redirect_url)"
                              " SELECT lead_id, id, 1, now(), 5, 200, %s, %s FROM d RETURNING 1",
                              state, str(post["lead"]), str(post["id"]), verdict, redirect_url) == [(1,)]

    def tell(self, post, state, router=None):
        for each in [router] if router else self.rig.routers:
            if each.process.poll() is None:
                self.rig.neighbours.push(each, frame(VERDICTS, [{1: post["id"].bytes, 2: post["lead"].bytes, 3: state}], "dispatcher-1"))

    def say(self, post, state, router=None, **more):
        assert self.record(post, state, **more)
        self.tell(post, state, router)

    def nobody(self):
        assert len(self.rig.dispatcher.items) == self.seen


@pytest.fixture
def asked(rig):
    return Asked(rig)


def recounted(rig):
    """What the counters must say by the sales and by the places that are held."""
    rows = []
    held = ("(SELECT campaign_id, supplier_id, contract_id, buyer_id, price_cents, cost_cents, lead_id, sold_at AS at, state::text, is_test FROM sale UNION ALL"
            " SELECT campaign_id, supplier_id, contract_id, buyer_id, price_cents, cost_cents, lead_id, reserved_at, 'SOLD', is_test FROM reservation"
            " WHERE state <> 'REFUSED') s")
    for kind, owner in rig.query("SELECT kind::text, owner_id FROM counter ORDER BY 1, 2"):
        pays = kind in ("buyer", "contract")
        column = {"buyer": "buyer_id", "contract": "contract_id", "campaign": "campaign_id"}.get(kind, "supplier_id")
        rows.append((kind, owner, *list(rig.query(
            f"SELECT {'count(*)' if pays else 'count(DISTINCT lead_id)'}, coalesce(sum({'price_cents' if pays else 'cost_cents'}), 0)::int8 FROM {held}"
            f" WHERE NOT is_test AND {column} = %s{' AND state = %s' if pays else ' AND %s IS NOT NULL'}", owner, "SOLD")[0]) * 5))
    return rows


def check(rig):
    assert rig.query(SUMS) == recounted(rig)
    assert rig.query("SELECT lead_id FROM distributing") == [] and rig.query("SELECT lead_id FROM reservation") == []
    assert rig.query("SELECT id FROM lead WHERE status = 'DISTRIBUTING'") == []
    assert rig.query("SELECT s.lead_id FROM sale s LEFT JOIN delivery d ON (d.lead_id, d.n, d.buyer_id, d.state::text) = (s.lead_id, s.n, s.buyer_id, 'DELIVERED')"
                     " WHERE d.id IS NULL") == [], "a sale whose buyer has not accepted"
    assert rig.query("SELECT d.lead_id FROM delivery d LEFT JOIN sale s ON (d.lead_id, d.n) = (s.lead_id, s.n) WHERE d.state = 'DELIVERED' AND s.n IS NULL") == []
    assert rig.query("SELECT k.lead_id FROM duplicate_key k JOIN lead l ON l.id = k.lead_id WHERE l.status <> 'ACCEPTED'") == []
    rig.check()


def data(answer):
    return json.loads(answer.body)["data"]


def trail(rig, id):
    """[decision, contract, reason] in order."""
    return [[decision["decision"], decision.get("contract_id"), decision.get("reason")]
            for decisions, in rig.query("SELECT decisions FROM trail WHERE lead_id = %s::uuid ORDER BY at", str(id)) for decision in decisions]


def test_the_first_buyer_accepts(rig, asked):
    rig.apply(confirmed())
    router = rig.start()
    id, = rig.send(router, [rig.item()])
    post = asked.next()
    assert (post["lead"], post["buyer"], post["price"]) == (id, "buyer_abc", 2500) and 4000 < post["confirm_ms"] <= 5000
    assert rig.statuses() == {"DISTRIBUTING": 1}
    assert rig.query("SELECT state::text, due_at = 'infinity', n FROM delivery") == [("OPEN", True, 0)]
    assert rig.query(SUMS) == recounted(rig) and rig.query_one("SELECT total_leads FROM counter WHERE kind = 'buyer' AND owner_id = 'buyer_abc'") == 1
    assert rig.gateway.of(id) == []
    asked.say(post, "DELIVERED")
    answer, = rig.answers([id])
    assert answer.status == 201 and data(answer) == {"id": str(id), "status": "ACCEPTED", "buyer_id": "buyer_abc", "campaign_id": CAMPAIGN,
                                                     "buyers": [{"buyer_id": "buyer_abc", "price": "25.00"}], "price": "25.00"}
    assert rig.query("SELECT status::text, price_cents, cost_cents FROM lead") == [("ACCEPTED", 2500, 250)]
    assert trail(rig, id) == [["asked", "buyer_abc", None], ["asked_later", "buyer_def", None], ["accepted", "buyer_abc", None], ["sold", None, None]]
    check(rig)


def test_who_has_no_room_when_its_turn_comes_is_in_the_trail(rig, asked):
    contracts = [contract("a", "25.00", priority=1), contract("b", "24.00", priority=2, caps=[{"window": "day", "leads": 1}]), contract("c", "23.00", priority=3)]
    rig.apply(confirmed(["a", "b", "c"], contracts=contracts, caps=[]))
    router = rig.start()
    first, = rig.send(router, [rig.item()])
    one = asked.next()
    second, = rig.send(router, [rig.item()])
    asked.say(asked.next(), "REJECTED")  # b's place is the second lead's now
    assert asked.next()["buyer"] == "b"
    asked.say(one, "REJECTED")
    asked.say(asked.next(), "DELIVERED")
    assert data(rig.answers([first])[0])["buyer_id"] == "c"
    assert trail(rig, first) == [["asked", "a", None], ["asked_later", "b", None], ["asked_later", "c", None],
                                 ["refused", "a", "buyer_rejected"], ["passed_over", "b", "contract_cap"], ["asked", "c", None],
                                 ["accepted", "c", None], ["sold", None, None]]


def test_a_lead_without_the_time_to_ask_anybody(rig, asked):
    rig.apply(confirmed())
    router = rig.start()
    id = uuid7()
    eventually(lambda: rig.send(router, [rig.item(id=id, left_ms=149)]) and rig.gateway.of(id), every=0.2)  # one that waits so long is dropped
    assert data(rig.answers([id])[0])["status"] == "UNMATCHED"
    assert trail(rig, id) == [["passed_over", "buyer_abc", "no_time"], ["passed_over", "buyer_def", "no_time"]]
    asked.nobody()


@pytest.mark.parametrize("word, reason", [("REJECTED", "buyer_rejected"), ("DUPLICATE", "buyer_duplicate"), ("FAILED", "no_answer")])
def test_a_refusal_goes_to_the_next(rig, asked, word, reason):
    rig.apply(confirmed())
    router = rig.start()
    id, = rig.send(router, [rig.item()])
    asked.say(asked.next(), word)
    post = asked.next()
    assert post["buyer"] == "buyer_def" and post["price"] == 2400
    assert rig.query(SUMS) == recounted(rig)
    asked.say(post, "DELIVERED")
    answer, = rig.answers([id])
    assert data(answer)["buyer_id"] == "buyer_def" and data(answer)["price"] == "24.00"
    assert trail(rig, id)[2:] == [["refused", "buyer_abc", reason], ["asked", "buyer_def", None], ["accepted", "buyer_def", None], ["sold", None, None]]
    check(rig)


def test_nobody_accepts(rig, asked):
    rig.apply(confirmed())
    router = rig.start()
    item = rig.item()
    id, = rig.send(router, [item])
    for _ in range(2):
        asked.say(asked.next(), "REJECTED")
    answer, = rig.answers([id])
    assert answer.status == 200 and data(answer) == {"id": str(id), "status": "UNMATCHED", "buyer_id": None, "campaign_id": CAMPAIGN}
    assert rig.query("SELECT status::text, price_cents, reasons->0->>'code' FROM lead") == [("UNMATCHED", None, "unmatched")]
    assert rig.query("SELECT key FROM duplicate_key") == []
    check(rig)
    again, = rig.send(router, [rig.item(fields={name: value for name, _, value in item[7]})])  # unsold: nobody's duplicate
    asked.say(asked.next(), "DELIVERED")
    assert rig.answers([again])[0].status == 201
    check(rig)


def test_nobody_answers_in_time(rig, asked):
    """Each buyer has its own time, the last one what is left."""
    rig.apply(confirmed(timeout_ms=300, deadline_ms=5000))
    router = rig.start()
    id, = rig.send(router, [rig.item()])
    first = asked.next()
    second = asked.next()
    assert (first["confirm_ms"], second["confirm_ms"], second["buyer"]) == (300, 300, "buyer_def")
    assert not asked.record(first, "DELIVERED"), "too late"
    assert rig.answers([id])[0].status == 200
    assert [step for step in trail(rig, id) if step[0] == "refused"] == [["refused", "buyer_abc", "no_answer_in_time"], ["refused", "buyer_def", "no_answer_in_time"]]
    check(rig)


def test_a_word_that_was_recorded_without_telling_is_found(rig, asked):
    rig.apply(confirmed(timeout_ms=400))
    router = rig.start()
    id, = rig.send(router, [rig.item()])
    assert asked.record(asked.next(), "DELIVERED")
    assert rig.answers([id])[0].status == 201
    check(rig)


def test_the_whole_has_a_deadline(rig, asked):
    """Ten buyers that do not answer, and time for some of them."""
    rig.apply(confirmed([f"buyer_{n}" for n in range(10)], timeout_ms=1000, deadline_ms=1500))
    router = rig.start()
    id, = rig.send(router, [rig.item()])
    assert rig.answers([id])[0].status == 200
    posts = [asked.next() for _ in range(len(rig.dispatcher.items))]
    assert len(posts) <= 2 and posts[-1]["confirm_ms"] <= 1000
    assert [step for step in trail(rig, id) if step[0] == "passed_over"] == [["passed_over", f"buyer_{n}", "no_time"] for n in range(len(posts), 10)]
    check(rig)


def test_two_sells(rig, asked):
    rig.apply(confirmed(["a", "b", "c"], max_sells=2))
    router = rig.start()
    id, = rig.send(router, [rig.item()])
    asked.say(asked.next(), "DELIVERED")
    asked.say(asked.next(), "REJECTED")
    post = asked.next()
    assert rig.query(SUMS) == recounted(rig)
    asked.say(post, "DELIVERED")
    answer, = rig.answers([id])
    assert data(answer)["buyers"] == [{"buyer_id": "a", "price": "25.00"}, {"buyer_id": "c", "price": "23.00"}] and data(answer)["price"] == "48.00"
    assert rig.query("SELECT n, buyer_id, cost_cents FROM sale ORDER BY n") == [(1, "a", 480), (2, "c", 0)]
    assert rig.query_one("SELECT cost_cents FROM lead") == 480
    assert rig.query("SELECT buyer_id, n, state::text FROM delivery ORDER BY id") == [("a", 1, "DELIVERED"), ("b", 0, "REJECTED"), ("c", 2, "DELIVERED")]
    check(rig)


def test_the_suppliers_answer_has_the_buyers_redirect(rig, asked):
    rig.apply(confirmed(["a", "b"], max_sells=2))
    router = rig.start()
    id, = rig.send(router, [rig.item()])
    asked.say(asked.next(), "REJECTED", redirect_url="https://buyer.example/sorry")
    asked.say(asked.next(), "DELIVERED", redirect_url="https://buyer.example/next?x=1")
    answer, = rig.answers([id])
    assert list(data(answer)) == ["id", "status", "buyer_id", "campaign_id", "buyers", "price", "redirect_url"]
    assert data(answer)["redirect_url"] == "https://buyer.example/next?x=1"
    check(rig)


@pytest.mark.parametrize("distribution", ["WATERFALL", "WEIGHTED"])
@pytest.mark.parametrize("limit", [{"leads": 1}, {"budget": "4.90"}], ids=["leads", "budget"])
@pytest.mark.parametrize("owner", ["source", "supplier", "campaign"])
def test_a_second_sale_is_no_second_lead(rig, asked, owner, limit, distribution):
    """The last place, and the last money, of those who count leads sold and their cost."""
    caps = [{"window": "day", **limit}]
    changed = confirmed(["a", "b"], max_sells=2, caps=[], distribution=distribution)
    of = {"source": changed["campaigns"][0]["sources"][0], "supplier": changed["suppliers"][0], "campaign": changed["campaigns"][0]}
    of[owner]["caps"] = caps
    rig.apply(changed)
    router = rig.start()
    ids = rig.send(router, [rig.item()])
    for _ in range(2):
        asked.say(asked.next(), "DELIVERED")
    assert len(data(rig.answers(ids)[0])["buyers"]) == 2
    assert rig.query("SELECT kind::text, day_leads, day_cents FROM counter WHERE kind <> 'contract'") == [(owner, 1, 490)]
    assert json.loads(rig.ask(router, rig.item()).body).get("error") == (None if owner == "campaign" else "source_capped")
    check(rig)


def test_one_of_two_sells(rig, asked):
    rig.apply(confirmed(["a", "b"], max_sells=2))
    router = rig.start()
    id, = rig.send(router, [rig.item()])
    asked.say(asked.next(), "DELIVERED")
    asked.say(asked.next(), "REJECTED")
    assert data(rig.answers([id])[0])["buyers"] == [{"buyer_id": "a", "price": "25.00"}]
    check(rig)


def test_test_leads_ask_and_count_for_nothing(rig, asked):
    rig.apply(confirmed())
    router = rig.start()
    id, = rig.send(router, [rig.item(is_test=True)])
    asked.say(asked.next(), "REJECTED")
    asked.say(asked.next(), "DELIVERED")
    assert data(rig.answers([id])[0])["is_test"] is True
    assert rig.query_one("SELECT sum(total_leads + total_cents) FROM counter") == 0 and rig.query("SELECT * FROM duplicate_key") == []
    check(rig)


def test_an_equal_lead_waits_for_the_first(rig, asked):
    """First sold: then the second is its duplicate. First unsold: then the second is asked for."""
    rig.apply(confirmed(["a"], timeout_ms=3000))
    router = rig.start()
    for word, status in (("DELIVERED", 409), ("REJECTED", 201)):
        fields = person()
        first, = rig.send(router, [rig.item(fields=fields)])
        post = asked.next()
        second, = rig.send(router, [rig.item(fields=fields)])
        both = rig.send(router, [rig.item(fields=person())])
        other = asked.next()
        assert other["lead"] == both[0]
        asked.say(other, "DELIVERED")
        rig.answers(both)
        assert rig.gateway.of(second) == [] and rig.gateway.of(first) == []
        asked.nobody()
        asked.say(post, word)
        rig.answers([first])
        if status == 201:
            asked.say(asked.next(), "DELIVERED")
        assert rig.answers([second])[0].status == status
    check(rig)


def test_equal_leads_in_one_batch(rig, asked):
    rig.apply(confirmed(["a"]))
    router = rig.start()
    fields = person()
    ids = rig.send(router, [rig.item(fields=fields) for _ in range(5)])
    asked.say(asked.next(), "DELIVERED")
    assert sorted(answer.status for answer in rig.answers(ids)) == [201, 409, 409, 409, 409]
    asked.nobody()
    check(rig)


def test_a_waiting_lead_is_dropped_at_its_deadline(rig, asked):
    rig.apply(confirmed(["a"], timeout_ms=3000))
    router = rig.start()
    fields = person()
    rig.send(router, [rig.item(fields=fields)])
    post = asked.next()
    second, = rig.send(router, [rig.item(fields=fields, left_ms=300)])
    eventually(lambda: router.metric("leadline_leads_dropped_total") == 1)
    assert rig.gateway.of(second) == [] and rig.query_one("SELECT count(*) FROM lead") == 1
    asked.say(post, "REJECTED")
    eventually(lambda: rig.statuses() == {"UNMATCHED": 1})
    check(rig)


def test_a_repeat_with_the_same_key_waits(rig, asked):
    rig.apply(confirmed(["a"]))
    router = rig.start()
    key = uuid.uuid4()
    fields = person()
    first, = rig.send(router, [rig.item(fields=fields, key=key)])
    post = asked.next()
    second, = rig.send(router, [rig.item(fields=fields, key=key)])
    other, = rig.send(router, [rig.item(fields=fields, key=key, body=b"other")])
    assert rig.answers([other])[0].status == 422
    asked.say(post, "DELIVERED")
    answers = rig.answers([first, second])
    assert answers[0].status == 201 and answers[0].body == answers[1].body
    asked.nobody()
    check(rig)


def test_caps_hold_the_place_of_who_is_asked(rig, asked):
    """One place, two leads: the second goes to the next buyer at once; a place given back is sold again."""
    contracts = [contract("a", "25.00", priority=1, caps=[{"window": "day", "leads": 1}]), contract("b", "24.00", priority=2)]
    rig.apply(confirmed(["a", "b"], contracts=contracts, caps=[]))
    router = rig.start()
    first, = rig.send(router, [rig.item()])
    one = asked.next()
    second, = rig.send(router, [rig.item()])
    two = asked.next()
    assert (one["buyer"], two["buyer"]) == ("a", "b")
    asked.say(one, "REJECTED")
    assert asked.next()["buyer"] == "b"
    third, = rig.send(router, [rig.item()])
    three = asked.next()
    assert three["buyer"] == "a"
    asked.say(two, "DELIVERED")
    asked.say(three, "DELIVERED")
    assert [data(answer)["buyer_id"] for answer in rig.answers([second, third])] == ["b", "a"]
    assert rig.query("SELECT day_leads FROM counter") == [(1,)]


def test_a_bad_lead_is_not_asked_for(rig, asked):
    rig.apply(confirmed())
    router = rig.start()
    assert rig.ask(router, rig.item(reason="filtered")).status == 422
    asked.nobody()


def test_a_refusal_does_not_forget_an_earlier_sale(rig, asked):
    """The buyer is asked under a contract without a rule, and refuses; under one with a rule it still has had that person."""
    ruled = contract("a", id="ruled", priority=2, duplicates=RULES)
    changed = confirmed(["a"], duplicates=[], caps=[], contracts=[contract("a", id="free", priority=1), ruled])
    changed["campaigns"].append(campaign("other", contracts=[ruled]))
    rig.apply(changed)
    router = rig.start()
    somebody = person()

    def send_other():
        return data(rig.ask(router, rig.item({**person(), "phone": somebody["phone"]}, campaign="other")))["status"]

    assert send_other() == "ACCEPTED"
    eventually(lambda: len(rig.dispatcher.items) == 1)
    asked.seen = 1
    for _ in range(2):
        ids = rig.send(router, [rig.item({**person(), "phone": somebody["phone"]})])
        asked.say(asked.next(), "REJECTED")
        assert data(rig.answers(ids)[0])["status"] == "UNMATCHED"
        asked.nobody()
        assert rig.query_one("SELECT count(*) FROM delivery WHERE lead_id = %s::uuid", str(ids[0])) == 1
        assert send_other() == "UNMATCHED"
    ids = rig.send(router, [rig.item({**person(), "phone": somebody["phone"]})])
    asked.say(asked.next(), "DELIVERED")
    assert data(rig.answers(ids)[0])["status"] == "ACCEPTED" and send_other() == "UNMATCHED"
    assert rig.query("SELECT lead_id::text FROM duplicate_key") == [(str(ids[0]),)]
    rig.check()


def test_without_time_nobody_is_asked(rig, asked):
    rig.apply(confirmed(["a", "b"], deadline_ms=40))
    router = rig.start()
    ids = rig.send(router, [rig.item()])
    assert rig.answers(ids)[0].status == 200
    asked.nobody()
    assert trail(rig, ids[0]) == [["passed_over", "a", "no_time"], ["passed_over", "b", "no_time"]]
    check(rig)


def test_without_a_dispatcher_nothing_is_claimed(make_rig):
    rig = make_rig(dispatchers=0)
    rig.apply(confirmed())
    router = rig.start()
    answer = rig.ask(router, rig.item())
    assert (answer.status, answer.body, answer.is_recorded) == (503, "", False)
    assert rig.query("SELECT id FROM lead") == []


def test_turns_move_with_the_sale(rig, asked):
    """Refusals leave the turns alone; the shares of what is sold are as the weights say."""
    contracts = [contract("a", weight=75), contract("b", weight=25)]
    rig.apply(confirmed(["a", "b"], contracts=contracts, caps=[], distribution="WEIGHTED"))
    router = rig.start()
    sold = []
    for n in range(16):
        id, = rig.send(router, [rig.item()])
        asked.say(asked.next(), "DELIVERED")
        sold.append(data(rig.answers([id])[0])["buyer_id"])
    assert (sold.count("a"), sold.count("b")) == (12, 4)
    credits = rig.query("SELECT owner_id, turn_credit FROM counter ORDER BY 1")
    id, = rig.send(router, [rig.item()])
    for _ in range(2):
        asked.say(asked.next(), "REJECTED")
    rig.answers([id])
    assert rig.query("SELECT owner_id, turn_credit FROM counter ORDER BY 1") == credits


def test_who_refuses_stands_still(rig, asked):
    """c refuses whatever it is asked for, and does not catch up later; who fills its cap with a lead has had its turn."""
    contracts = [contract("a", caps=[{"window": "total", "leads": 4}]), contract("b"), contract("c")]
    rig.apply(confirmed(["a", "b", "c"], contracts=contracts, caps=[], distribution="ROUND_ROBIN"))
    router = rig.start()
    sold = []

    def send(refusers):
        id, = rig.send(router, [rig.item()])
        while (post := asked.next())["buyer"] in refusers:
            asked.say(post, "REJECTED")
        asked.say(post, "DELIVERED")
        sold.append(data(rig.answers([id])[0])["buyer_id"])

    for _ in range(12):
        send(["c"])
    assert (sold.count("a"), sold.count("b")) == (4, 8)
    assert rig.query_one("SELECT sum(turn_credit)::int8 FROM counter") == 0
    sold.clear()
    for _ in range(8):
        send([])
    assert (sold.count("b"), sold.count("c")) in [(4, 4), (3, 5)]


def test_a_contract_that_is_paused_meanwhile_is_not_asked(rig, asked):
    rig.apply(confirmed(["a", "b", "c"]))
    router = rig.start()
    id, = rig.send(router, [rig.item()])
    post = asked.next()
    changed = confirmed(["a", "b", "c"])
    changed["campaigns"][0]["contracts"][0]["status"] = "PAUSED"
    changed["campaigns"][0]["contracts"][1]["status"] = "PAUSED"
    rig.apply(changed)
    asked.say(post, "REJECTED")
    post = asked.next()
    assert post["buyer"] == "c"
    asked.say(post, "DELIVERED")
    assert data(rig.answers([id])[0])["buyer_id"] == "c"
    check(rig)


def test_a_campaign_that_is_gone_meanwhile(rig, asked):
    rig.apply(confirmed(["a", "b"]))
    router = rig.start()
    id, = rig.send(router, [rig.item()])
    post = asked.next()
    rig.apply(document(campaigns=[]))
    asked.say(post, "DELIVERED")
    answer, = rig.answers([id])
    assert answer.status == 201 and data(answer)["buyer_id"] == "a"
    assert rig.query("SELECT status::text FROM lead") == [("ACCEPTED",)]


def without_its_contract(changed):
    del changed["campaigns"][0]["contracts"][0]


def with_its_contract_for_the_other(changed):
    changed["campaigns"][0]["contracts"][0]["buyer_id"] = "b"


def without_its_campaign(changed):
    del changed["campaigns"][0]


def without_its_source(changed):
    changed["suppliers"].append(supplier("another", "another-key"))
    changed["campaigns"][0]["sources"][0]["supplier_id"] = "another"


@pytest.mark.parametrize("word", ["REJECTED", "DELIVERED"])
@pytest.mark.parametrize("change", [without_its_contract, with_its_contract_for_the_other, without_its_campaign, without_its_source])
def test_a_place_goes_back_to_whom_it_was_taken_from(rig, asked, change, word):
    """Whatever an operator makes of the contract, the campaign or the source while the buyer is asked."""
    was = confirmed(["a", "b"])
    was["campaigns"][0]["contracts"][1]["status"] = "PAUSED"
    changed = json.loads(json.dumps(was))
    change(changed)
    rig.apply(was)
    router = rig.start()
    ids = rig.send(router, [rig.item()])
    post = asked.next()
    rig.apply(changed)
    asked.say(post, word)
    assert rig.answers(ids)[0].status == (201 if word == "DELIVERED" else 200)
    live = {(kind, owner) for kind, owner in rig.query("SELECT kind::text, owner_id FROM counter WHERE is_live")}
    for rows in zip(rig.query(SUMS), recounted(rig)):
        assert rows[0][:2] not in live or rows[0] == rows[1]
    rig.apply(was)
    assert rig.query(SUMS) == recounted(rig)


def test_a_rule_that_comes_while_a_buyer_is_asked_sees_the_lead(rig, asked):
    """apply returns when the lead is decided: it is sold, and counts for the campaign's new rule and for the buyer's."""
    by_phone = [{"fields": ["phone"], "window_days": 30}]
    rig.apply(confirmed(["a"], duplicates=[]))
    router = rig.start()
    ids = rig.send(router, [rig.item(somebody := person())])
    post = asked.next()
    changed = confirmed(["a"], duplicates=by_phone)
    changed["campaigns"].append(campaign("other", contracts=[contract("a", duplicates=by_phone)]))
    applying = threading.Thread(target=rig.apply, args=[changed])
    applying.start()
    eventually(lambda: rig.query("SELECT 1 FROM duplicate_rule_todo"))
    asked.say(post, "DELIVERED")
    applying.join(20)
    assert rig.answers(ids)[0].status == 201
    assert rig.ask(router, rig.item({**person(), "phone": somebody["phone"]})).status == 409
    assert data(rig.ask(router, rig.item({**person(), "phone": somebody["phone"]}, campaign="other")))["status"] == "UNMATCHED"


def test_a_cap_that_comes_while_buyers_are_asked_counts_them(rig, asked):
    rig.apply(confirmed(["a"], caps=[]))
    router = rig.start()
    ids = rig.send(router, rig.items(2))
    posts = [asked.next(), asked.next()]
    rig.apply(confirmed(["a"]))
    assert rig.query(SUMS) == recounted(rig)
    asked.say(posts[0], "DELIVERED")
    asked.say(posts[1], "REJECTED")
    assert sorted(answer.status for answer in rig.answers(ids)) == [200, 201]
    check(rig)


# Kills ------------------------------------------------------------------------------------------------------------------

def test_a_router_killed_while_the_buyer_is_asked(rig, asked):
    """Another one settles by what was recorded; a buyer's yes is a sale, its silence none. The repeat gets the truth."""
    rig.apply(confirmed(["a"], timeout_ms=500, deadline_ms=600))
    first = rig.start()
    yes, no = rig.send(first, [rig.item(key=uuid.uuid4()), rig.item(key=uuid.uuid4())])
    posts = {post["lead"]: post for post in (asked.next(), asked.next())}
    first.kill()
    assert asked.record(posts[yes], "DELIVERED")
    second = rig.start()
    eventually(lambda: rig.statuses() == {"ACCEPTED": 1, "UNMATCHED": 1}, 15)
    check(rig)
    for id, status in ((yes, 201), (no, 200)):
        item = rig.sent[id]
        repeat = rig.item(fields={name: value for name, _, value in item[7]}, key=uuid.UUID(bytes=item[10]))
        answer = rig.ask(second, repeat)
        assert answer.status == status and data(answer)["id"] == str(id)


def test_a_lead_sent_again_is_gone_on_with(rig, asked):
    """Its gateway sends it to another router while there is time: that one asks the next buyer."""
    rig.apply(confirmed(["a", "b"], timeout_ms=500, deadline_ms=8000))
    first = rig.start()
    id, = rig.send(first, [rig.item()])
    asked.next()
    first.kill()
    second = rig.start()
    item = {**rig.sent[id], 8: True}
    rig.send(second, [item])
    post = asked.next()
    assert post["buyer"] == "b"
    asked.say(post, "DELIVERED")
    assert data(rig.answers([id])[0])["buyer_id"] == "b"
    check(rig)


def test_two_routers_have_the_same_lead(rig, asked):
    """Only one goes on with it; both answer alike."""
    rig.apply(confirmed(["a", "b"]))
    routers = rig.start(2)
    item = rig.item()
    id, = rig.send(routers[0], [item])
    post = asked.next()
    rig.send(routers[1], [{**item, 8: True}])
    asked.say(post, "REJECTED")
    post = asked.next()
    asked.say(post, "DELIVERED")
    answers = [rig.answers([id], count=2)]
    assert {item[3] for item in rig.gateway.of(id)} == {answers[0][0].body}
    asked.nobody()
    check(rig)


def test_a_stopping_router_finishes_what_it_asked(rig, asked):
    rig.apply(confirmed(["a"]))
    router = rig.start()
    id, = rig.send(router, [rig.item()])
    post = asked.next()
    thread = threading.Thread(target=router.stop)
    thread.start()
    time.sleep(0.3)  # TERM is on its way; the claim holds whenever it comes
    asked.say(post, "DELIVERED")
    thread.join()
    assert rig.answers([id])[0].status == 201
    check(rig)


def test_under_load_and_kills_the_caps_are_right(rig, asked):
    """Three routers, buyers that refuse, accept or stay silent by chance; one router is killed again and again."""
    caps = [{"window": "day", "leads": 60}]
    rig.apply(confirmed(["a", "b", "c"], timeout_ms=300, deadline_ms=1500, caps=[],
                        contracts=[contract(id, priority=n, caps=caps) for n, id in enumerate("abc", 1)]))
    routers = rig.start(3)
    done = threading.Event()
    connection = rig.database.connect()

    def play():
        while not done.is_set() or asked.seen < len(rig.dispatcher.items):
            if asked.seen == len(rig.dispatcher.items):
                time.sleep(0.002)
                continue
            item = rig.dispatcher.items[asked.seen]
            asked.seen += 1
            state = ["DELIVERED", "REJECTED", "DUPLICATE", "DELIVERED", None][item[1][15] % 5]
            if state is None:
                continue
            with connection.cursor() as cursor:
                cursor.execute("UPDATE delivery SET state = %s::delivery_state, attempt = 1 WHERE lead_id = %s::uuid AND id = %s::uuid AND state = 'OPEN'",
                               (state, str(uuid.UUID(bytes=item[2])), str(uuid.UUID(bytes=item[1]))))
            for router in routers:
                if router.process.poll() is None:
                    play_push(router, item, state)

    def play_push(router, item, state):
        rig.neighbours.push(router, frame(VERDICTS, [{1: item[1], 2: item[2], 3: state}], "dispatcher-1"))

    thread = threading.Thread(target=play)
    thread.start()
    try:
        for _ in range(4):
            for router in routers:
                rig.send(router, rig.items(30, left_ms=4000), size=10)
            routers[0].kill()
            routers[0].start()
        eventually(lambda: rig.query_one("SELECT count(*) FROM lead WHERE status = 'DISTRIBUTING'") == 0 and
                   all(router.metric("leadline_batches_total") is not None for router in routers), 30)
        eventually(lambda: rig.query_one("SELECT count(*) FROM distributing") == 0, 20)
    finally:
        done.set()
        thread.join()
        connection.close()
    assert rig.query("SELECT count(*) FROM sale GROUP BY contract_id HAVING count(*) > 60") == []
    check(rig)
