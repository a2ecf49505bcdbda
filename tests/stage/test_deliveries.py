"""leadctl delivery list, show, replay, cancel: on a real PostgreSQL, and with a real dispatcher."""
import datetime
import json

import pytest

import leadline_testing as testing
from leadline_testing import Buyer, SECRET, buyer, document, eventually
from played import uuid7
from test_dispatcher import FIELDS, Router, endpoint, held, router, start  # noqa: F401 (fixtures)


@pytest.fixture
def delivery(database):
    """Runs `leadctl delivery …` on this test's database; with --json, what it printed."""
    def run(*args, check=True):
        done = testing.leadctl("delivery", *args, "--dsn", database.dsn(), check=check)
        return json.loads(done.stdout) if "--json" in args and done.returncode == 0 else done
    return run


def set_state(router, sold, state, attempt=0, status=None):
    testing.query(router.connection, "UPDATE delivery SET state = %s, attempt = %s, last_http_status = %s, lease_by = NULL WHERE id = %s",
                  state, attempt, status, sold.id)


def made_at(router, when, buyer_id="buyer_abc", lead_before=datetime.timedelta(milliseconds=5)):
    """A delivery sold at that moment; its lead's id is older."""
    lead_id, id = str(uuid7((when - lead_before).timestamp())), str(uuid7(when.timestamp()))
    testing.query(router.connection, """
        WITH lead AS (INSERT INTO lead (id, campaign_id, supplier_id, status, is_test, received_at, decided_at, reasons, answer_status,
                        answer_body, raw, fields)
                      VALUES (%s, 'campaign_abc123', 'supplier_xyz789', 'ACCEPTED', false, %s, %s, '[]', 201, '{}', '{}', %s)),
        sale AS (INSERT INTO sale VALUES (%s, 1, 'campaign_abc123', 'supplier_xyz789', %s, %s, 2500, 1000, 'SOLD', false, %s))
        INSERT INTO delivery VALUES (%s, %s, 1, %s, 'OPEN', 0, %s, NULL, NULL)""",
        lead_id, when, when, json.dumps(FIELDS), lead_id, buyer_id, buyer_id, when, lead_id, id, buyer_id, when)
    return id


NOW = datetime.datetime.now(datetime.timezone.utc)


# list -----------------------------------------------------------------------------------------------------------------

def test_list_is_empty_at_first(delivery):
    assert delivery("list", "--json") == {"deliveries": []}
    assert delivery("list").stdout == ""


def test_list_shows_what_the_contract_names_newest_first(router, delivery):
    first, second = router.sell(), router.sell("buyer_two")
    set_state(router, first[0], "FAILED", 10, 503)
    listed = delivery("list", "--json")["deliveries"]
    assert [one["id"] for one in listed] == [second[0].id, first[0].id]
    assert listed[1] == {"id": first[0].id, "lead_id": first[0].lead_id, "buyer_id": "buyer_abc", "event": None, "campaign_id": "campaign_abc123",
                         "contract_id": "buyer_abc", "state": "FAILED", "attempts": 10, "next_attempt_at": None, "last_http_status": 503,
                         "sold_at": listed[1]["sold_at"]}
    assert listed[0]["attempts"] == 0 and listed[0]["last_http_status"] is None
    datetime.datetime.strptime(listed[0]["next_attempt_at"], "%Y-%m-%dT%H:%M:%S.%fZ")
    text = delivery("list").stdout.splitlines()
    assert len(text) == 3 and text[0].split()[:3] == ["id", "lead_id", "buyer_id"] and first[0].id in text[2]


