"""
Events for the operator's endpoints: what the document may say, what a real router writes with a lead and a real dispatcher with a delivery
that failed, and how a real dispatcher delivers them.
"""
import hashlib
import json
import signal
import threading
import uuid

import psycopg2
import pytest

import leadline_testing as testing
from leadline_testing import SECRET, Buyer, buyer, campaign, contract, document, eventually, query, source, supplier
from router_rig import CAMPAIGN, OTHER, SUPPLIER, make_rig, person, rig  # noqa: F401 (fixtures)
from test_confirm import Asked, confirmed
from test_dispatcher import OTHER_SECRET, endpoint, router, start  # noqa: F401 (fixtures)

TYPES = ["lead.created", "lead.accepted", "lead.rejected", "lead.unmatched", "lead.returned", "delivery.failed"]
HOOK = "https://ops.example/hook"


def listener(url=HOOK, secrets=(SECRET,), **more):
    return {"url": url, "secrets": list(secrets), **more}


def id_of(url):
    return "@" + hashlib.sha256(url.encode()).hexdigest()[:16]


def export(database):
    return json.loads(testing.leadctl("export", "--dsn", database.dsn()).stdout)


def leadctl(database, *args, **more):
    return testing.leadctl(*args, "--dsn", database.dsn(), **more)


def listed(database, *args):
    return json.loads(leadctl(database, "delivery", "list", "--json", *args).stdout)["deliveries"]


def events(rig):
    """(lead id, buyer, event) of all, in the order in which they are due."""
    return [(uuid.UUID(lead_id), buyer_id, json.loads(event)) for lead_id, buyer_id, event in
            rig.query("SELECT lead_id::text, buyer_id, event FROM delivery WHERE n = -1 AND state = 'OPEN' AND attempt = 0 AND lease_by IS NULL"
                      " ORDER BY due_at, buyer_id")]


# The document ---------------------------------------------------------------------------------------------------------

def test_endpoints_go_round_and_keep_their_secrets(database):
    first, second = listener(types=["delivery.failed", "lead.unmatched"], timeout_ms=500, limits={"concurrent": 3, "per_second": 9}), \
        listener("https://a.example/b", [SECRET, OTHER_SECRET])
    database.apply(document(events=[first, second]))
    exported = export(database)
    assert exported["events"] == [second, first]
    for same in (exported, {**exported, "events": [first, second]}):
        assert testing.apply(same, "--dsn", database.dsn()).stdout == "nothing changed: version 1\n"
    assert database.query("SELECT id, is_live, types FROM event_endpoint ORDER BY id") == sorted(
        [(id_of(HOOK), True, ["delivery.failed", "lead.unmatched"]), (id_of("https://a.example/b"), True, None)])
    for table in ("installation", "event_endpoint", "buyer"):
        assert "whsec_" not in str(database.query(f"SELECT doc FROM {table}"))
    for role, columns, may in (("router", "id, types", True), ("router", "doc", False), ("dispatcher", "doc", True),
                               ("gateway", "id", False), ("validator", "id", False)):
        connection = database.connect(f"leadline-{role}")
        if may:
            assert len(query(connection, f"SELECT {columns} FROM event_endpoint")) == 2
        else:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                query(connection, f"SELECT {columns} FROM event_endpoint")
        if role != "dispatcher":
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                query(connection, "SELECT secret FROM buyer_secret")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                query(connection, "SELECT event_listeners('delivery.failed')")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            query(connection, "UPDATE event_endpoint SET is_live = false")
        connection.close()

    database.apply(document(events=[listener(secrets=[OTHER_SECRET])]))
    assert export(database)["events"] == [listener(secrets=[OTHER_SECRET])]
    assert database.query("SELECT buyer_id, secret FROM buyer_secret WHERE buyer_id LIKE '@%%'") == [(id_of(HOOK), OTHER_SECRET)]
    database.apply(document())
    assert "events" not in export(database) and database.query("SELECT secret FROM buyer_secret WHERE buyer_id LIKE '@%%'") == []


