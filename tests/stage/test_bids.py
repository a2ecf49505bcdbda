"""
Live bids: one real dispatcher, a played router that asks, buyers in this process that bid, refuse, hang and lie. Every question is
answered once.
"""
import collections
import contextlib
import json
import signal
import socket
import threading
import time
import uuid

import pytest

from leadline_testing import SECRET, Buyer, buyer, document, eventually, free_port
from played import BIDS, DELIVERIES, PINGS, Neighbours, Stage, frame, uuid7

OTHER_SECRET = "whsec_b3RoZXIgc2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXM="
FIELDS = {"state": "TX", "age": 42, "income": 0.1, "owner": True, "city": "Zürich \"x\""}

Bid = collections.namedtuple("Bid", "outcome price_cents took_ms http_status")


def bidding(id, url, timeout_ms=5000, secrets=(SECRET,), **more):
    """A buyer of the document with a ping endpoint."""
    return buyer(id, secrets=secrets, ping={"url": url, "timeout_ms": timeout_ms, **more})


class Rig:
    """A database, a played router and the dispatchers of one test."""

    def __init__(self, database):
        self.database = database
        self.neighbours = Neighbours(database)
        self.router = self.neighbours.play("router")
        self.dispatchers = []

    def apply(self, *buyers, **changes):
        self.database.apply(document(buyers=list(buyers), campaigns=[], **changes))

    def start(self, **params):
        one = Stage(self.neighbours, "dispatcher", f"dispatcher-{len(self.dispatchers) + 1}", **params)
        self.dispatchers.append(one)
        one.start(False).wait_for(connections=3, neighbours=1)
        return one

    def item(self, buyer_id="buyer_abc", left_ms=20000, fields=FIELDS, id=None, **more):
        kinds = {bool: 2, int: 1, float: 1, str: 0}
        item = {1: (id or uuid7()).bytes, 2: uuid7().bytes, 3: buyer_id, 4: "campaign_abc123", 5: left_ms,
                6: [[name, kinds[type(value)], value if isinstance(value, str) else json.dumps(value)] for name, value in fields.items()]}
        if more.get("is_test"):
            item[7] = True
        return item

    def send(self, dispatcher, items, sender="router-1", size=100):
        """Asks, in frames of that many. Returns the questions' ids."""
        for at in range(0, len(items), size):
            self.neighbours.push(dispatcher, frame(PINGS, items[at:at + size], sender))
        return [uuid.UUID(bytes=item[1]) for item in items]

    def bids(self, ids, seconds=20, router=None):
        """What became of each, in order."""
        return [Bid(item[2], item.get(3), item.get(4, 0), item.get(5)) for item in (router or self.router).wait_for(ids, seconds)]

    def ask(self, dispatcher, buyer_id="buyer_abc", **more):
        return self.bids(self.send(dispatcher, [self.item(buyer_id, **more)]))[0]

    def check_once(self, ids, router=None):
        assert [len((router or self.router).of(id)) for id in ids] == [1] * len(ids)

    def close(self):
        for one in self.dispatchers:
            if one.process.poll() is None:
                one.kill()
            one.check_log(SECRET, OTHER_SECRET, SECRET[len("whsec_"):], "Zürich", "buyer.example")
        self.neighbours.close()


@pytest.fixture
def rig(database):
    made = Rig(database)
    yield made
    made.close()


@contextlib.contextmanager
def endpoint(reply):
    """A server that answers each connection by reply(connection), in a thread of its own; `accepted` counts them."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    at = type("Endpoint", (), {"accepted": 0, "url": f"http://127.0.0.1:{listener.getsockname()[1]}/ping"})()

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            reply(connection)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                at.accepted += 1
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield at
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def read_request(connection):
    """One whole request, or b"" at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answering(data):
    """Answers every request of a connection with these bytes, kept alive."""
    def reply(connection):
        while read_request(connection):
            connection.sendall(data)
    return reply


def http(body=b"", status="200 OK", headers=""):
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def bid(price):
    return 200, json.dumps({"bid_price": price})


# What a buyer is asked ------------------------------------------------------------------------------------------------

