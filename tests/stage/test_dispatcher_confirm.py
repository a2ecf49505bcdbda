"""
Posts on whose answer a sale depends: one real dispatcher, buyers in this process. The test is the router: it writes what router/store_confirm.c
writes, sends the post, ends those whose time is over, and gets the verdicts.
"""
import datetime
import json
import threading
import time

import pytest

import leadline_testing as lt
from leadline_testing import Buyer, SECRET, buyer, document, eventually
from played import DELIVERIES, VERDICTS, Neighbours, Stage, frame, uuid7

FIELDS = {"first_name": "Zoë", "phone": "+15551234567", "email": "zoe@example.com", "age": 42}


class Rig:
    def __init__(self, database):
        self.database = database
        self.neighbours = Neighbours(database)
        self.connection = database.connect()
        self.router = self.neighbours.play("router", "router-1")
        self.stages = []

    def start(self, wait=True, **params):
        self.dispatcher = Stage(self.neighbours, "dispatcher", **params).start(wait)
        self.stages.append(self.dispatcher)
        if wait:
            self.dispatcher.wait_for(connections=2, neighbours=1)
        return self.dispatcher

    def query(self, sql, *params):
        return lt.query(self.connection, sql, *params)

    def write(self, count=1, buyer_id="buyer_abc"):
        """Leads that are DISTRIBUTING, with the delivery that asks. Returns (lead, delivery) of each."""
        posts = [(uuid7(), uuid7()) for _ in range(count)]
        self.query("""
            WITH new AS (SELECT * FROM unnest(%s::uuid[], %s::uuid[]) AS u (lead_id, id)),
            leads AS (INSERT INTO lead (id, campaign_id, supplier_id, status, is_test, received_at, decided_at, reasons, answer_status, answer_body, raw, fields)
                      SELECT lead_id, 'campaign_abc123', 'supplier_xyz789', 'DISTRIBUTING', false, now(), now(), '[]', 0, '', '{}', %s FROM new)
            INSERT INTO delivery (lead_id, id, n, buyer_id, state, attempt, due_at, lease_by)
            SELECT lead_id, id, 0, %s, 'OPEN', 0, 'infinity', 'dispatcher-1' FROM new""",
                   [str(lead) for lead, _ in posts], [str(id) for _, id in posts], json.dumps(FIELDS), buyer_id)
        return posts

    def item(self, post, confirm_ms=5000, buyer_id="buyer_abc"):
        kinds = {int: 1, str: 0}
        now_ms = int(time.time() * 1000)
        return {1: post[1].bytes, 2: post[0].bytes, 3: buyer_id, 4: "campaign_abc123", 5: 2500, 6: False, 7: now_ms, 8: now_ms + confirm_ms, 9: 0,
                10: [[name, kinds[type(value)], value if isinstance(value, str) else json.dumps(value)] for name, value in FIELDS.items()],
                11: confirm_ms}

    def send(self, posts, confirm_ms=5000, buyer_id="buyer_abc", **more):
        self.neighbours.push(self.dispatcher, frame(DELIVERIES, [self.item(post, confirm_ms, buyer_id) for post in posts], "router-1", **more))

    def ask(self, confirm_ms=5000, count=1, buyer_id="buyer_abc", **more):
        posts = self.write(count, buyer_id)
        self.send(posts, confirm_ms, buyer_id, **more)
        return posts[0] if count == 1 else posts

    def verdict(self, post, seconds=10):
        item, = self.router.wait_for([post[1]], seconds)
        assert item[2] == post[0].bytes and len(self.router.of(post[1])) == 1
        return item[3]

    def row(self, post):
        """state, attempts, is it never due, its lease, the last status."""
        return self.query("SELECT state::text, attempt, due_at = 'infinity', lease_by, last_http_status FROM delivery WHERE lead_id = %s AND id = %s",
                          str(post[0]), str(post[1]))[0]

    def attempts(self, post):
        return self.query("SELECT attempt, http_status, verdict, answer FROM attempt WHERE lead_id = %s AND delivery_id = %s", str(post[0]), str(post[1]))

    def end(self, post):
        """As the router does when it could not wait any longer (store_end_late)."""
        return self.query("UPDATE delivery SET state = 'FAILED', lease_by = NULL WHERE lead_id = %s AND id = %s AND state::text = 'OPEN' RETURNING 1",
                          str(post[0]), str(post[1])) == [(1,)]

    def wait_late(self, count=1):
        self.dispatcher.wait_metric("leadline_late_acceptances_total", count)
        assert self.dispatcher.log().count("event=delivery.late") == count

    def close(self):
        for stage in self.stages:
            if stage.process.poll() is None:
                stage.kill()
            stage.check_log(SECRET, "zoe@example.com", "5551234567", "Zoë")
        self.connection.close()
        self.neighbours.close()