@pytest.mark.parametrize("entries, pointers", [
    ([{"url": HOOK}], {"/events/0/secrets"}),
    ([{"secrets": [SECRET]}], {"/events/0/url"}),
    ([listener(secrets=[])], {"/events/0/secrets"}),
    ([listener(secrets=["whsec_?", "nonsense"])], {"/events/0/secrets/0", "/events/0/secrets/1"}),
    ([listener("ftp://ops.example/")], {"/events/0/url"}),
    ([listener(), listener("https://a.example/"), listener()], {"/events/2/url"}),
    ([listener(types=["lead.sold"])], {"/events/0/types/0"}),
    ([listener(types=[])], {"/events/0/types"}),
    ([listener(types=["lead.created", "lead.created"])], {"/events/0/types"}),
    ([listener(timeout_ms=1, limits={"concurrent": 0}, id="mine")], {"/events/0/timeout_ms", "/events/0/limits/concurrent", "/events/0/id"}),
    ([listener(f"https://ops.example/{n}") for n in range(21)], {"/events"}),
    ({"url": HOOK}, {"/events"}),
])
def test_what_is_wrong_is_told_with_its_place(database, entries, pointers):
    done = testing.apply(document(events=entries), "--dsn", database.dsn(), check=False)
    found = {line.split(": ", 1)[0] for line in done.stderr.splitlines()}
    assert done.returncode == 1 and all(any(one == pointer or one.startswith(pointer + "/") for one in found) for pointer in pointers), done.stderr
    assert all(any(one == pointer or one.startswith(pointer + "/") for pointer in pointers) for one in found), done.stderr
    assert database.query_one("SELECT catalog_version FROM installation") == 0


def test_no_buyer_has_an_id_like_an_endpoint(database):
    done = testing.apply(document(buyers=[buyer(id_of(HOOK))]), "--dsn", database.dsn(), check=False)
    assert done.returncode == 1 and "/buyers/0/id" in done.stderr


# What a router writes -------------------------------------------------------------------------------------------------

def one_of_each(rig, router):
    """A lead that is sold, one that nobody buys, a duplicate, a refused one, one after another: their ids."""
    phone = person()["phone"]
    items = [rig.item(person(phone=phone, age=42)), rig.item(person(state="CA")), rig.item(person(phone=phone)),
             rig.item({"first_name": "Jane"}, reason="validation_failed", message="Mrs. Doe",
                      errors=[["phone", "required", None, "Mrs. Doe"], ["zip_code", "too_long", None, "x"]])]
    for item in items:
        rig.ask(router, item)
    return [uuid.UUID(bytes=item[1]) for item in items]