def test_a_question_is_asked_signed_and_its_bid_comes_back(rig):
    with Buyer(bid("31.50")) as made:
        rig.apply(bidding("buyer_abc", made.url.replace("/leads", "/ping?x=1"), timeout_ms=4000, secrets=[OTHER_SECRET, SECRET]))
        item = rig.item(is_test=True)
        got = rig.bids(rig.send(rig.start(), [item]))[0]
        request = made.wait(1)[0]
    assert got.outcome == "BID" and got.price_cents == 3150 and got.took_ms >= 1 and got.http_status == 200
    assert request.path == "/ping?x=1" and request.headers["content-type"] == "application/json"
    assert request.webhook_id == str(uuid.UUID(bytes=item[1]))
    assert request.is_signed(SECRET) and request.is_signed(OTHER_SECRET) and "x-leaddistro-signature" not in request.headers
    assert request.json() == {
        "id": str(uuid.UUID(bytes=item[1])), "ping_id": str(uuid.UUID(bytes=item[2])), "campaign_id": "campaign_abc123",
        "buyer_id": "buyer_abc", "is_test": True, "timeout_ms": 4000, "fields": FIELDS}
    assert list(request.json()["fields"]) == list(FIELDS)
    assert rig.router.frames == [(BIDS, "dispatcher-1", 1)]


def test_a_buyer_without_secrets_is_asked_unsigned(rig):
    with Buyer(bid(5)) as made:
        rig.apply(bidding("buyer_abc", made.url, secrets=[]))
        assert rig.ask(rig.start()).price_cents == 500
        assert "webhook-signature" not in made.wait(1)[0].headers


def test_the_legacy_signature_is_there_when_it_is_asked_for(rig):
    with Buyer(bid(5)) as made:
        one = bidding("buyer_abc", made.url)
        one["delivery"]["legacy_signature"] = True
        rig.apply(one)
        assert rig.ask(rig.start()).outcome == "BID"
        assert len(made.wait(1)[0].headers["x-leaddistro-signature"]) == 64


def test_questions_share_kept_connections(rig):
    with endpoint(answering(http(b'{"bid_price":"2.00"}'))) as made:
        rig.apply(bidding("buyer_abc", made.url))
        dispatcher = rig.start()
        for _ in range(20):
            assert rig.ask(dispatcher).price_cents == 200
        assert made.accepted == 1