def test_list_filters(router, delivery):
    open_one, failed, other = router.sell()[0], router.sell()[0], router.sell("buyer_two")[0]
    set_state(router, failed, "FAILED", 10)
    testing.query(router.connection, "UPDATE sale SET campaign_id = 'another' WHERE lead_id = %s", other.lead_id)

    def ids(*args):
        return {one["id"] for one in delivery("list", "--json", *args)["deliveries"]}
    assert ids("--buyer", "buyer_abc") == {open_one.id, failed.id}
    assert ids("--buyer", "nobody") == set()
    assert ids("--state", "FAILED") == {failed.id}
    assert ids("--state", "FAILED,OPEN") == {open_one.id, failed.id, other.id}
    assert ids("--state", "OPEN", "--buyer", "buyer_two") == {other.id}
    assert ids("--campaign", "another") == {other.id}
    newest = max((open_one, failed, other), key=lambda one: one.lead_id)  # made within a millisecond, perhaps
    assert ids("--limit", "1") == {newest.id} and len(ids("--limit", "0")) == 3


def test_list_by_time_of_the_sale(database, router, delivery):
    database.apply(document(time_zone="America/New_York"))
    hours = {n: made_at(router, NOW - datetime.timedelta(hours=n)) for n in (1, 2, 3)}
    late_lead = made_at(router, NOW - datetime.timedelta(hours=2, minutes=10), lead_before=datetime.timedelta(minutes=59))

    def ids(*args):
        return {one["id"] for one in delivery("list", "--json", *args)["deliveries"]}
    at = {n: (NOW - datetime.timedelta(hours=n + 0.5)).strftime("%Y-%m-%dT%H:%M:%SZ") for n in (0, 1, 2, 3)}
    assert ids("--from", at[1]) == {hours[1]}
    assert ids("--from", at[2]) == {hours[1], hours[2], late_lead}
    assert ids("--from", at[2], "--to", at[1]) == {hours[2], late_lead}
    assert ids("--to", at[2]) == {hours[3]}
    zone = database.query_one("SELECT to_char((now() - interval '1.5 hours') AT TIME ZONE 'America/New_York', 'YYYY-MM-DD HH24:MI:SS')")
    assert ids("--from", zone) == {hours[1]}, "a time without a zone is the installation's"
    done = delivery("list", "--from", "yesterdaze", check=False)
    assert done.returncode == 1 and "--from" in done.stderr


def test_list_goes_page_by_page(router, delivery):
    sold = router.sell(count=2500)
    assert len(delivery("list", "--json")["deliveries"]) == 100
    listed = [one["id"] for one in delivery("list", "--json", "--limit", "0")["deliveries"]]
    assert len(listed) == 2500 and set(listed) == {one.id for one in sold}
    assert [one["id"] for one in delivery("list", "--json", "--limit", "2000")["deliveries"]] == listed[:2000]
    assert len(delivery("list", "--json", "--limit", "1001")["deliveries"]) == 1001
    assert len(delivery("list", "--limit", "0").stdout.splitlines()) == 2503  # a title for each page


@pytest.mark.parametrize("args", [
    ("list", "--state", "SENT"), ("list", "--state", ""), ("list", "--state", "OPEN,"), ("list", "--limit", "-1"), ("list", "--limit", "x"),
    ("list", "0193"), ("list", "--nothing"), ("show",), ("show", "no-uuid"), ("replay",), ("replay", "no-uuid"), ("replay", "--dry-run"),
    ("replay", "--state", "OPEN"), ("cancel", "--dry-run"), ("replay", "--buyer", "b", "--state", "OPEN"), ("replay", "--buyer", "b", "--state", "DELIVERED"),
    ("replay", "--buyer", "b", "--state", "FAILED,REJECTED"), ("cancel",), ("cancel", "--buyer", "b", "--state", "FAILED"),
    ("replay", "01930000-0000-7000-8000-000000000000", "--buyer", "b")])
def test_wrong_usage(delivery, args):
    done = delivery(*args, check=False)
    assert done.returncode == 2 and "usage: leadctl delivery " + args[0] in done.stderr, done


# show -----------------------------------------------------------------------------------------------------------------