def test_every_end_of_a_lead_is_told(rig):
    rules = [{"fields": ["phone"], "window_days": 30}]
    rig.apply(document(events=[listener(), listener("https://b.example/", types=["lead.unmatched", "delivery.failed"])], buyers=[buyer(), buyer("buyer_def")],
                       campaigns=[campaign(duplicates=rules, max_sells=2, contracts=[
                           contract(states=["TX"], priority=1), contract("buyer_def", "20.50", id="second", states=["TX"], priority=2)])]))
    router = rig.start()
    sold, unsold, duplicate, refused = one_of_each(rig, router)
    found = events(rig)
    ours = [(lead_id, event) for lead_id, buyer_id, event in found if buyer_id == id_of(HOOK)]
    assert [(lead_id, event["type"]) for lead_id, event in ours] == [
        (sold, "lead.created"), (sold, "lead.accepted"), (unsold, "lead.created"), (unsold, "lead.unmatched"),
        (duplicate, "lead.created"), (duplicate, "lead.rejected"), (refused, "lead.created"), (refused, "lead.rejected")]
    by_type = {(lead_id, event["type"]): event for lead_id, event in ours}
    assert len(by_type) == 8

    received_at, decided_at = rig.query("SELECT to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),"
                                        " to_char(decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM lead WHERE id = %s", str(sold))[0]
    data = {"id": str(sold), "campaign_id": CAMPAIGN, "supplier_id": SUPPLIER, "status": "ACCEPTED", "is_test": False, "received_at": received_at,
            "price": "45.50", "cost": "10.00", "buyers": [{"buyer_id": "buyer_abc", "contract_id": "buyer_abc", "price": "25.00"},
                                                          {"buyer_id": "buyer_def", "contract_id": "second", "price": "20.50"}], "reasons": []}
    for type in ("lead.created", "lead.accepted"):
        assert json.dumps(by_type[sold, type]) == json.dumps({"type": type, "timestamp": decided_at, "data": data})
    nothing = {"price": None, "cost": None, "buyers": []}
    for id, type, status, reasons in (
            (unsold, "lead.unmatched", "UNMATCHED", [{"code": "unmatched", "field": None}]),
            (duplicate, "lead.rejected", "DUPLICATE", [{"code": "duplicate", "field": None}]),
            (refused, "lead.rejected", "REJECTED", [{"code": "required", "field": "phone"}, {"code": "too_long", "field": "zip_code"}])):
        got = by_type[id, type]["data"]
        assert (got["id"], got["status"], got["reasons"]) == (str(id), status, reasons)
        assert {key: got[key] for key in nothing} == nothing
    assert [(lead_id, event["type"]) for lead_id, buyer_id, event in found if buyer_id != id_of(HOOK)] == [(unsold, "lead.unmatched")]

    # Nothing of the person is in them; no frame tells of them; nothing else counts them.
    text = " ".join(event for event, in rig.query("SELECT event FROM delivery WHERE event IS NOT NULL"))
    for secret in ("John", "Doe", "Jane", "+1555", "john.", "TX", "example.com"):
        assert secret not in text
    assert len(rig.dispatcher.items) == 2
    ids = rig.query("SELECT DISTINCT id, lead_of_delivery(id) = lead_id FROM delivery WHERE n = -1")
    assert len(ids) == 9 and all(is_found for _, is_found in ids)
    rig.check()


def test_nobody_listens_nothing_is_written(rig):
    rig.apply(document(events=[listener(types=["delivery.failed", "lead.returned"])]))
    router = rig.start()
    assert rig.ask(router, rig.item()).status == 201
    assert events(rig) == []
    rig.apply(document(events=[listener(types=["lead.accepted"])]))
    assert rig.ask(router, rig.item()).status == 201
    assert [event["type"] for _, _, event in events(rig)] == ["lead.accepted"]
    rig.apply(document())
    assert rig.ask(router, rig.item()).status == 201
    assert rig.query("SELECT count(*) FROM delivery WHERE n = -1 AND state = 'OPEN'") == [(0,)]
    rig.check()


def test_test_leads_are_marked(rig):
    rig.apply(document(events=[listener()]))
    assert rig.ask(rig.start(), rig.item(is_test=True)).status == 201
    assert [event["data"]["is_test"] for _, _, event in events(rig)] == [True, True]


def test_a_repeated_lead_is_told_once(rig):
    rig.apply(document(events=[listener()]))
    router = rig.start()
    item = rig.item(key=uuid.uuid4())
    rig.ask(router, item)
    rig.send(router, [{**item, 8: True}])
    rig.answers([uuid.UUID(bytes=item[1])], count=2)
    same = rig.item(key=uuid.UUID(bytes=item[10]))  # another lead, the same idempotency key
    rig.ask(router, same)
    assert [event["type"] for _, _, event in events(rig)] == ["lead.created", "lead.accepted"]


def test_a_lead_that_waits_for_its_buyer_is_told_when_it_has_ended(rig):
    rig.apply({**confirmed(), "events": [listener()]})
    router, asked = rig.start(), Asked(rig)
    sold, = rig.send(router, [rig.item()])
    post = asked.next()
    assert [(event["type"], event["data"]["status"], event["data"]["price"]) for _, _, event in events(rig)] == [("lead.created", "DISTRIBUTING", None)]
    asked.say(post, "REJECTED")
    asked.say(asked.next(), "DELIVERED")
    rig.answers([sold])
    last = events(rig)[-1][2]
    assert (last["type"], last["data"]["status"], last["data"]["price"]) == ("lead.accepted", "ACCEPTED", "24.00")
    assert [one["buyer_id"] for one in last["data"]["buyers"]] == ["buyer_def"] and len(events(rig)) == 2

    unsold, = rig.send(router, [rig.item()])
    asked.say(asked.next(), "REJECTED")
    asked.say(asked.next(), "DUPLICATE")
    rig.answers([unsold])
    assert [event["type"] for lead_id, _, event in events(rig) if lead_id == unsold] == ["lead.created", "lead.unmatched"]
    shown = json.loads(leadctl(rig.database, "lead", "show", str(sold), "--json").stdout)["deliveries"]
    assert [(one["buyer_id"], one["event"]) for one in shown] == [
        ("buyer_abc", None), ("buyer_def", None), (id_of(HOOK), shown[2]["event"]), (id_of(HOOK), shown[3]["event"])]
    assert {one["event"] for one in shown[2:]} == {"lead.created", "lead.accepted"}