# What becomes of it ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("claim, reply, outcome, cents, status", [
    ("a bid", http(b'{"bid_price":31.5}'), "BID", 3150, 200),
    ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", "NO_BID", None, 204),
    ("nothing in it", http(b"{}"), "NO_BID", None, 200),
    ("a bid of null", http(b'{"bid_price":null}'), "NO_BID", None, 200),
    ("a negative bid", http(b'{"bid_price":-1}'), "WRONG", None, 200),
    ("no JSON", http(b"<html>no</html>"), "WRONG", None, 200),
    ("no UTF-8", http(b'{"bid_price":"\xff"}'), "WRONG", None, 200),
    ("deep", http(b"[" * 60000), "WRONG", None, 200),
    ("huge, and right at the beginning", http(b'{"bid_price":"31.50","x":"' + b"a" * 200000 + b'"}'), "WRONG", None, 200),
    ("large, but whole", http(b'{"bid_price":"31.50","x":"' + b"a" * 60000 + b'"}'), "BID", 3150, 200),
    ("a redirect", http(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"), "WRONG", None, 302),
    ("an error", http(b'{"bid_price":"31.50"}', "500 Broken"), "WRONG", None, 500),
    ("no HTTP", b"hello\r\n\r\n", "WRONG", None, None),
    ("broken off", None, "FAILED", None, None),
    ("less than was announced", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", "FAILED", None, None),
    ("headers without end", b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"b" * 400000 + b"\r\n\r\n", "WRONG", None, None),
], ids=lambda value: value if isinstance(value, str) else "")
def test_an_answer_is(rig, claim, reply, outcome, cents, status):
    def once(connection):
        read_request(connection)
        if reply is not None:
            connection.sendall(reply)

    with endpoint(once) as made:
        rig.apply(bidding("buyer_abc", made.url))
        got = rig.ask(rig.start())
    assert (got.outcome, got.price_cents, got.http_status) == (outcome, cents, status) and got.took_ms >= 1


def test_nobody_listens(rig):
    rig.apply(bidding("buyer_abc", f"http://127.0.0.1:{free_port()}/ping"))
    assert rig.ask(rig.start())[:2] == ("FAILED", None)


def held(answer):
    """A reply that comes when the event is set."""
    event = threading.Event()

    def reply(_request):
        event.wait(60)
        return answer
    return event, reply


def test_late_is_who_exceeds_his_own_time_or_what_is_left(rig):
    event, reply = held(bid(5))
    with Buyer(reply) as made:
        rig.apply(bidding("own", made.url, timeout_ms=100), bidding("left", made.url, timeout_ms=60000))
        dispatcher = rig.start()
        ids = rig.send(dispatcher, [rig.item("own", left_ms=60000), rig.item("left", left_ms=150)])
        assert [got[:2] for got in rig.bids(ids)] == [("LATE", None)] * 2
        event.set()
        assert rig.ask(dispatcher, "left").outcome == "BID"
        rig.check_once(ids)


def test_what_has_no_time_left_is_not_asked(rig):
    with Buyer(bid(5)) as made:
        rig.apply(bidding("buyer_abc", made.url))
        dispatcher = rig.start()
        assert rig.ask(dispatcher, left_ms=0) == Bid("SKIPPED", None, 0, None)
        late = rig.item(left_ms=1000)
        rig.neighbours.push(dispatcher, frame(PINGS, [late], "router-1", sent_at_ms=int(time.time() * 1000) - 5000))
        assert rig.bids([uuid.UUID(bytes=late[1])])[0].outcome == "SKIPPED"
        assert rig.ask(dispatcher).outcome == "BID" and len(made.requests) == 1
        assert dispatcher.metric("leadline_bids_skipped_total", why="time") == 2


def test_who_is_not_known_here_is_not_asked_until_he_is(rig):
    with Buyer(bid(5)) as made:
        rig.apply(buyer("buyer_abc"))
        dispatcher = rig.start()
        assert [rig.ask(dispatcher, id).outcome for id in ("buyer_abc", "nobody")] == ["SKIPPED", "SKIPPED"]
        rig.apply(bidding("buyer_abc", made.url))
        eventually(lambda: rig.ask(dispatcher).outcome == "BID", 10)


def test_twenty_buyers_five_dead_five_slow(rig):
    """All bids that came in time are there while the dead and the slow still hang; then those are told, each once."""
    event, slow_reply = held(bid("99.00"))
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(Buyer(bid(f"{n + 1}.50"))) for n in range(10)]
        slow = [stack.enter_context(Buyer(slow_reply)) for _ in range(5)]
        hanging = [stack.enter_context(endpoint(lambda connection: event.wait(60))) for _ in range(3)]
        buyers = [bidding(f"good_{n}", one.url, 30000) for n, one in enumerate(made)]
        buyers += [bidding(f"slow_{n}", one.url, 2000) for n, one in enumerate(slow)]
        buyers += [bidding(f"hanging_{n}", one.url, 2000) for n, one in enumerate(hanging)]
        buyers += [bidding(f"gone_{n}", f"http://127.0.0.1:{free_port()}/ping", 2000) for n in range(2)]
        rig.apply(*buyers)
        dispatcher = rig.start()
        for _ in range(3):
            began = time.monotonic()
            ids = dict(zip([one["id"] for one in buyers], rig.send(dispatcher, [rig.item(one["id"]) for one in buyers])))
            good = rig.bids([id for name, id in ids.items() if name.startswith("good_")])
            if time.monotonic() - began < 1.5:  # else this machine is too slow to tell
                assert not any(rig.router.of(id) for name, id in ids.items() if name.startswith(("slow_", "hanging_")))
            assert [one[:2] for one in good] == [("BID", 150 + 100 * n) for n in range(10)]
            assert [rig.bids([id])[0].outcome for name, id in ids.items() if name.startswith("gone_")] == ["FAILED"] * 2
            assert [rig.bids([id])[0].outcome for name, id in ids.items() if name.startswith(("slow_", "hanging_"))] == ["LATE"] * 8
            rig.check_once(ids.values())
        event.set()
        assert dispatcher.metric("leadline_bids_total", outcome="BID") == 30
        assert dispatcher.metric("leadline_bids_total", outcome="LATE") == 24
        assert dispatcher.metric("leadline_bid_seconds_count") == 60 and dispatcher.metric("leadline_bids_in_flight") == 0


