"""
The dispatcher: one real process (or two), a real PostgreSQL, buyers in this process. The test plays the router: it writes rows as
the router's transaction does and sends frames to the dispatcher's endpoint.
"""
import collections
import datetime
import email.utils
import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid

import msgpack
import pytest
import zmq

import leadline_testing as testing
import played
from leadline_testing import Buyer, Postgres, SECRET, buyer, document, eventually
from played import Observed, uuid7

OTHER_SECRET = "whsec_b3RoZXIgc2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXM="
FIELDS = {"first_name": "Zoë", "last_name": "O'Neil \"Z\"", "phone": "+15551234567", "email": "zoe@example.com", "age": 42,
          "income": 12345.5, "owner": True, "smoker": False}
DELAYS_S = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]

Sold = collections.namedtuple("Sold", "id lead_id buyer_id fields sold_at")


class Router:
    """Writes sold leads as a router does, and sends their frames."""

    def __init__(self, database):
        self.database = database
        self.connection = database.connect()
        self.context = zmq.Context()
        self.sockets = {}

    def sell(self, buyer_id="buyer_abc", count=1, lease_by=None, due_in_s=0.0, attempt=0, fields=None, is_test=False):
        """`count` leads sold to the buyer, each with its delivery. Returns a list of Sold."""
        fields = FIELDS if fields is None else fields
        sold_at = datetime.datetime.now(datetime.timezone.utc)
        rows = [(str(uuid7()), str(uuid7())) for _ in range(count)]
        leads, ids = [row[0] for row in rows], [row[1] for row in rows]
        testing.query(self.connection, """
            WITH new AS (SELECT * FROM unnest(%s::uuid[], %s::uuid[]) AS u (lead_id, id)),
            leads AS (INSERT INTO lead (id, campaign_id, supplier_id, status, is_test, received_at, decided_at, reasons, price_cents,
                        cost_cents, answer_status, answer_body, raw, fields)
                      SELECT lead_id, 'campaign_abc123', 'supplier_xyz789', 'ACCEPTED', %s, %s, %s, '[]', 2500, 1000, 201, '{}', '{}', %s
                      FROM new),
            sales AS (INSERT INTO sale SELECT lead_id, 1, 'campaign_abc123', 'supplier_xyz789', %s, %s, 2500, 1000, 'SOLD', %s, %s
                      FROM new)
            INSERT INTO delivery SELECT lead_id, id, 1, %s, 'OPEN', %s, now() + %s * interval '1 second', %s, NULL FROM new""",
            leads, ids, is_test, sold_at, sold_at, json.dumps(fields), buyer_id, buyer_id, is_test, sold_at,
            buyer_id, attempt, due_in_s, lease_by)
        return [Sold(id, lead_id, buyer_id, fields, sold_at) for lead_id, id in rows]

    def item(self, sold, lease_s=30, attempt=0, is_test=False):
        sold_at_ms = int(sold.sold_at.timestamp() * 1_000_000) // 1000
        kinds = {bool: 2, int: 1, float: 1, str: 0}
        fields = [[name, kinds[type(value)], value if isinstance(value, str) else json.dumps(value)] for name, value in sold.fields.items()]
        return {1: uuid.UUID(sold.id).bytes, 2: uuid.UUID(sold.lead_id).bytes, 3: sold.buyer_id, 4: "campaign_abc123", 5: 2500,
                6: is_test, 7: sold_at_ms, 8: sold_at_ms + int(lease_s * 1000), 9: attempt, 10: fields}

    def frame(self, items, kind=3, major=2):
        return played.frame(kind, items, "router-1", major)

    def push(self, dispatcher, message):
        if dispatcher.endpoint not in self.sockets:
            self.sockets[dispatcher.endpoint] = self.context.socket(zmq.PUSH)
            self.sockets[dispatcher.endpoint].setsockopt(zmq.LINGER, 0)
            self.sockets[dispatcher.endpoint].setsockopt(zmq.SNDTIMEO, 5000)
            self.sockets[dispatcher.endpoint].connect(dispatcher.endpoint)
        self.sockets[dispatcher.endpoint].send(message)

    def hand_over(self, dispatcher, buyer_id="buyer_abc", count=1, lease_s=30, **more):
        """Sells and sends: rows leased to this dispatcher, and their frame."""
        sold = self.sell(buyer_id, count, lease_by=dispatcher.name, due_in_s=lease_s, **more)
        self.push(dispatcher, self.frame([self.item(one, lease_s, more.get("attempt", 0), more.get("is_test", False)) for one in sold]))
        return sold

    def row(self, sold):
        """state, attempt, seconds until due_at, lease_by, last_http_status of the delivery."""
        return testing.query(self.connection, """SELECT state::text, attempt, extract(epoch FROM due_at - now())::float8, lease_by,
            last_http_status FROM delivery WHERE lead_id = %s AND id = %s""", sold.lead_id, sold.id)[0]

    def attempts(self, sold):
        """(attempt, http_status, verdict, answer, took_ms) of each."""
        return testing.query(self.connection, """SELECT attempt, http_status, verdict, answer, took_ms FROM attempt
            WHERE lead_id = %s AND delivery_id = %s ORDER BY attempt""", sold.lead_id, sold.id)

    def count(self, where):
        return testing.query(self.connection, f"SELECT count(*) FROM delivery WHERE {where}")[0][0]

    def wait_state(self, sold, state, seconds=10):
        eventually(lambda: self.row(sold)[0] == state, seconds, message=lambda: f"{self.row(sold)}, {self.attempts(sold)}, not {state}")

    def wait_attempt(self, sold, number, seconds=10):
        eventually(lambda: len(self.attempts(sold)) >= number, seconds, message=lambda: f"{self.row(sold)}, {self.attempts(sold)}")

    def make_due(self, sold):
        testing.query(self.connection, "UPDATE delivery SET due_at = now() WHERE lead_id = %s AND id = %s", sold.lead_id, sold.id)

    def close(self):
        for endpoint in self.sockets.values():
            endpoint.close()
        self.context.term()
        self.connection.close()