def test_show_has_attempts_lead_and_sale(database, router, start, endpoint, delivery):  # noqa: F811
    endpoint.answer = [(500, "not now"), (200, "thanks")]
    database.apply(document(endpoint.url))
    sold = router.hand_over(start())[0]
    router.wait_attempt(sold, 1)
    router.make_due(sold)
    router.wait_state(sold, "DELIVERED")
    shown = delivery("show", sold.id, "--json")
    assert (shown["id"], shown["lead_id"], shown["buyer_id"], shown["state"]) == (sold.id, sold.lead_id, "buyer_abc", "DELIVERED")
    assert shown["next_attempt_at"] is None and shown["last_http_status"] == 200
    assert [(one["number"], one["http_status"], one["verdict"], one["answer"]) for one in shown["attempts"]] == \
        [(1, 500, "RETRY", "not now"), (2, 200, "ACCEPTED", "thanks")]
    assert shown["lead"]["fields"] == FIELDS and shown["lead"]["status"] == "ACCEPTED" and shown["lead"]["campaign_id"] == "campaign_abc123"
    assert shown["sale"]["price"] == "25.00" and shown["sale"]["state"] == "SOLD" and shown["sale"]["contract_id"] == "buyer_abc"
    text = delivery("show", sold.id).stdout
    assert "not now" in text and "thanks" in text and "zoe@example.com" in text and "DELIVERED" in text


def test_show_of_one_that_is_not_there(delivery):
    done = delivery("show", str(uuid7()), check=False)
    assert done.returncode == 1 and "there is no delivery" in done.stderr
    for odd in ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"):
        done = delivery("show", odd, check=False)
        assert done.returncode == 1 and "there is no delivery" in done.stderr


@pytest.mark.parametrize("minutes", [-59, -1, 0, 1, 59])
def test_a_delivery_is_found_whose_lead_has_another_time(database, router, minutes):
    id = made_at(router, NOW - datetime.timedelta(hours=3), lead_before=datetime.timedelta(minutes=minutes))
    assert database.query_one("SELECT lead_of_delivery(%s)::text", id) == \
        database.query_one("SELECT lead_id::text FROM delivery WHERE id = %s", id)


def test_finding_a_delivery_reads_only_entries_of_its_time(database, router):
    """Deliveries of other days are not looked at, however many there are; nor are those of other months' partitions."""
    for day in range(20):
        for _ in range(5):
            made_at(router, NOW - datetime.timedelta(days=day + 1))
    database.query("ANALYZE delivery")
    id = made_at(router, NOW)
    plan = json.dumps(database.query_one("""EXPLAIN (ANALYZE, FORMAT json, COSTS off) SELECT d.lead_id FROM delivery d
        WHERE d.lead_id >= uuid_floor(uuid_time(%s) - interval '65 minutes') AND d.lead_id < uuid_floor(uuid_time(%s) + interval '65 minutes')
        AND d.id = %s""", id, id, id))
    assert '"Relation Name"' in plan and plan.count('"Relation Name"') <= 2, "more than the partitions of that time"
    assert database.query_one("SELECT lead_of_delivery(%s) IS NOT NULL", id)


# replay ---------------------------------------------------------------------------------------------------------------

def test_replay_keeps_the_id_and_begins_the_schedule_anew(database, router, start, endpoint, delivery):  # noqa: F811
    endpoint.answer = (500, "no")
    database.apply(document(endpoint.url))
    start()
    sold = router.sell(attempt=9)[0]
    router.wait_state(sold, "FAILED")
    assert delivery("replay", sold.id).stdout == "replayed 1 delivery\n"
    router.wait_attempt(sold, 2)
    state, attempt, due_in_s, _, _ = router.row(sold)
    assert (state, attempt) == ("OPEN", 11) and due_in_s <= 6, "the first pause of the schedule"
    endpoint.answer = 200
    router.make_due(sold)
    router.wait_state(sold, "DELIVERED")
    assert [one[:3] for one in router.attempts(sold)] == [(10, 500, "FAILED"), (11, 500, "RETRY"), (12, 200, "ACCEPTED")]
    assert {request.webhook_id for request in endpoint.requests} == {sold.id} and len({request.body for request in endpoint.requests}) == 1
    shown = delivery("show", sold.id, "--json")
    assert [one["number"] for one in shown["attempts"]] == [10, 11, 12] and shown["attempts_before_replay"] == 10
    lead = json.loads(testing.leadctl("lead", "show", sold.lead_id, "--json", "--dsn", database.dsn()).stdout)
    step = next(step for step in lead["trail"] if step["step"] == "replay")
    assert step["decision"] == "REPLAYED" and sold.id in step["detail"] and "FAILED" in step["detail"]