def test_a_kill_before_the_commit_leaves_no_event_and_no_lead(rig):
    rig.apply(document(events=[listener()]))
    router = rig.start()
    holder = rig.database.connect()
    with holder.cursor() as cursor:
        holder.autocommit = False
        cursor.execute("LOCK TABLE trail IN ACCESS EXCLUSIVE MODE")  # behind lead, sale and delivery
        id, = rig.send(router, [rig.item()])
        backend = rig.wait_blocked(router)
        router.signal(signal.SIGSTOP)
        rig.query("SELECT pg_terminate_backend(%s)", backend)  # it has the COMMIT already, and would come to it
        eventually(lambda: rig.query("SELECT 1 FROM pg_stat_activity WHERE pid = %s", backend) == [])
        router.kill()
        holder.rollback()
    holder.close()
    assert rig.query("SELECT count(*) FROM lead") == rig.query("SELECT count(*) FROM delivery") == [(0,)]
    again = rig.start()
    assert rig.ask(again, {**rig.sent[id], 8: True}).status == 201
    assert [event["type"] for _, _, event in events(rig)] == ["lead.created", "lead.accepted"]
    rig.check()


# What a dispatcher does -----------------------------------------------------------------------------------------------

def tell(router, url, body='{"type":"lead.created","data":{"id":"ü"}}', attempt=0):
    """A sold lead whose delivery is done, and an event of it. Gives what Router's methods take."""
    sold = router.sell()[0]
    testing.query(router.connection, "UPDATE delivery SET state = 'DELIVERED' WHERE id = %s", sold.id)
    id = str(uuid.UUID(int=uuid.UUID(sold.id).int ^ 1))
    testing.query(router.connection, "INSERT INTO delivery (lead_id, id, n, buyer_id, state, attempt, due_at, event) VALUES (%s, %s, -1, %s, 'OPEN', %s, now(), %s)",
                  sold.lead_id, id, id_of(url), attempt, body)
    return sold._replace(id=id, buyer_id=id_of(url))


def test_an_event_is_delivered_as_it_was_written(database, router, start, endpoint):
    endpoint.answer = [500, 200]
    database.apply(document(events=[listener(endpoint.url, [OTHER_SECRET, SECRET])]))
    one = start()
    body = '{"type" : "lead.created",  "data":{"id":"ü\\u00fc"}}'
    told = tell(router, endpoint.url, body)
    router.wait_attempt(told, 1)
    assert router.row(told)[:2] == ("OPEN", 1) and 3 < router.row(told)[2] <= 6
    router.make_due(told)
    router.wait_state(told, "DELIVERED")
    requests = endpoint.wait(2)
    assert [request.body for request in requests] == [body.encode()] * 2 and {request.webhook_id for request in requests} == {told.id}
    for request in requests:
        assert request.method == "POST" and request.headers["content-type"] == "application/json"
        assert request.is_signed(SECRET) and request.is_signed(OTHER_SECRET)
    assert [attempt[:3] for attempt in router.attempts(told)] == [(1, 500, "RETRY"), (2, 200, "ACCEPTED")]
    assert one.metric("leadline_delivery_seconds_count") == 0
    assert router.count("n = -1") == 1