class Dispatcher(Observed):
    """The process under test."""

    def __init__(self, dsn, name="dispatcher-1", **params):
        self.folder = testing.temp_folder("leadline-disp-")
        self.name = name
        self.dsn = dsn
        self.params = params
        self.endpoint = f"ipc://{self.folder}/{name}.sock"
        self.log_path = os.path.join(self.folder, "log")

    def start(self, wait=True):
        self.admin = testing.free_port()
        args = [testing.program("leadline-dispatcher"), "--dsn", self.dsn, "--name", self.name, "--run-dir", self.folder,
                "--admin", f"127.0.0.1:{self.admin}"]
        for name, value in self.params.items():
            args += ["--" + name.replace("_", "-"), str(value)]
        with open(self.log_path, "ab") as log:
            self.process = testing.spawn(args, signal.SIGKILL, stdout=log, stderr=log)
        if wait:
            eventually(self.is_ready, 20, message=self.log)
        return self

    def kill(self, number=signal.SIGKILL):
        os.kill(self.process.pid, number)


@pytest.fixture
def router(database):
    played = Router(database)
    yield played
    played.close()


@pytest.fixture
def start(database):
    """Starts dispatchers on this test's database; ends them, and looks into their logs, after the test."""
    started = []

    def start_one(name="dispatcher-1", database=database, wait=True, **params):
        params.setdefault("log_level", "debug")
        started.append(Dispatcher(database.dsn("leadline-dispatcher"), name, **params))
        return started[-1].start(wait)

    yield start_one
    for one in started:
        if one.process.poll() is None:
            testing.end(one.process, signal.SIGKILL)
        for secret in (SECRET, OTHER_SECRET, SECRET[len("whsec_"):], "zoe@example.com", "5551234567", "O'Neil"):
            assert secret not in one.log(), "personal data or a secret in the log"
        assert "ERROR: AddressSanitizer" not in one.log() and "runtime error" not in one.log(), one.log()


@pytest.fixture
def endpoint():
    """A buyer that takes everything."""
    with Buyer() as made:
        yield made


def held(answer=200):
    """A buyer's answer that comes when the event is set."""
    event = threading.Event()

    def reply(_request):
        event.wait(60)
        return answer
    return event, reply


# What a buyer gets ----------------------------------------------------------------------------------------------------