def test_a_replayed_delivery_has_all_ten_attempts_again(database, router, start, endpoint, delivery):  # noqa: F811
    endpoint.answer = 500
    database.apply(document(endpoint.url))
    start()
    sold = router.sell()[0]
    testing.query(router.connection, "UPDATE delivery SET state = 'FAILED', attempt = 10 WHERE id = %s", sold.id)
    delivery("replay", sold.id)
    router.wait_attempt(sold, 1)
    testing.query(router.connection, "UPDATE delivery SET attempt = 18, due_at = now() WHERE id = %s", sold.id)
    router.wait_attempt(sold, 2)
    assert router.row(sold)[:2] == ("OPEN", 19) and 86400 * 0.8 - 5 <= router.row(sold)[2] <= 86400 * 1.2
    router.make_due(sold)
    router.wait_state(sold, "FAILED")
    assert router.row(sold)[1] == 20 and router.attempts(sold)[-1][:3] == (20, 500, "FAILED")


def test_replay_of_a_delivered_one_sends_it_again(database, router, start, endpoint, delivery):  # noqa: F811
    database.apply(document(endpoint.url))
    sold = router.hand_over(start())[0]
    router.wait_state(sold, "DELIVERED")
    delivery("replay", sold.id)
    endpoint.wait(2)
    router.wait_attempt(sold, 2)
    router.wait_state(sold, "DELIVERED")
    assert [request.webhook_id for request in endpoint.requests] == [sold.id] * 2


@pytest.mark.parametrize("first, state", [(200, "DELIVERED"), (500, "DUPLICATE")])
def test_a_duplicate_of_what_was_accepted_before_is_no_refusal(database, router, start, endpoint, delivery, first, state):  # noqa: F811
    endpoint.answer = [first, (200, '{"result": "dup"}')]
    rules = [{"pointer": "/result", "equals": "dup", "outcome": "DUPLICATE"}]
    database.apply(document(buyers=[{**buyer(), "delivery": {"url": endpoint.url, "secrets": [SECRET], "responses": rules}}]))
    sold = router.hand_over(start())[0]
    router.wait_attempt(sold, 1)
    if first == 500:
        delivery("cancel", sold.id)
    delivery("replay", sold.id)
    router.wait_attempt(sold, 2)
    assert router.row(sold)[:2] == (state, 2) and router.attempts(sold)[1][2] == "DUPLICATE"
    assert database.query("SELECT verdict::text FROM unsettled WHERE lead_id = %s", sold.lead_id) == ([("DUPLICATE",)] if first == 500 else [])


def test_replay_by_filters_takes_only_failed_ones_of_the_buyer(router, delivery):
    failed, open_one, cancelled, delivered, other = (router.sell()[0] for _ in range(5))
    for one, state in ((failed, "FAILED"), (cancelled, "CANCELLED"), (delivered, "DELIVERED"), (other, "FAILED")):
        set_state(router, one, state, 10 if state == "FAILED" else 1)
    testing.query(router.connection, "UPDATE delivery SET buyer_id = 'buyer_two' WHERE id = %s", other.id)
    assert delivery("replay", "--buyer", "buyer_abc", "--dry-run").stdout == "would replay 1 delivery\n"
    assert router.row(failed)[0] == "FAILED"
    assert delivery("replay", "--buyer", "buyer_abc").stdout == "replayed 1 delivery\n"
    assert [router.row(one)[0] for one in (failed, open_one, cancelled, delivered, other)] == \
        ["OPEN", "OPEN", "CANCELLED", "DELIVERED", "FAILED"]
    assert delivery("replay", "--buyer", "buyer_abc").stdout == "replayed 0 deliveries\n"
    assert delivery("replay", "--campaign", "campaign_abc123", "--state", "FAILED,CANCELLED").stdout == "replayed 2 deliveries\n"
    assert router.count("state = 'OPEN'") == 4