@pytest.fixture
def rig(database):
    made = Rig(database)
    yield made
    made.close()


@pytest.fixture
def endpoint():
    with Buyer() as made:
        yield made


def held(answer=200):
    """A buyer's answer that comes when the event is set."""
    event = threading.Event()

    def reply(_request):
        event.wait(30)
        return answer
    return event, reply


def configured(rig, url, timeout_ms=15000, **more):
    rig.database.apply(document(url, buyers=[buyer(delivery={"url": url, "secrets": [SECRET], "timeout_ms": timeout_ms}, **more)]))


def ordinary(rig, count):
    """Ordinary deliveries of the same buyer, due now."""
    posts = [(uuid7(), uuid7()) for _ in range(count)]
    at = datetime.datetime.now(datetime.timezone.utc)
    rig.query("""
        WITH new AS (SELECT * FROM unnest(%s::uuid[], %s::uuid[]) AS u (lead_id, id)),
        leads AS (INSERT INTO lead (id, campaign_id, supplier_id, status, is_test, received_at, decided_at, reasons, price_cents, cost_cents, answer_status,
                    answer_body, raw, fields)
                  SELECT lead_id, 'campaign_abc123', 'supplier_xyz789', 'ACCEPTED', false, %s, %s, '[]', 2500, 0, 201, '{}', '{}', '{}' FROM new),
        sales AS (INSERT INTO sale SELECT lead_id, 1, 'campaign_abc123', 'supplier_xyz789', 'buyer_abc', 'buyer_abc', 2500, 0, 'SOLD', false, %s FROM new)
        INSERT INTO delivery SELECT lead_id, id, 1, 'buyer_abc', 'OPEN', 0, now(), NULL, NULL FROM new""",
              [str(lead) for lead, _ in posts], [str(id) for _, id in posts], at, at, at)
    return {str(id) for _, id in posts}


# The buyer's answer in time -------------------------------------------------------------------------------------------

def test_a_buyer_accepts(rig, endpoint):
    configured(rig, endpoint.url)
    rig.start()
    post = rig.ask()
    request, = endpoint.wait(1)
    assert request.webhook_id == str(post[1]) and request.is_signed(SECRET)
    assert request.json()["type"] == "lead.accepted"
    assert request.data == {"id": str(post[0]), "campaign_id": "campaign_abc123", "buyer_id": "buyer_abc", "price": "25.00", "is_test": False, "fields": FIELDS}
    assert rig.verdict(post) == "ACCEPTED"
    assert rig.row(post) == ("DELIVERED", 1, True, None, 200)
    assert rig.attempts(post) == [(1, 200, "ACCEPTED", "")]
    assert rig.router.frames == [(VERDICTS, "dispatcher-1", 1)]


@pytest.mark.parametrize("answer, status", [(503, 503), (404, 404), (302, 302), (None, None)])
def test_no_verdict_is_a_failure_at_once(rig, endpoint, answer, status):
    """No schedule, no second attempt."""
    configured(rig, endpoint.url)
    endpoint.answer = answer
    rig.start()
    post = rig.ask()
    assert rig.verdict(post) == "FAILED"
    assert rig.row(post) == ("FAILED", 1, True, None, status)
    assert [(row[1], row[2]) for row in rig.attempts(post)] == [(status, "FAILED")]
    assert len(endpoint.requests) == 1


RESPONSES = [{"status": 200, "pointer": "/result", "equals": "no", "outcome": "REJECTED"}, {"status": 200, "pointer": "/result", "equals": "dup", "outcome": "DUPLICATE"},
             {"status": 200, "pointer": "/result", "equals": "busy", "outcome": "RETRY"}, {"status": 200, "outcome": "ACCEPTED", "price": "/price", "reference": "/id"}]