def test_a_frame_is_delivered_signed_and_recorded(database, router, start, endpoint):
    database.apply(document(endpoint.url))
    sold = router.hand_over(start())[0]
    request = endpoint.wait(1)[0]

    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("Leadline/")
    assert request.webhook_id == sold.id
    assert request.is_signed(SECRET) and not request.is_signed(OTHER_SECRET)
    assert "x-leaddistro-signature" not in request.headers
    assert request.json() == {
        "type": "lead.accepted", "timestamp": sold.sold_at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{sold.sold_at.microsecond // 1000:03d}Z",
        "data": {"id": sold.lead_id, "campaign_id": "campaign_abc123", "buyer_id": "buyer_abc", "price": "25.00", "is_test": False,
                 "fields": FIELDS}}
    router.wait_state(sold, "DELIVERED")
    state, attempt, _, lease_by, status = router.row(sold)
    assert (attempt, lease_by, status) == (1, None, 200)
    number, status, verdict, answer, took_ms = router.attempts(sold)[0]
    assert (number, status, verdict, answer) == (1, 200, "ACCEPTED", "") and 0 <= took_ms < 5000


def test_test_leads_are_marked(database, router, start, endpoint):
    database.apply(document(endpoint.url))
    router.hand_over(start(), is_test=True)
    assert endpoint.wait(1)[0].data["is_test"] is True


def test_several_secrets_and_the_legacy_signature(database, router, start, endpoint):
    changed = document(endpoint.url)
    changed["buyers"][0]["delivery"].update(secrets=[OTHER_SECRET, SECRET], legacy_signature=True)
    database.apply(changed)
    router.hand_over(start())
    request = endpoint.wait(1)[0]
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    assert request.is_signed(SECRET) and request.is_signed(OTHER_SECRET)
    assert request.headers["x-leaddistro-signature"] == hmac.new(OTHER_SECRET.encode(), request.body, hashlib.sha256).hexdigest()


def test_a_row_that_no_frame_brought_is_found(database, router, start, endpoint):
    database.apply(document(endpoint.url))
    start()
    sold = router.sell()[0]
    request = endpoint.wait(1, 5)[0]
    assert request.webhook_id == sold.id and request.is_signed() and request.data["fields"] == FIELDS
    router.wait_state(sold, "DELIVERED")


def test_every_attempt_has_the_same_id_and_bytes(database, router, start, endpoint):
    """The first attempt is made from the frame, the others from the row."""
    endpoint.answer = [500, 500, 200]
    database.apply(document(endpoint.url))
    fields = {**FIELDS, "tenth": 0.1, "third": 0.333333333333333, "big": 123456789012345678, "minus": -7}
    sold = router.hand_over(start(), fields=fields)[0]
    for number in (1, 2):
        router.wait_attempt(sold, number)
        time.sleep(1.1)  # so that the second is another
        router.make_due(sold)
    router.wait_state(sold, "DELIVERED")
    requests = endpoint.wait(3)
    assert len({request.webhook_id for request in requests}) == 1
    assert len({request.body for request in requests}) == 1
    assert len({request.headers["webhook-timestamp"] for request in requests}) == 3
    assert all(request.is_signed() for request in requests)
    assert [attempt[:3] for attempt in router.attempts(sold)] == [(1, 500, "RETRY"), (2, 500, "RETRY"), (3, 200, "ACCEPTED")]


def test_a_large_number_in_a_row_is_read(database, router, start, endpoint):
    database.apply(document(endpoint.url))
    start()
    sold = router.sell(fields={"n": 10 ** 30, "text": "x"})[0]
    assert endpoint.wait(1, 5)[0].data["fields"] == {"n": 1e30, "text": "x"}
    router.wait_state(sold, "DELIVERED")


def test_frame_and_sweep_deliver_once(database, router, start, endpoint):
    """The row looks due to the sweep while the frame's delivery is in hand."""
    event, endpoint.answer = held()
    database.apply(document(endpoint.url))
    one = start()
    sold = router.hand_over(one)[0]
    endpoint.wait(1)
    router.make_due(sold)
    router.push(one, router.frame([router.item(sold)]))
    time.sleep(2.5)
    event.set()
    router.wait_state(sold, "DELIVERED")
    assert len(endpoint.requests) == 1 and len(router.attempts(sold)) == 1


# Trying again ---------------------------------------------------------------------------------------------------------

def test_retries_follow_the_schedule_and_the_tenth_is_the_last(database, router, start, endpoint):
    endpoint.answer = (500, "no")
    database.apply(document(endpoint.url))
    start()
    sold = [router.sell(attempt=attempt)[0] for attempt in range(10)]
    for attempt, one in enumerate(sold):
        router.wait_attempt(one, 1)
        state, recorded, due_in_s, lease_by, status = router.row(one)
        assert (recorded, lease_by, status) == (attempt + 1, None, 500)
        if attempt < 9:
            assert state == "OPEN"
            assert DELAYS_S[attempt] * 0.8 - 5 <= due_in_s <= DELAYS_S[attempt] * 1.2, f"after attempt {attempt + 1}"
        else:
            assert state == "FAILED"
        assert router.attempts(one)[0][:4] == (attempt + 1, 500, "RETRY" if attempt < 9 else "FAILED", "no")


def test_the_first_retry_comes_after_some_seconds(database, router, start, endpoint):
    endpoint.answer = [503, 200]
    database.apply(document(endpoint.url))
    sold = router.hand_over(start())[0]
    router.wait_state(sold, "DELIVERED", 15)
    first, second = endpoint.requests
    assert 3.9 <= second.at - first.at <= 8.5


@pytest.mark.parametrize("status, header, least_s, most_s", [
    (503, "120", 115, 120), (429, "120", 115, 120), (500, "120", 0, 6), (503, "1", 0, 6), (503, "999999", 86390, 86400),
    (503, "nonsense", 0, 6), (429, "DATE", 110, 120)])
def test_retry_after(database, router, start, endpoint, status, header, least_s, most_s):
    if header == "DATE":
        header = email.utils.formatdate(time.time() + 118, usegmt=True)
    endpoint.answer = (status, "", {"Retry-After": header})
    database.apply(document(endpoint.url))
    sold = router.hand_over(start())[0]
    router.wait_attempt(sold, 1)
    assert least_s <= router.row(sold)[2] <= most_s


def test_redirects_are_not_followed(database, router, start, endpoint):
    with Buyer((302, "", {"Location": endpoint.url})) as away:
        database.apply(document(away.url))
        sold = router.hand_over(start())[0]
        router.wait_attempt(sold, 1)
        assert router.attempts(sold)[0][1:3] == (302, "RETRY") and endpoint.requests == []


def test_a_buyer_that_is_not_there(database, router, start):
    database.apply(document(f"http://127.0.0.1:{testing.free_port()}/"))
    sold = router.hand_over(start())[0]
    router.wait_attempt(sold, 1)
    assert router.attempts(sold)[0][:4] == (1, None, "RETRY", "refused")
    assert router.row(sold)[0] == "OPEN" and router.row(sold)[4] is None


def test_a_buyer_that_breaks_off(database, router, start, endpoint):
    endpoint.answer = None
    database.apply(document(endpoint.url))
    sold = router.hand_over(start())[0]
    router.wait_attempt(sold, 1)
    assert router.attempts(sold)[0][1:3] == (None, "RETRY")


def test_what_a_buyer_says_is_kept_cut_and_clean(database, router, start, endpoint):
    endpoint.answer = (200, b"a\0b\xff" + b"x" * 100_000)
    database.apply(document(endpoint.url))
    sold = router.hand_over(start())[0]
    router.wait_state(sold, "DELIVERED")
    answer = router.attempts(sold)[0][3]
    assert answer.startswith("a\ufffdb\ufffdxxx") and len(answer.encode()) <= 2048


def test_a_private_address_is_refused_unless_allowed(database, router, start, endpoint):
    url = endpoint.url.replace("127.0.0.1", "localhost")  # by name: what it resolves to is judged
    database.apply(document(url, allow_private_endpoints=False))
    one = start()
    sold = router.hand_over(one)[0]
    router.wait_attempt(sold, 1)
    assert router.attempts(sold)[0][1:4] == (None, "RETRY", "address_not_allowed")
    assert endpoint.requests == []

    database.apply(document(url, allow_private_endpoints=True))
    eventually(lambda: "event=catalog.read" in one.log())
    router.make_due(sold)
    router.wait_state(sold, "DELIVERED")


# Buyers beside each other ---------------------------------------------------------------------------------------------

def test_a_hanging_buyer_delays_nobody(database, router, start, endpoint):
    event, reply = held()
    with Buyer(reply) as hanging:
        buyers = [buyer(url=endpoint.url)] + [buyer(f"hanging-{n}", hanging.url) for n in range(6)]
        database.apply(document(buyers=buyers))
        one = start(connections=64)
        for n in range(6):
            router.hand_over(one, f"hanging-{n}", 100)
        eventually(lambda: one.metric("leadline_attempts_in_flight") >= 40)
        begin = time.monotonic()
        sold = router.hand_over(one, count=50)
        for each in sold:
            router.wait_state(each, "DELIVERED", 5)
        assert time.monotonic() - begin < 5
        assert one.metric("leadline_attempts_in_flight") < 64
        event.set()


def test_a_buyer_that_hangs_ends_by_its_time_limit(database, router, start, endpoint):
    event, endpoint.answer = held()
    changed = document(endpoint.url)
    changed["buyers"][0]["delivery"]["timeout_ms"] = 1000
    database.apply(changed)
    sold = router.hand_over(start())[0]
    router.wait_attempt(sold, 1)
    number, status, verdict, answer, took_ms = router.attempts(sold)[0]
    assert (status, verdict, answer) == (None, "RETRY", "timeout") and 900 <= took_ms <= 3000
    event.set()


def test_requests_at_once_are_limited(database, router, start, endpoint):
    now, most, lock = [0], [0], threading.Lock()

    def reply(_request):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        return 200
    endpoint.answer = reply
    changed = document(endpoint.url)
    changed["buyers"][0]["limits"] = {"concurrent": 3}
    database.apply(changed)
    router.hand_over(start(), count=40)
    endpoint.wait(40)
    assert 2 <= most[0] <= 3


def test_requests_per_second_are_limited(database, router, start, endpoint):
    changed = document(endpoint.url)
    changed["buyers"][0]["limits"] = {"per_second": 20}
    database.apply(changed)
    router.hand_over(start(), count=60)
    requests = endpoint.wait(60, 15)
    assert 2.0 <= requests[-1].at - requests[0].at <= 6
    in_second = [sum(begin.at <= other.at < begin.at + 1 for other in requests) for begin in requests]
    assert max(in_second) <= 23


def test_a_new_url_holds_for_the_next_attempt(database, router, start, endpoint):
    database.apply(document(f"http://127.0.0.1:{testing.free_port()}/"))
    one = start()
    sold = router.hand_over(one)[0]
    router.wait_attempt(sold, 1)
    database.apply(document(endpoint.url))
    eventually(lambda: "event=catalog.read" in one.log())
    router.make_due(sold)
    router.wait_state(sold, "DELIVERED")
    assert endpoint.requests[0].webhook_id == sold.id


def test_deliveries_of_a_buyer_without_an_endpoint_wait(database, router, start, endpoint):
    without = document(endpoint.url)
    del without["buyers"][0]["delivery"]
    database.apply(without)
    one = start()
    sold = router.hand_over(one)[0]
    eventually(lambda: router.row(sold)[3] is None, message="its lease is given back")
    assert router.row(sold)[:2] == ("OPEN", 0) and router.attempts(sold) == []
    database.apply(document(endpoint.url))
    router.wait_state(sold, "DELIVERED")


def test_what_does_not_fit_is_given_back_and_found_again(database, router, start, endpoint):
    changed = document(endpoint.url)
    changed["buyers"][0]["limits"] = {"concurrent": 2}
    database.apply(changed)
    one = start(lane_deliveries=10)
    sold = router.hand_over(one, count=300)
    eventually(lambda: router.count("state = 'DELIVERED'") == 300, 20, message=lambda: router.count("state = 'DELIVERED'"))
    assert sorted(request.webhook_id for request in endpoint.requests) == sorted(each.id for each in sold)
    assert one.metric("leadline_deliveries_given_back_total") > 0


@pytest.mark.parametrize("limits", [{"per_second": 10}, {"concurrent": 1}], ids=["rate", "requests"])
def test_what_waits_in_the_database_is_not_overtaken_by_what_is_sold_later(database, router, start, endpoint, limits):
    endpoint.answer = (lambda _request: time.sleep(0.1) or 200) if "concurrent" in limits else 200
    database.apply(document(buyers=[buyer(url=endpoint.url, limits=limits)]))
    one = start()
    router.hand_over(one, count=3)
    endpoint.wait(3)  # it is known how long the buyer takes
    older = router.hand_over(one, count=120)
    while len(endpoint.requests) < 60:
        router.hand_over(one)
        time.sleep(0.02)
    assert {request.webhook_id for request in endpoint.requests[3:60]} <= {sold.id for sold in older}


def test_a_backlog_is_drained_without_pauses(database, router, start):
    """Many seconds' worth of sweeps, were each lane looked at only once a second."""
    with Buyer() as first, Buyer() as second:
        database.apply(document(buyers=[buyer(url=first.url), buyer("buyer_two", second.url)]))
        router.sell(count=2500)
        router.sell("buyer_two", count=2500)
        begin = time.monotonic()
        start()
        eventually(lambda: router.count("state = 'DELIVERED'") == 5000, 60, message=lambda: router.count("state = 'DELIVERED'"))
        assert time.monotonic() - begin < 40  # this process' buyers take most of it
        ids = [request.webhook_id for request in first.requests + second.requests]
        assert len(ids) == len(set(ids)) == 5000
        assert testing.query_one(router.connection, "SELECT count(*) FROM attempt") == 5000


# Several dispatchers, and their ends ----------------------------------------------------------------------------------

def test_two_dispatchers_share_the_buyers(database, router, start, endpoint):
    ids = [f"buyer-{n}" for n in range(24)]
    database.apply(document(buyers=[buyer(id, endpoint.url) for id in ids], campaigns=[]))
    one, other = start("dispatcher-1"), start("dispatcher-2")
    eventually(lambda: database.query_one("SELECT count(*) FROM stage_instance WHERE stage = 'dispatcher'") == 2)
    time.sleep(1.5)  # both have read that
    sold = [each for id in ids for each in router.sell(id, 10)]
    eventually(lambda: router.count("state = 'DELIVERED'") == 240, 20)
    assert sorted(request.webhook_id for request in endpoint.requests) == sorted(each.id for each in sold)
    shares = [each.metric("leadline_deliveries_swept_total") for each in (one, other)]
    assert sum(shares) == 240 and min(shares) >= 30, shares


def test_killed_in_the_middle_its_deliveries_are_taken_over_at_its_restart(database, router, start, endpoint):
    event, endpoint.answer = held()
    database.apply(document(endpoint.url))
    one = start()
    sold = router.hand_over(one, count=5, lease_s=600)
    endpoint.wait(5)
    lost = router.sell(lease_by="dispatcher-1", due_in_s=600)[0]  # its frame died with the process
    one.kill()
    one.process.wait()
    endpoint.answer = 200
    event.set()
    one.start()
    for each in sold + [lost]:
        router.wait_state(each, "DELIVERED", 10)
        assert len(router.attempts(each)) == 1
    seen = collections.Counter(request.webhook_id for request in endpoint.requests)
    assert all(seen[each.id] == 2 for each in sold) and seen[lost.id] == 1
    assert len({request.body for request in endpoint.requests if request.webhook_id == sold[0].id}) == 1


def test_a_lease_of_somebody_else_is_respected_until_it_ends(database, router, start, endpoint):
    database.apply(document(endpoint.url))
    start()
    begin = time.time()
    sold = router.sell(lease_by="dispatcher-9", due_in_s=3)[0]
    router.wait_state(sold, "DELIVERED")
    assert endpoint.requests[0].at - begin >= 2.9
    assert len(endpoint.requests) == 1


def test_when_one_hangs_another_takes_its_deliveries(database, router, start, endpoint):
    changed = document(endpoint.url)
    changed["buyers"][0]["delivery"]["timeout_ms"] = 1000
    database.apply(changed)
    one = start("dispatcher-1", lease_slack_ms=500)
    sold = router.hand_over(one, count=3, lease_s=2)
    endpoint.wait(3)
    for each in sold:
        router.wait_state(each, "DELIVERED")
    one.kill(signal.SIGSTOP)
    late = router.sell(count=3, lease_by="dispatcher-1", due_in_s=2)
    start("dispatcher-2")
    # The other's row is fresh for 15 s; then this one has all buyers.
    for each in late:
        router.wait_state(each, "DELIVERED", 25)
    one.kill(signal.SIGCONT)
    time.sleep(1)
    assert len(endpoint.requests) == 6


def test_a_result_that_was_overtaken_changes_nothing(database, router, start, endpoint):
    event, endpoint.answer = held()
    database.apply(document(endpoint.url))
    one = start()
    another, cancelled, kept = router.hand_over(one, count=3)
    endpoint.wait(3)
    testing.query(router.connection, "UPDATE delivery SET attempt = 4, due_at = now() + interval '1 day' WHERE id = %s", another.id)
    testing.query(router.connection, "UPDATE delivery SET state = 'CANCELLED' WHERE id = %s", cancelled.id)
    event.set()
    router.wait_state(kept, "DELIVERED")
    eventually(lambda: one.metric("leadline_results_overtaken_total") == 1)
    assert router.row(another)[:2] == ("OPEN", 4) and router.attempts(another) == []
    router.wait_attempt(cancelled, 1)
    assert router.row(cancelled)[:2] == ("CANCELLED", 1), "what came of it is kept, but a final state stays"


def test_term_finishes_what_is_under_way_and_gives_back_the_rest(database, router, start, endpoint):
    def slow(_request):
        time.sleep(1.5)
        return 200
    endpoint.answer = slow
    changed = document(endpoint.url)
    changed["buyers"][0]["limits"] = {"concurrent": 2}
    database.apply(changed)
    one = start()
    router.hand_over(one, count=20, lease_s=600)
    endpoint.wait(2)
    one.kill(signal.SIGTERM)
    late = router.sell(lease_by=one.name, due_in_s=600)[0]  # from a router that has not heard of it
    router.push(one, router.frame([router.item(late, 600)]))
    assert one.process.wait(30) == 0
    assert len(endpoint.requests) == 2
    assert router.count("state = 'DELIVERED' AND attempt = 1") == 2
    assert router.count("state = 'OPEN' AND attempt = 0 AND lease_by IS NULL AND due_at <= now()") == 19
    assert database.query_one("SELECT count(*) FROM stage_instance") == 0

    endpoint.answer = 200
    start("dispatcher-2")
    eventually(lambda: router.count("state = 'DELIVERED'") == 21, 15)
    assert len({request.webhook_id for request in endpoint.requests}) == len(endpoint.requests) == 21


# Trouble --------------------------------------------------------------------------------------------------------------

def test_rubbish_frames_are_counted_and_dropped(database, router, start, endpoint):
    database.apply(document(endpoint.url))
    one = start()
    sold = router.sell(lease_by=one.name, due_in_s=600)[0]
    good = router.item(sold)
    frames = [
        b"", b"\x00", os.urandom(300), b"\xdd\xff\xff\xff\xff", msgpack.packb({}), msgpack.packb([]), msgpack.packb([2]),
        msgpack.packb([2, 3, "router-1", 1]), router.frame([good], major=9), router.frame([good], kind=1), router.frame([good], kind=2),
        router.frame([good], kind=77), router.frame([7]), router.frame(["x"]), router.frame([{}]), router.frame({}),
        router.frame([{key: value for key, value in good.items() if key != 3}]), router.frame([{**good, 1: b"short"}]),
        router.frame([{**good, 9: -1}]), router.frame([{**good, 9: 10}]), router.frame([{**good, 5: -1}]), router.frame([{**good, 3: ""}]),
        router.frame([{**good, 10: [["name", 0]]}]), router.frame([{**good, 10: [["name", 99, "x"]]}]), router.frame([{**good, 3: 5}]),
        router.frame([good, {}]), router.frame([good])[:-3], router.frame([good]) + b"behind", router.frame([None] * 200_000),
    ]
    for frame in frames:
        router.push(one, frame)
    eventually(lambda: one.metric("leadline_frames_refused_total") >= len(frames), message=lambda: (
        one.metric("leadline_frames_refused_total"), len(frames)))
    assert "event=frame.refused" in one.log()
    assert endpoint.requests == []
    router.push(one, router.frame([{**good, 60: "a key of a later version"}]))
    router.wait_state(sold, "DELIVERED")
    assert len(endpoint.requests) == 1 and one.process.poll() is None


def test_an_unknown_buyer_in_a_frame_is_given_back(database, router, start, endpoint):
    database.apply(document(endpoint.url))
    one = start()
    sold = router.hand_over(one, "nobody", 3)
    eventually(lambda: router.count("lease_by IS NULL") == 3)
    assert router.count("state = 'OPEN' AND attempt = 0") == 3 and one.process.poll() is None
    assert [router.attempts(each) for each in sold] == [[], [], []]


def test_a_row_that_cannot_be_read_holds_up_no_other(database, router, start, endpoint):
    database.apply(document(endpoint.url))
    broken = router.sell(fields=["no", "object"], due_in_s=-60)[0]
    without_sale = router.sell(due_in_s=-60)[0]
    testing.query(router.connection, "DELETE FROM sale WHERE lead_id = %s", without_sale.lead_id)
    one = start()
    good = router.sell(count=20)
    for each in good:
        router.wait_state(each, "DELIVERED")
    assert one.log().count("event=delivery.unreadable") == 2
    assert router.row(broken)[0] == "OPEN" and len(endpoint.requests) == 20


def test_a_result_that_the_database_refuses_costs_only_its_words(database, router, start, endpoint):
    """A constraint that the test adds stands for whatever the database may dislike."""
    testing.query(router.connection, "ALTER TABLE attempt ADD CHECK (answer <> 'poison')")
    endpoint.answer = lambda request: (200, "poison" if request.data["fields"]["n"] == 7 else "ok")
    database.apply(document(endpoint.url))
    one = start()
    with Buyer() as _:
        sold = [router.sell(fields={"n": n}, lease_by=one.name, due_in_s=600)[0] for n in range(40)]
        router.push(one, router.frame([router.item(each) for each in sold]))
        for each in sold:
            router.wait_state(each, "DELIVERED")
    answers = [router.attempts(each)[0][3] for each in sold]
    assert answers[7] == "(the answer could not be stored)" and answers.count("ok") == 39


def test_an_attempt_that_can_never_be_logged_still_ends_its_delivery(database, router, start, endpoint):
    testing.query(router.connection, "ALTER TABLE attempt ADD CHECK (verdict <> 'ACCEPTED')")
    database.apply(document(endpoint.url))
    sold = router.hand_over(start(), count=3)
    for each in sold:
        router.wait_state(each, "DELIVERED")
        assert router.attempts(each) == []
    assert len(endpoint.requests) == 3


def test_results_outlive_the_database(start, endpoint):
    """PostgreSQL is killed while attempts are under way: they are recorded when it is back, and made once."""
    server = Postgres().start()
    try:
        database = server.fresh_database()
        router = Router(database)
        event, endpoint.answer = held()
        database.apply(document(endpoint.url))
        one = start(database=database)
        sold = router.hand_over(one, count=5, lease_s=600)
        endpoint.wait(5)
        server.kill()
        event.set()
        eventually(lambda: one.get("/readyz")[0] == 503)
        eventually(lambda: one.metric("leadline_results_waiting") == 5)
        server.start()
        router.connection = database.connect()
        for each in sold:
            router.wait_state(each, "DELIVERED", 20)
            assert len(router.attempts(each)) == 1
        assert len(endpoint.requests) == 5
        eventually(one.is_ready)
        router.wait_state(router.sell()[0], "DELIVERED", 10)
        router.close()
    finally:
        server.close()


def test_wrong_parameters_end_it_at_once():
    done = subprocess.run([testing.program("leadline-dispatcher"), "--connections", "0"], capture_output=True, text=True, timeout=10)
    assert done.returncode != 0 and "connections" in done.stderr


def test_metrics(database, router, start, endpoint):
    endpoint.answer = [500, 200]
    database.apply(document(endpoint.url))
    one = start()
    first = router.hand_over(one)[0]
    router.wait_attempt(first, 1)
    second = router.hand_over(one)[0]
    router.wait_state(second, "DELIVERED")
    eventually(lambda: one.metric("leadline_results_waiting") == 0)
    page = one.get("/metrics")[1]
    assert re.search(r'^leadline_attempts_total\{verdict="ACCEPTED"\} 1$', page, re.M)
    assert re.search(r'^leadline_attempts_total\{verdict="RETRY"\} 1$', page, re.M)
    assert re.search(r"^leadline_delivery_seconds_count 1$", page, re.M)
    assert re.search(r"^leadline_deliveries_waiting 0$", page, re.M) and re.search(r"^leadline_attempts_in_flight 0$", page, re.M)
    assert one.get("/healthz")[0] == 200