def test_replay_and_cancel_by_state_and_time_alone(router, delivery):
    first, second, waiting = (router.sell()[0] for _ in range(3))
    for one in (first, second):
        set_state(router, one, "FAILED", 10)
    testing.query(router.connection, "UPDATE delivery SET buyer_id = 'buyer_two' WHERE id = %s", second.id)
    assert delivery("replay", "--to", "yesterday").stdout == "replayed 0 deliveries\n"
    assert delivery("replay", "--from", "yesterday").stdout == "replayed 2 deliveries\n"
    assert delivery("cancel", "--state", "OPEN", "--from", "tomorrow").stdout == "cancelled 0 deliveries\n"
    assert delivery("cancel", "--state", "OPEN").stdout.startswith("cancelled 3 deliveries\n")
    assert delivery("replay", "--state", "FAILED").stdout == "replayed 0 deliveries\n"
    assert delivery("replay", "--state", "CANCELLED").stdout == "replayed 3 deliveries\n" and router.row(waiting)[0] == "OPEN"


def test_replay_by_filters_in_pages(router, delivery):
    router.sell(count=2100)
    router.sell("buyer_two", count=5)
    testing.query(router.connection, "UPDATE delivery SET state = 'FAILED', attempt = 10")
    assert delivery("replay", "--buyer", "buyer_abc", "--from", "2020-01-01").stdout == "replayed 2100 deliveries\n"
    assert router.count("state = 'OPEN' AND attempts_before = 10") == 2100 and router.count("state = 'FAILED'") == 5
    assert testing.query_one(router.connection, "SELECT count(*) FROM trail WHERE step = 'replay'") == 2100


@pytest.mark.parametrize("setting, why", [
    ("UPDATE delivery SET state = 'OPEN'", "OPEN already"),
    ("UPDATE delivery SET state = 'REJECTED'", "refused"),
    ("UPDATE delivery SET state = 'DUPLICATE'", "refused"),
    ("UPDATE sale SET state = 'REJECTED'", "given back"),
    ("UPDATE sale SET state = 'RETURNED'", "given back"),
    ("UPDATE lead SET status = 'ERASED'", "erased"),
    ("UPDATE lead SET status = 'DISTRIBUTING'", "not decided"),
    ("DELETE FROM sale", "no sale"),
])
def test_what_cannot_be_replayed_says_why_and_nothing_is_changed(router, delivery, setting, why):
    wrong, good = router.sell()[0], router.sell()[0]
    testing.query(router.connection, "UPDATE delivery SET state = 'FAILED', attempt = 10")
    table = setting.split("FROM " if "DELETE" in setting else "UPDATE ")[1].split()[0]
    testing.query(router.connection, setting + " WHERE " + ("id" if table == "lead" else "lead_id") + " = %s", wrong.lead_id)
    done = delivery("replay", wrong.id, good.id, check=False)
    assert done.returncode == 1 and wrong.id in done.stderr and why in done.stderr and "nothing was changed" in done.stderr
    assert good.id not in done.stderr and router.row(good)[:2] == ("FAILED", 10)
    assert testing.query(router.connection, "SELECT * FROM trail") == []
    if "delivery" not in setting:
        done = delivery("replay", "--buyer", "buyer_abc")
        assert done.stdout.splitlines()[0] == "replayed 1 delivery" and "left out 1" in done.stdout
        assert router.row(wrong)[0] == "FAILED" and router.row(good)[0] == "OPEN"


def test_replay_of_unknown_and_repeated_ids(router, delivery):
    sold = router.sell()[0]
    set_state(router, sold, "FAILED", 10)
    unknown = str(uuid7())
    done = delivery("replay", sold.id, unknown, check=False)
    assert done.returncode == 1 and f"{unknown}: there is no such delivery" in done.stderr and router.row(sold)[0] == "FAILED"
    assert delivery("replay", sold.id, sold.id.upper()).stdout == "replayed 1 delivery\n"