def with_responses(rig, url):
    rig.database.apply(document(url, buyers=[buyer(delivery={"url": url, "secrets": [SECRET], "responses": RESPONSES})]))


@pytest.mark.parametrize("word, verdict", [("no", "REJECTED"), ("dup", "DUPLICATE"), ("busy", "FAILED"), ("yes", "ACCEPTED")])
def test_the_buyers_words(rig, endpoint, word, verdict):
    with_responses(rig, endpoint.url)
    endpoint.answer = (200, json.dumps({"result": word, "price": "20.00", "id": "x1"}))
    rig.start()
    post = rig.ask()
    assert rig.verdict(post) == verdict
    assert rig.row(post) == ("DELIVERED" if verdict == "ACCEPTED" else verdict, 1, True, None, 200)
    assert rig.query("SELECT verdict, price_cents, reference FROM attempt") == [(verdict, *((2000, "x1") if verdict == "ACCEPTED" else (None, None)))]
    assert rig.query("SELECT * FROM unsettled") == [], "there is no sale to give back"


def test_nobody_listens_there(rig):
    configured(rig, f"http://127.0.0.1:{lt.free_port()}/")
    rig.start()
    post = rig.ask()
    assert rig.verdict(post) == "FAILED"
    assert rig.attempts(post) == [(1, None, "FAILED", "refused")]


def test_many_at_once_each_get_their_verdict(rig, endpoint):
    configured(rig, endpoint.url)
    endpoint.answer = lambda request: 200 if int(request.webhook_id[-1], 16) % 2 else 422  # nothing that would pause the endpoint
    rig.start()
    for post in rig.ask(count=100, confirm_ms=20000):
        accepted = int(str(post[1])[-1], 16) % 2
        assert rig.verdict(post) == ("ACCEPTED" if accepted else "FAILED")
        assert rig.row(post)[0] == ("DELIVERED" if accepted else "FAILED")
    assert len(endpoint.requests) == 100


# Time -----------------------------------------------------------------------------------------------------------------

def test_the_time_is_over_and_a_late_yes_sells_nothing(rig, endpoint):
    with_responses(rig, endpoint.url)
    event, endpoint.answer = held((200, '{"price":"20.00","id":"x1"}'))
    rig.start()
    post = rig.ask(confirm_ms=300)
    assert rig.verdict(post) == "FAILED"
    assert rig.row(post) == ("FAILED", 1, True, None, None)
    assert rig.attempts(post) == [(1, None, "FAILED", "timeout")]
    event.set()
    rig.wait_late()
    assert rig.row(post) == ("FAILED", 1, True, None, None)
    assert rig.attempts(post) == [(1, 200, "LATE", '{"price":"20.00","id":"x1"}')]
    assert rig.query("SELECT price_cents, reference FROM attempt") == [(2000, "x1")]
    rig.verdict(post)
    assert rig.dispatcher.metric("leadline_attempts_total", verdict="LATE") == 1
    shown = json.loads(lt.leadctl("lead", "show", str(post[0]), "--json", "--dsn", rig.database.dsn()).stdout)
    assert [(each["verdict"], each["http_status"]) for each in shown["deliveries"][0]["attempts"]] == [("LATE", 200)]
    assert [step["decision"] for step in shown["trail"]] == ["LATE"]


@pytest.mark.parametrize("is_ended", [False, True], ids=["its time is over", "its router ended it"])
def test_a_late_yes_raises_delivery_failed_once(rig, endpoint, is_ended):
    with Buyer() as ops:
        rig.database.apply(document(endpoint.url, events=[{"url": ops.url, "secrets": [SECRET], "types": ["delivery.failed"]}]))
        event, endpoint.answer = held((201, "mine"))
        rig.start()
        post = rig.ask(confirm_ms=20000 if is_ended else 300)
        if is_ended:
            endpoint.wait(1)
            assert rig.end(post)
        else:
            assert rig.verdict(post) == "FAILED"
            assert rig.query("SELECT 1 FROM delivery WHERE event IS NOT NULL") == [], "no answer is no failure: another buyer is asked"
        event.set()
        rig.wait_late()
        request = ops.wait(1)[0]
        assert request.is_signed() and request.json()["type"] == "delivery.failed"
        assert request.data == {"id": str(post[1]), "lead_id": str(post[0]), "campaign_id": "campaign_abc123", "buyer_id": "buyer_abc", "is_test": False,
                                "attempts": 1, "last_http_status": 201, "verdict": "LATE"}
        eventually(lambda: rig.query("SELECT state::text FROM delivery WHERE event IS NOT NULL") == [("DELIVERED",)])