# Limits ---------------------------------------------------------------------------------------------------------------

def test_a_flood_is_answered_within_the_limit_of_open_questions(rig):
    open_now, most, lock = 0, 0, threading.Lock()

    def reply(_request):
        nonlocal open_now, most
        with lock:
            open_now += 1
            most = max(most, open_now)
        time.sleep(0.01)
        with lock:
            open_now -= 1
        return bid(5)

    with Buyer(reply) as made:
        rig.apply(bidding("buyer_abc", made.url, 20000, limits={"concurrent": 5}))
        dispatcher = rig.start()
        ids = rig.send(dispatcher, [rig.item() for _ in range(5000)], size=1000)
        outcomes = collections.Counter(got.outcome for got in rig.bids(ids))
        rig.check_once(ids)
    assert set(outcomes) == {"BID", "SKIPPED"} and outcomes["BID"] == len(made.requests) >= 5 and most <= 5
    assert dispatcher.metric("leadline_bids_skipped_total", why="concurrent") == outcomes["SKIPPED"]


def test_a_buyer_that_hangs_leaves_connections_to_others(rig):
    event, reply = held(bid(5))
    with Buyer(reply) as hanging, Buyer(bid(7)) as well:
        rig.apply(bidding("hanging", hanging.url, 60000, limits={"concurrent": 1000}), bidding("well", well.url, 60000))
        dispatcher = rig.start(bid_connections=10)
        stuck = rig.send(dispatcher, [rig.item("hanging", left_ms=60000) for _ in range(20)])
        assert rig.ask(dispatcher, "well", left_ms=60000)[:2] == ("BID", 700)
        event.set()
        assert collections.Counter(got.outcome for got in rig.bids(stuck)) == {"BID": 5, "SKIPPED": 15}


def test_the_rate_limit_of_an_endpoint(rig):
    with Buyer(bid(5)) as made:
        rig.apply(bidding("buyer_abc", made.url, limits={"per_second": 1}))
        dispatcher = rig.start()
        outcomes = [got.outcome for got in rig.bids(rig.send(dispatcher, [rig.item() for _ in range(50)]))]
        assert outcomes.count("BID") == 1 and outcomes.count("SKIPPED") == 49
        assert dispatcher.metric("leadline_bids_skipped_total", why="per_second") == 49
        eventually(lambda: rig.ask(dispatcher).outcome == "BID", 10)


def test_deliveries_that_hang_do_not_hold_up_questions(rig):
    event, reply = held(200)
    with Buyer(reply) as sink, Buyer(bid(5)) as made:
        rig.apply(buyer("buyer_abc", sink.url, ping={"url": made.url, "timeout_ms": 5000}))
        dispatcher = rig.start(connections=1)
        now_ms = int(time.time() * 1000)
        delivery = {1: uuid7().bytes, 2: uuid7().bytes, 3: "buyer_abc", 4: "campaign_abc123", 5: 2500, 6: False, 7: now_ms,
                    8: now_ms + 60000, 9: 0, 10: []}
        rig.neighbours.push(dispatcher, frame(DELIVERIES, [delivery], "router-1"))
        sink.wait(1)
        assert rig.ask(dispatcher).outcome == "BID"
        event.set()


# Health ---------------------------------------------------------------------------------------------------------------

def test_who_is_wrong_too_often_is_asked_less_until_he_is_well(rig):
    with Buyer((500, "no")) as made:
        rig.apply(bidding("buyer_abc", made.url))
        dispatcher = rig.start()
        for _ in range(10):
            assert rig.ask(dispatcher).outcome == "WRONG"
        eventually(lambda: "event=bidder.poor" in dispatcher.log(), 5)
        outcomes = [rig.ask(dispatcher).outcome for _ in range(30)]
        # every tenth, and one after ten seconds: more only where this takes longer than that
        assert 3 <= outcomes.count("WRONG") <= 6 and outcomes.count("SKIPPED") == 30 - outcomes.count("WRONG"), outcomes
        assert dispatcher.metric("leadline_bids_skipped_total", why="health") == outcomes.count("SKIPPED")
        made.answer = bid(5)

        def is_well():
            ids = rig.send(dispatcher, [rig.item() for _ in range(10)])
            return {got.outcome for got in rig.bids(ids)} == {"BID"}
        eventually(is_well, 30, 0)
        assert "event=bidder.well" in dispatcher.log()