# cancel ---------------------------------------------------------------------------------------------------------------

def test_cancelled_ones_are_not_delivered_and_can_be_replayed(database, router, start, endpoint, delivery):  # noqa: F811
    by_id, by_filter, kept = router.sell(due_in_s=3600)[0], router.sell("buyer_two", due_in_s=3600)[0], router.sell(due_in_s=3600)[0]
    assert delivery("cancel", by_id.id).stdout == "cancelled 1 delivery\n"
    assert delivery("cancel", "--buyer", "buyer_two", "--dry-run").stdout == "would cancel 1 delivery\n"
    assert delivery("cancel", "--buyer", "buyer_two", "--to", "tomorrow").stdout == "cancelled 1 delivery\n"
    testing.query(router.connection, "UPDATE delivery SET due_at = now() - interval '1 minute'")
    database.apply(document(buyers=[buyer(url=endpoint.url), buyer("buyer_two", endpoint.url)]))
    start()
    router.wait_state(kept, "DELIVERED")
    assert [request.webhook_id for request in endpoint.requests] == [kept.id]
    assert router.row(by_id)[0] == router.row(by_filter)[0] == "CANCELLED"
    assert database.query("SELECT DISTINCT state::text FROM sale") == [("SOLD",)], "the sale stays"
    delivery("replay", by_id.id)
    router.wait_state(by_id, "DELIVERED")
    assert router.row(by_filter)[0] == "CANCELLED"


def test_an_attempt_under_way_cannot_undo_a_cancel(database, router, start, endpoint, delivery):  # noqa: F811
    event, endpoint.answer = held((200, "too late"))
    database.apply(document(endpoint.url))
    one = start()
    sold = router.hand_over(one)[0]
    endpoint.wait(1)
    assert "1 of them are in a dispatcher's hands" in delivery("cancel", sold.id).stdout
    event.set()
    router.wait_attempt(sold, 1)
    assert router.row(sold)[:2] == ("CANCELLED", 1) and router.attempts(sold)[0][:4] == (1, 200, "ACCEPTED", "too late")
    eventually(lambda: one.metric("leadline_results_waiting") == 0)
    assert router.row(sold)[0] == "CANCELLED" and len(endpoint.requests) == 1


def test_replayed_while_its_old_attempt_is_under_way(database, router, start, endpoint, delivery):  # noqa: F811
    """The attempt that was under way counts for the replayed one: the same webhook, at the same place in its row."""
    event, endpoint.answer = held(500)
    database.apply(document(endpoint.url))
    sold = router.sell(attempt=9)[0]
    start()
    endpoint.wait(1)
    delivery("cancel", sold.id)
    delivery("replay", sold.id)
    eventually(lambda: router.row(sold)[3] is not None, message="the sweep has seen it")
    event.set()
    router.wait_attempt(sold, 1)
    state, attempt, due_in_s, _, _ = router.row(sold)
    assert (state, attempt) == ("OPEN", 10) and due_in_s <= 6, "by the new schedule, not the tenth and last"


@pytest.mark.parametrize("state", ["DELIVERED", "FAILED", "REJECTED", "DUPLICATE", "CANCELLED"])
def test_only_open_ones_are_cancelled(router, delivery, state):
    sold, good = router.sell()[0], router.sell()[0]
    set_state(router, sold, state, 1)
    done = delivery("cancel", sold.id, good.id, check=False)
    assert done.returncode == 1 and f"it is {state}" in done.stderr and router.row(good)[0] == "OPEN"


def test_a_dry_run_of_ids_changes_nothing(router, delivery):
    sold = router.sell(count=2)
    assert delivery("cancel", sold[0].id, sold[1].id, "--dry-run").stdout == "would cancel 2 deliveries\n"
    assert router.count("state = 'OPEN'") == 2 and testing.query(router.connection, "SELECT * FROM trail") == []