def test_a_late_no_changes_nothing(rig, endpoint):
    configured(rig, endpoint.url)
    event, endpoint.answer = held(500)
    rig.start()
    post = rig.ask(confirm_ms=200)
    assert rig.verdict(post) == "FAILED"
    event.set()
    eventually(lambda: rig.dispatcher.metric("leadline_attempts_in_flight") == 0)
    second = rig.ask(confirm_ms=5000)  # whatever followed is written before this
    rig.verdict(second)
    assert rig.attempts(post) == [(1, None, "FAILED", "timeout")] and rig.dispatcher.metric("leadline_late_acceptances_total") == 0


def test_the_buyers_own_limit_ends_it(rig, endpoint):
    """It is not listened to any longer than that."""
    configured(rig, endpoint.url, timeout_ms=300)
    event, endpoint.answer = held()
    rig.start()
    post = rig.ask(confirm_ms=20000)
    assert rig.verdict(post) == "FAILED"
    eventually(lambda: rig.dispatcher.metric("leadline_attempts_in_flight") == 0)
    event.set()
    assert rig.attempts(post) == [(1, None, "FAILED", "timeout")]


def test_a_yes_that_the_router_did_not_wait_for_is_late(rig, endpoint):
    """The router ends the row while the buyer's yes is on its way to it."""
    configured(rig, endpoint.url)
    event, endpoint.answer = held((201, "mine"))
    rig.start()
    post = rig.ask()
    endpoint.wait(1)
    assert rig.end(post)
    event.set()
    rig.wait_late()
    assert rig.row(post) == ("FAILED", 0, True, None, None)
    assert rig.attempts(post) == [(1, 201, "LATE", "mine")]


def test_the_row_decides_between_yes_and_end(rig, endpoint):
    """Both at the same moment, again and again: DELIVERED and ACCEPTED, or FAILED and LATE."""
    configured(rig, endpoint.url)
    rig.start()
    posts = rig.ask(count=60, confirm_ms=20000)
    ended = {post: rig.end(post) for post in posts}
    for post in posts:
        eventually(lambda: rig.attempts(post) != [])
        assert (rig.row(post)[0], rig.attempts(post)[0][2]) == (("FAILED", "LATE") if ended[post] else ("DELIVERED", "ACCEPTED"))
    assert rig.dispatcher.metric("leadline_late_acceptances_total") == sum(ended.values())


def test_the_time_of_the_frame_is_part_of_it(rig, endpoint):
    configured(rig, endpoint.url)
    rig.start()
    post = rig.ask(confirm_ms=3000, sent_at_ms=int(time.time() * 1000) - 4000)
    assert rig.verdict(post) == "FAILED"
    assert rig.attempts(post) == [(1, None, "FAILED", "not tried: no time was left")]
    assert endpoint.requests == []


# What cannot be tried --------------------------------------------------------------------------------------------------

def test_unknown_buyers(rig):
    rig.database.apply(document())
    rig.start()
    post = rig.ask(buyer_id="stranger")
    assert rig.verdict(post) == "FAILED"
    assert rig.row(post)[:2] == ("FAILED", 1)
    assert rig.attempts(post) == [(1, None, "FAILED", "not tried: the buyer is not known")]


def test_a_buyer_without_an_endpoint(rig):
    without = document()
    del without["buyers"][0]["delivery"]
    rig.database.apply(without)
    rig.start()
    post = rig.ask()
    assert rig.verdict(post) == "FAILED"
    assert rig.attempts(post) == [(1, None, "FAILED", "not tried: the buyer has no endpoint")]