def test_short_times_of_suppliers_do_not_make_a_buyer_poor(rig):
    event, reply = held(bid(5))
    with Buyer(reply) as made:
        rig.apply(bidding("buyer_abc", made.url, 5000))
        dispatcher = rig.start()
        ids = rig.send(dispatcher, [rig.item(left_ms=60) for _ in range(30)])
        assert {got.outcome for got in rig.bids(ids)} <= {"LATE", "SKIPPED"}
        event.set()
        assert [rig.ask(dispatcher).outcome for _ in range(5)] == ["BID"] * 5
        assert "event=bidder.poor" not in dispatcher.log()


def test_another_endpoint_begins_anew(rig):
    with Buyer((500, "no")) as bad, Buyer(bid(5)) as good:
        rig.apply(bidding("buyer_abc", bad.url))
        dispatcher = rig.start()
        assert [rig.ask(dispatcher).outcome for _ in range(11)] == ["WRONG"] * 10 + ["SKIPPED"]
        rig.apply(bidding("buyer_abc", good.url))
        eventually(lambda: dispatcher.metric("leadline_catalog_version") == 2, 10)
        assert [rig.ask(dispatcher).outcome for _ in range(5)] == ["BID"] * 5


def test_answers_of_the_endpoint_before_say_nothing_of_the_next(rig):
    event, reply = held((500, "no"))
    with Buyer(reply) as bad, Buyer(bid(5)) as good:
        rig.apply(bidding("buyer_abc", bad.url, 60000))
        dispatcher = rig.start()
        ids = rig.send(dispatcher, [rig.item(left_ms=60000) for _ in range(15)])
        bad.wait(15)
        rig.apply(bidding("buyer_abc", good.url, 60000))
        eventually(lambda: dispatcher.metric("leadline_catalog_version") == 2, 10)
        event.set()
        assert {got.outcome for got in rig.bids(ids)} == {"WRONG"}
        assert [rig.ask(dispatcher).outcome for _ in range(5)] == ["BID"] * 5


# Addresses ------------------------------------------------------------------------------------------------------------

def test_private_addresses_are_asked_only_when_that_is_allowed(rig):
    with Buyer(bid(5)) as made:
        rig.apply(bidding("buyer_abc", made.url), allow_private_endpoints=False)
        dispatcher = rig.start()
        assert rig.ask(dispatcher).outcome == "FAILED" and made.requests == []
        rig.apply(bidding("buyer_abc", made.url), allow_private_endpoints=True)
        eventually(lambda: rig.ask(dispatcher).outcome == "BID", 10)
        rig.apply(bidding("buyer_abc", made.url), allow_private_endpoints=False)
        eventually(lambda: rig.ask(dispatcher).outcome == "FAILED", 10)


def test_a_question_under_way_is_finished_while_the_rule_changes(rig):
    event, reply = held(bid(5))
    with Buyer(reply) as made:
        rig.apply(bidding("buyer_abc", made.url, 30000), allow_private_endpoints=True)
        dispatcher = rig.start()
        ids = rig.send(dispatcher, [rig.item(left_ms=30000)])
        made.wait(1)
        rig.apply(bidding("buyer_abc", made.url, 30000), allow_private_endpoints=False)
        eventually(lambda: dispatcher.metric("leadline_catalog_version") == 2, 10)
        event.set()
        assert rig.bids(ids)[0].outcome == "BID"


# Routers, frames, the end ---------------------------------------------------------------------------------------------

def test_each_router_gets_its_own_bids(rig):
    second = rig.neighbours.play("router", "router-2")
    with Buyer(bid(5)) as made:
        rig.apply(bidding("buyer_abc", made.url))
        dispatcher = rig.start()
        dispatcher.wait_for(connections=3, neighbours=2)
        first_ids = rig.send(dispatcher, [rig.item() for _ in range(20)], "router-1", 3)
        second_ids = rig.send(dispatcher, [rig.item() for _ in range(20)], "router-2", 3)
        assert {got.outcome for got in rig.bids(first_ids)} == {got.outcome for got in rig.bids(second_ids, router=second)} == {"BID"}
        rig.check_once(first_ids)
        rig.check_once(second_ids, second)
        assert len(rig.router.items) == len(second.items) == 20