def test_410_and_the_operator_s_switch(database, router, start, endpoint):
    endpoint.answer = 410
    database.apply(document(events=[listener(endpoint.url)]))
    start()
    told = tell(router, endpoint.url)
    router.wait_attempt(told, 1)
    id = id_of(endpoint.url)

    def state():
        return {one["buyer_id"]: one for one in json.loads(leadctl(database, "endpoint", "list", "--json").stdout)["endpoints"]}[id]
    eventually(lambda: state()["state"] == "OFF")
    assert (state()["reason"], state()["open"], state()["host"]) == ("it answered 410", 1, f"127.0.0.1:{endpoint.port}")
    met = len(endpoint.requests)
    another = tell(router, endpoint.url)
    endpoint.answer = 200
    assert "1 switched on" in leadctl(database, "endpoint", "on", id).stdout
    router.wait_state(told, "DELIVERED")
    router.wait_state(another, "DELIVERED")
    assert len(endpoint.requests) == met + 2
    assert "1 switched off" in leadctl(database, "endpoint", "off", id).stdout
    assert leadctl(database, "endpoint", "off", "@unknown", check=False).returncode == 1


def test_a_private_address_is_refused(database, router, start, endpoint):
    database.apply(document(events=[listener(endpoint.url)], allow_private_endpoints=False))
    start()
    told = tell(router, endpoint.url)
    router.wait_attempt(told, 1)
    assert router.attempts(told)[0][1:3] == (None, "RETRY") and endpoint.requests == []


def test_a_delivery_that_failed_for_good_is_told(database, router, start, endpoint):
    endpoint.answer = (500, "no")
    with Buyer(500) as ops:
        database.apply(document(endpoint.url, events=[listener(ops.url, types=["delivery.failed"]), listener("http://127.0.0.1:9/", types=["lead.created"])]))
        start()
        sold, early = router.sell(attempt=9)[0], router.sell(attempt=3)[0]
        router.wait_state(sold, "FAILED")
        router.wait_attempt(early, 1)
        request = ops.wait(1)[0]
        rows = testing.query(router.connection, "SELECT lead_id::text, id::text, buyer_id, n FROM delivery WHERE event IS NOT NULL")
        assert rows == [(sold.lead_id, request.webhook_id, id_of(ops.url), -1)] and request.is_signed()
        event = request.json()
        assert event["type"] == "delivery.failed" and abs(testing.time.time() - request.at) < 60
        assert event["data"] == {"id": sold.id, "lead_id": sold.lead_id, "campaign_id": "campaign_abc123", "buyer_id": "buyer_abc", "is_test": False,
                                 "attempts": 10, "last_http_status": 500, "verdict": "FAILED"}
        assert b" " not in request.body and request.body.startswith(b'{"type":"delivery.failed","timestamp":"20')

        # Its own failure is told to nobody; what the operator cancelled neither.
        told = sold._replace(id=request.webhook_id)
        eventually(lambda: testing.query(router.connection, "UPDATE delivery SET attempt = 9, due_at = now() WHERE id = %s AND attempt = 1 RETURNING 1", told.id))
        eventually(lambda: router.row(told)[0] == "FAILED", message=lambda: router.row(told))
        assert router.count("event IS NOT NULL") == 1
        hold = threading.Event()
        endpoint.answer = lambda _request: hold.wait(30) and (500, "no")
        met = len(endpoint.requests)
        cancelled = router.sell(attempt=9)[0]
        endpoint.wait(met + 1)
        leadctl(database, "delivery", "cancel", cancelled.id)
        hold.set()
        router.wait_attempt(cancelled, 1)
        assert router.row(cancelled)[0] == "CANCELLED" and router.count("event IS NOT NULL") == 1

        # The operator has it again.
        ops.answer = 200
        assert "replayed 1" in leadctl(database, "delivery", "replay", told.id).stdout
        router.wait_state(told, "DELIVERED")


# leadctl --------------------------------------------------------------------------------------------------------------