def test_the_endpoint_goes_while_it_waits(rig, endpoint):
    configured(rig, endpoint.url, limits={"concurrent": 1})
    event, endpoint.answer = held()
    rig.start()
    first = rig.ask(confirm_ms=20000)
    endpoint.wait(1)
    second = rig.ask(confirm_ms=20000)
    eventually(lambda: rig.dispatcher.metric("leadline_deliveries_waiting") == 1)
    without = document()
    del without["buyers"][0]["delivery"]
    rig.database.apply(without)
    rig.dispatcher.wait_metric("leadline_catalog_version", rig.query("SELECT catalog_version FROM installation")[0][0])
    event.set()
    assert rig.verdict(first) == "ACCEPTED" and rig.verdict(second) == "FAILED"
    assert rig.attempts(second) == [(1, None, "FAILED", "not tried: the buyer has no endpoint")]


def test_an_endpoint_that_is_gone(rig, endpoint):
    """410 switches it off, and nothing waits for its return."""
    configured(rig, endpoint.url)
    endpoint.answer = 410
    rig.start()
    first = rig.ask()
    assert rig.verdict(first) == "FAILED" and rig.row(first)[:2] == ("FAILED", 1)
    eventually(lambda: rig.query("SELECT is_off FROM buyer_endpoint") == [(True,)])
    second = rig.ask()
    assert rig.verdict(second) == "FAILED"
    assert rig.attempts(second)[0][3] in ("not tried: the buyer's endpoint is off", "not tried: the buyer's endpoint is paused")
    assert len(endpoint.requests) == 1


def test_an_endpoint_that_is_paused(rig, endpoint):
    """Its failures pause it; then nobody loses time with it, until a probe finds it well."""
    configured(rig, endpoint.url)
    endpoint.answer = 500
    rig.start(breaker_pause_ms=1500)
    for post in rig.ask(count=10, confirm_ms=20000):
        assert rig.verdict(post) == "FAILED"
    post = rig.ask()
    assert rig.verdict(post) == "FAILED"
    assert rig.attempts(post) == [(1, None, "FAILED", "not tried: the buyer's endpoint is paused")]
    endpoint.answer = 200
    eventually(lambda: rig.verdict(rig.ask()) == "ACCEPTED")
    assert rig.verdict(rig.ask()) == "ACCEPTED"


def test_they_go_before_a_backlog_and_within_the_limits(rig, endpoint):
    configured(rig, endpoint.url, limits={"concurrent": 1})
    event, reply = held()
    endpoint.answer = reply
    backlog = ordinary(rig, 12)
    rig.start()
    endpoint.wait(1)
    eventually(lambda: rig.dispatcher.metric("leadline_deliveries_waiting") == 11)  # all of it is in hand
    posts = rig.ask(count=3, confirm_ms=20000)
    eventually(lambda: rig.dispatcher.metric("leadline_deliveries_waiting") == 14)
    assert len(endpoint.requests) == 1
    event.set()
    for post in posts:
        assert rig.verdict(post) == "ACCEPTED"
    order = [request.webhook_id for request in endpoint.wait(12 + 3)]
    assert order[0] in backlog and order[1:4] == [str(post[1]) for post in posts]


def test_a_turn_that_does_not_come_in_time(rig, endpoint):
    configured(rig, endpoint.url, limits={"concurrent": 1})
    event, endpoint.answer = held()
    rig.start()
    first = rig.ask(confirm_ms=20000)
    endpoint.wait(1)
    second = rig.ask(confirm_ms=200)
    assert rig.verdict(second) == "FAILED"
    assert rig.attempts(second) == [(1, None, "FAILED", "not tried: its turn did not come in time")]
    event.set()
    assert rig.verdict(first) == "ACCEPTED" and len(endpoint.requests) == 1


def test_a_rate_limit_that_would_take_too_long(rig, endpoint):
    """One a second: of ten with three seconds some go, the others are told at once."""
    configured(rig, endpoint.url, limits={"per_second": 1})
    rig.start()
    posts = rig.ask(count=10, confirm_ms=3000)
    verdicts = [rig.verdict(post) for post in posts]
    assert 1 <= verdicts.count("ACCEPTED") <= 4 and verdicts.count("ACCEPTED") == len(endpoint.requests)
    for post, verdict in zip(posts, verdicts):
        if verdict == "FAILED":
            assert rig.attempts(post)[0][3].startswith("not tried: its turn ")
    assert [rig.attempts(post)[0][3] for post in posts].count("not tried: its turn would not come in time") >= 6