def test_a_router_that_is_gone_loses_only_its_bids(rig):
    with Buyer(bid(5)) as made:
        rig.apply(bidding("buyer_abc", made.url))
        dispatcher = rig.start()
        rig.send(dispatcher, [rig.item() for _ in range(3)], "router-9")
        dispatcher.wait_metric("leadline_bids_unsent_total", 3)
        assert rig.ask(dispatcher).outcome == "BID" and len(rig.router.items) == 1


@pytest.mark.parametrize("claim, change", [
    ("no buyer", lambda item: item.pop(3)), ("an empty buyer", lambda item: item.update({3: ""})), ("no time", lambda item: item.pop(5)),
    ("negative time", lambda item: item.update({5: -1})), ("a short id", lambda item: item.update({1: b"x" * 15})),
    ("fields that are none", lambda item: item.update({6: [["a"]]})), ("too many fields", lambda item: item.update({6: [["a", 0, "b"]] * 201})),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_damaged_frame_is_refused_whole(rig, claim, change):
    with Buyer(bid(5)) as made:
        rig.apply(bidding("buyer_abc", made.url))
        dispatcher = rig.start()
        damaged = rig.item()
        change(damaged)
        rig.neighbours.push(dispatcher, frame(PINGS, [rig.item(), damaged], "router-1"))
        dispatcher.wait_metric("leadline_frames_refused_total", 1)
        assert "event=frame.refused" in dispatcher.log() and "kind=pings" in dispatcher.log()
        assert rig.ask(dispatcher).outcome == "BID"
        assert len(rig.router.items) == 1 and len(made.requests) == 1


def test_frames_of_too_many_questions_are_refused(rig):
    rig.apply(bidding("buyer_abc", "http://127.0.0.1:1/ping"))
    dispatcher = rig.start()
    rig.neighbours.push(dispatcher, frame(PINGS, [rig.item(fields={})] * 16385, "router-1"))
    dispatcher.wait_metric("leadline_frames_refused_total", 1)
    assert rig.ask(dispatcher, "nobody").outcome == "SKIPPED" and len(rig.router.items) == 1


def test_bids_need_no_database(rig):
    with Buyer(bid(5)) as made:
        rig.apply(bidding("buyer_abc", made.url))
        dispatcher = rig.start()
        rig.database.query("ALTER DATABASE \"%s\" CONNECTION LIMIT 0" % rig.database.name)
        rig.database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'leadline-dispatcher'")
        eventually(lambda: "event=database.away" in dispatcher.log() or dispatcher.get("/readyz")[0] == 503, 10)
        assert [rig.ask(dispatcher).outcome for _ in range(5)] == ["BID"] * 5
        rig.database.query("ALTER DATABASE \"%s\" CONNECTION LIMIT -1" % rig.database.name)


def test_term_finishes_what_is_open(rig):
    event, reply = held(bid(5))
    with Buyer(reply) as made:
        rig.apply(bidding("buyer_abc", made.url, 30000))
        dispatcher = rig.start()
        ids = rig.send(dispatcher, [rig.item(left_ms=30000) for _ in range(3)])
        made.wait(3)
        dispatcher.signal(signal.SIGTERM)
        eventually(lambda: "event=stage.stopping" in dispatcher.log(), 5)
        ids += rig.send(dispatcher, [rig.item(left_ms=30000)])
        made.wait(4)
        event.set()
        assert {got.outcome for got in rig.bids(ids)} == {"BID"}
        rig.check_once(ids)
        assert dispatcher.process.wait(30) == 0


def test_a_second_term_ends_open_questions_as_failed(rig):
    event, reply = held(bid(5))
    with Buyer(reply) as made:
        rig.apply(bidding("buyer_abc", made.url, 60000))
        dispatcher = rig.start()
        ids = rig.send(dispatcher, [rig.item(left_ms=60000) for _ in range(3)])
        made.wait(3)
        dispatcher.signal(signal.SIGTERM)
        eventually(lambda: "event=stage.stopping" in dispatcher.log(), 5)
        dispatcher.signal(signal.SIGTERM)
        assert {got.outcome for got in rig.bids(ids)} == {"FAILED"}
        rig.check_once(ids)
        dispatcher.process.wait(30)
        event.set()