def test_events_are_listed_shown_cancelled_and_replayed(database, router):
    database.apply(document(events=[listener()]))
    told = tell(router, HOOK, '{"type":"lead.created","data":{"id":"x"}}')
    rows = listed(database, "--buyer", id_of(HOOK))
    assert [(row["id"], row["event"], row["state"], row["campaign_id"]) for row in rows] == [(told.id, "lead.created", "OPEN", None)]
    assert {row["event"] for row in listed(database)} == {None, "lead.created"}
    assert listed(database, "--campaign", "campaign_abc123", "--buyer", id_of(HOOK)) == []
    shown = json.loads(leadctl(database, "delivery", "show", told.id, "--json").stdout)
    assert (shown["event"], shown["body"], shown["sale"]) == ("lead.created", {"type": "lead.created", "data": {"id": "x"}}, None)
    assert "lead.created" in leadctl(database, "delivery", "show", told.id).stdout
    assert "cancelled 1" in leadctl(database, "delivery", "cancel", told.id).stdout
    testing.query(router.connection, "UPDATE lead SET status = 'ERASED'")  # nothing of the person is in it
    assert "replayed 1" in leadctl(database, "delivery", "replay", told.id).stdout
    assert "cancelled 1" in leadctl(database, "delivery", "cancel", "--buyer", id_of(HOOK)).stdout
    assert "replayed 1" in leadctl(database, "delivery", "replay", "--buyer", id_of(HOOK), "--state", "CANCELLED").stdout
    shown = leadctl(database, "lead", "show", told.lead_id).stdout.split("\ndeliveries:\n")[1]
    assert shown.index("buyer_abc") < shown.index(id_of(HOOK))


def test_what_was_on_its_way_to_an_endpoint_that_is_taken_out_is_cancelled(database, router):
    other = "https://other.example/"
    database.apply(document(events=[listener(), listener(other)]))
    gone, stays = [tell(router, HOOK) for _ in range(3)], tell(router, other)
    testing.query(router.connection, "UPDATE delivery SET state = 'DELIVERED' WHERE id = %s", gone[2].id)
    assert testing.apply(document(events=[listener(other)]), "--dsn", database.dsn()).stdout == \
        "cancelled 2 events for endpoints that are gone\napplied: version 2\n"
    assert [router.row(one)[0] for one in (*gone, stays)] == ["CANCELLED", "CANCELLED", "DELIVERED", "OPEN"]
    done = leadctl(database, "delivery", "replay", gone[0].id, check=False)
    assert done.returncode == 1 and "not in the document" in done.stderr
    assert id_of(HOOK) not in leadctl(database, "endpoint", "list").stdout

    # An apply that was broken off before that is made good by the next, though it changes nothing.
    testing.query(router.connection, "UPDATE delivery SET state = 'OPEN' WHERE id = %s", gone[0].id)
    assert testing.apply(document(events=[listener(other)]), "--dsn", database.dsn()).stdout == \
        "cancelled 1 events for endpoints that are gone\nnothing changed: version 2\n"
    database.apply(document(events=[listener(other), listener()]))
    assert "replayed 1" in leadctl(database, "delivery", "replay", gone[0].id).stdout
    assert router.row(gone[0])[0] == "OPEN"


def test_who_delivers_asks_for_no_listener(database, router, start, endpoint):
    """Only a failure does: whatever is recorded beside it does not wait for the list."""
    database.apply(document(endpoint.url, events=[listener()]))
    start()
    with database.connect() as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE event_endpoint IN ACCESS EXCLUSIVE MODE")
        sold = router.sell(count=5)
        for one in sold:
            router.wait_state(one, "DELIVERED")
        cursor.execute("ROLLBACK")
    holder.close()


def test_no_failure_is_told_to_who_is_being_taken_out(database, router, start, endpoint):
    """A dispatcher that would tell waits until the document is there, and then does not."""
    endpoint.answer = 500
    with Buyer() as ops:
        database.apply(document(endpoint.url, events=[listener(ops.url)]))
        start()
        applying = database.connect()
        with applying.cursor() as cursor:
            applying.autocommit = False
            cursor.execute("UPDATE event_endpoint SET is_live = false")
            sold = router.sell(attempt=9)[0]
            eventually(lambda: router.database.query("SELECT 1 FROM pg_stat_activity WHERE application_name = 'dispatcher-1' AND wait_event_type = 'Lock'"))
            applying.commit()
        applying.close()
        router.wait_state(sold, "FAILED")
        assert router.count("event IS NOT NULL") == 0 and ops.requests == []