def test_a_full_lane(rig, endpoint):
    configured(rig, endpoint.url, limits={"concurrent": 1})
    event, endpoint.answer = held()
    rig.start(lane_deliveries=5)
    first = rig.ask(confirm_ms=20000)
    endpoint.wait(1)
    posts = rig.ask(count=8, confirm_ms=20000)
    for post in posts[5:]:
        assert rig.verdict(post) == "FAILED"
        assert rig.attempts(post) == [(1, None, "FAILED", "not tried: too many wait")]
    event.set()
    for post in [first] + posts[:5]:
        assert rig.verdict(post) == "ACCEPTED"


# Ends -----------------------------------------------------------------------------------------------------------------

def test_term_finishes_what_sales_depend_on_and_what_still_comes(rig, endpoint):
    configured(rig, endpoint.url, limits={"concurrent": 1})
    event, endpoint.answer = held()
    dispatcher = rig.start()
    first = rig.ask(confirm_ms=20000)
    endpoint.wait(1)
    second = rig.ask(confirm_ms=20000)
    eventually(lambda: dispatcher.metric("leadline_deliveries_waiting") == 1)
    thread = threading.Thread(target=dispatcher.stop)
    thread.start()
    eventually(lambda: "event=stage.stopping" in dispatcher.log())
    third = rig.ask(confirm_ms=20000)  # of a router that does not know yet
    eventually(lambda: dispatcher.metric("leadline_deliveries_waiting") == 2)
    event.set()
    for post in (first, second, third):
        assert rig.verdict(post) == "ACCEPTED"
    thread.join()
    assert len(endpoint.requests) == 3


def test_killed_in_the_middle_nothing_is_posted_twice(rig, endpoint):
    """The row stays as it is: whether the buyer has taken it nobody knows, and the router's time ends it."""
    configured(rig, endpoint.url)
    event, endpoint.answer = held()
    dispatcher = rig.start()
    post = rig.ask(confirm_ms=20000)
    endpoint.wait(1)
    dispatcher.kill()
    rig.neighbours.forget(dispatcher)
    dispatcher.start()
    event.set()
    marker = ordinary(rig, 1)
    eventually(lambda: marker & {request.webhook_id for request in endpoint.requests})
    assert rig.row(post) == ("OPEN", 0, True, "dispatcher-1", None)
    assert [request.webhook_id for request in endpoint.requests].count(str(post[1])) == 1
    assert rig.router.items == []


def test_a_frame_that_comes_twice_is_one_post(rig, endpoint):
    configured(rig, endpoint.url)
    event, endpoint.answer = held()
    rig.start()
    post = rig.ask()
    endpoint.wait(1)
    rig.send([post])
    rig.send([post])
    event.set()
    assert rig.verdict(post) == "ACCEPTED"
    second = rig.ask()
    assert rig.verdict(second) == "ACCEPTED"
    assert len(endpoint.requests) == 2


def test_without_its_router_the_row_is_written(rig, endpoint):
    configured(rig, endpoint.url)
    rig.start()
    post, = rig.write()
    rig.neighbours.push(rig.dispatcher, frame(DELIVERIES, [rig.item(post)], "router-gone"))
    eventually(lambda: rig.row(post)[0] == "DELIVERED")
    rig.dispatcher.wait_metric("leadline_verdicts_unsent_total", 1)


def test_a_time_out_of_range_refuses_the_frame(rig, endpoint):
    configured(rig, endpoint.url)
    rig.start()
    post, = rig.write()
    for wrong in (-1, 10 * 60 * 1000 + 1, 1 << 60):
        rig.send([post], confirm_ms=wrong)
    eventually(lambda: rig.dispatcher.log().count("out of range") >= 1)
    assert rig.verdict(rig.ask()) == "ACCEPTED"
    assert rig.row(post)[0] == "OPEN"


def test_results_outlive_the_database_connection(rig, endpoint):
    configured(rig, endpoint.url)
    event, endpoint.answer = held()
    rig.start()
    posts = rig.ask(count=5, confirm_ms=20000)
    endpoint.wait(5)
    rig.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dispatcher-1'")
    event.set()
    for post in posts:
        assert rig.verdict(post) == "ACCEPTED"
        assert rig.attempts(post)[0][2] == "ACCEPTED"
