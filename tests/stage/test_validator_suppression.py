"""The validator and suppression lists: who is looked up, what is said about it, and what happens when the database cannot say."""
import hashlib
import signal

import pytest

from leadline_testing import buyer, campaign, contract, eventually, leadctl, query
from test_validator import Rig, sent_fields

LISTS = [{"id": "dnc"}, {"id": "abc_customers"}, {"id": "texas"}, {"id": "nobody"}]


@pytest.fixture
def rig(database):
    rig = Rig(database)
    yield rig
    rig.close()


def configure(rig, **changes):
    first = campaign(suppression_lists=["dnc"], contracts=[contract(), contract("buyer_def", suppression_lists=["texas"])],
                     fields=[{"name": "mobile", "type": "phone"}], **changes)
    rig.apply(suppression_lists=LISTS, buyers=[buyer(suppression_lists=["abc_customers"]), buyer("buyer_def")],
              campaigns=[first, campaign("free", contracts=[contract("buyer_def")])])


def suppress(rig, *args):
    return leadctl("suppress", *args, "--dsn", rig.database.dsn())


def lead(rig, phone="5552345678", email="john.doe@example.com", **more):
    return rig.item(sent_fields(phone=phone, email=email, **more))


def test_a_lead_on_the_campaigns_list_is_suppressed(rig):
    configure(rig)
    suppress(rig, "add", "dnc", hashlib.md5(b"5552345678").hexdigest(), "John.Doe@example.com")
    suppress(rig, "add", "abc_customers", "5552345678")
    rig.start()
    item = rig.judge(lead(rig, "(555) 234-5678", "JOHN.DOE@example.com"))
    assert item["reason"] == "suppressed" and "on_lists" not in item
    assert item["errors"] == [["phone", "suppressed", "NOT ON LIST", "is on suppression list dnc"],
                              ["email", "suppressed", "NOT ON LIST", "is on suppression list dnc"]]
    assert {name for name, _, _ in item["fields"]} >= {"phone", "email"}, "the normal forms go on to the record"
    assert "reason" not in rig.judge(lead(rig, "5552345679", "jane@example.com"))
    assert rig.judge(lead(rig, "5552345679", "jane@example.com", mobile="555 234 5678"))["errors"][0][0] == "mobile"


def test_lists_of_contracts_and_buyers_are_told_to_the_router(rig):
    configure(rig)
    for name in ("texas", "abc_customers", "nobody"):
        suppress(rig, "add", name, "5552345678")
    rig.start()
    item = rig.judge(lead(rig))
    assert "reason" not in item and item["on_lists"] == "abc_customers texas" and item["judged_version"] == rig.version
    suppress(rig, "remove", "texas", "5552345678")
    assert rig.judge(lead(rig))["on_lists"] == "abc_customers"
    assert "on_lists" not in rig.judge(lead(rig, flo_campaign_id="free"))


def test_an_added_entry_holds_for_the_next_lead(rig):
    configure(rig)
    rig.start()
    for n in range(20):
        phone = f"55523456{n:02d}"
        assert "reason" not in rig.judge(lead(rig, phone))
        suppress(rig, "add", "dnc", hashlib.sha256(phone.encode()).hexdigest())
        assert rig.judge(lead(rig, phone))["reason"] == "suppressed"
        suppress(rig, "remove", "dnc", phone)
        assert "reason" not in rig.judge(lead(rig, phone))


def test_many_leads_are_looked_up_in_few_queries(rig):
    configure(rig)
    suppress(rig, "add", "dnc", *[f"55523{n:05d}" for n in range(0, 3000, 3)])
    rig.start()
    ids = rig.send([lead(rig, f"55523{n:05d}") for n in range(3000)], size=10)
    found = rig.passed(ids, 20)
    assert [item.get("reason") for item in found] == ["suppressed" if n % 3 == 0 else None for n in range(3000)]
    rig.validator.wait_metric("leadline_looked_up_total", 3000)
    assert rig.validator.metric("leadline_look_ups_total") < 300
    # a frame of both campaigns, and of leads that need no look-up because they are wrong
    mixed = [lead(rig, "5552300000", flo_campaign_id=("free" if n % 2 else "campaign_abc123"), last_name=(None if n % 5 == 0 else "Doe"))
             for n in range(100)]
    reasons = [item.get("reason") for item in rig.passed(rig.send(mixed))]
    assert reasons == ["validation_failed" if n % 5 == 0 else None if n % 2 else "suppressed" for n in range(100)]
    assert rig.validator.metric("leadline_looked_up_total") == 3000 + 40


def test_a_campaign_without_lists_does_not_wait(rig):
    configure(rig)
    rig.start()
    rig.judge(lead(rig))
    blocker = rig.database.connect()
    query(blocker, "BEGIN; LOCK TABLE suppression_entry IN ACCESS EXCLUSIVE MODE")
    waiting = rig.send([lead(rig) for _ in range(5)])
    assert "reason" not in rig.judge(lead(rig, flo_campaign_id="free"))
    assert not any(rig.routers[0].of(id) for id in waiting)
    query(blocker, "ROLLBACK")
    blocker.close()
    assert all("reason" not in item for item in rig.passed(waiting))


def test_a_look_up_that_takes_too_long_is_answered_unavailable(rig):
    configure(rig)
    rig.start()
    rig.judge(lead(rig))
    blocker = rig.database.connect()
    query(blocker, "BEGIN; LOCK TABLE suppression_entry IN ACCESS EXCLUSIVE MODE")
    ids = rig.send([lead(rig) for _ in range(5)])
    late = rig.send([rig.item(sent_fields(), left_ms=500)])
    answers = rig.gateway.wait_for(ids, 10)
    assert [answer[2] for answer in answers] == [503] * 5
    query(blocker, "ROLLBACK")
    blocker.close()
    assert "reason" not in rig.judge(lead(rig))
    assert not rig.routers[0].of(late[0]) and not any(rig.routers[0].of(id) for id in ids), "nobody is let through unchecked"


def test_without_the_database_nobody_is_let_through_unchecked(rig, postgres):
    configure(rig)
    suppress(rig, "add", "dnc", "5552345678")
    rig.start()
    rig.judge(lead(rig))
    postgres.stop(signal.SIGQUIT)
    try:
        ids = rig.send([lead(rig) for _ in range(20)], size=5)
        assert [answer[2] for answer in rig.gateway.wait_for(ids, 10)] == [503] * 20
        assert "reason" not in rig.judge(lead(rig, flo_campaign_id="free"))
        assert not any(rig.routers[0].of(id) for id in ids)
    finally:
        postgres.start()
    eventually(lambda: any("reason" in item for item in _judged(rig)), 15)
    assert rig.judge(lead(rig))["reason"] == "suppressed"


def _judged(rig):
    """What became of one lead: passed on or answered."""
    id = rig.send([lead(rig)])[0]
    eventually(lambda: rig.routers[0].of(id) or rig.gateway.of(id), 10)
    return rig.passed([id]) if rig.routers[0].of(id) else []


def test_a_lead_that_waits_while_the_catalog_changes_is_judged_by_the_new_one(rig):
    configure(rig)
    suppress(rig, "add", "texas", "5552345678")
    rig.start()
    rig.judge(lead(rig))
    blocker = rig.database.connect()
    query(blocker, "BEGIN; LOCK TABLE suppression_entry IN ACCESS EXCLUSIVE MODE")
    ids = rig.send([lead(rig) for _ in range(3)])
    eventually(lambda: query(blocker, "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%%suppression_entry WHERE value%%'"
                                      " AND wait_event_type = 'Lock'"), 5)
    old = rig.version
    rig.apply(suppression_lists=LISTS, campaigns=[campaign(suppression_lists=["texas"])])
    eventually(lambda: f"catalog.read stage=validator name=validator-1 version={rig.version}" in rig.validator.log(), 5)
    query(blocker, "ROLLBACK")
    blocker.close()
    found = rig.passed(ids)
    assert rig.version > old and [(item["judged_version"], item["reason"]) for item in found] == [(rig.version, "suppressed")] * 3


def test_what_waits_is_bounded(rig):
    configure(rig)
    rig.start()
    rig.judge(lead(rig))
    blocker = rig.database.connect()
    query(blocker, "BEGIN; LOCK TABLE suppression_entry IN ACCESS EXCLUSIVE MODE")
    note = "x" * 4000
    ids = rig.send([rig.item(sent_fields(n1=note, n2=note, n3=note)) for _ in range(3000)], size=10)
    eventually(lambda: sum(1 for id in ids if rig.gateway.of(id)) >= 1000, 20, message="nobody is turned away")
    query(blocker, "ROLLBACK")
    blocker.close()
    eventually(lambda: all(rig.gateway.of(id) or rig.routers[0].of(id) for id in ids), 20)
    assert {answer[2] for id in ids for answer in rig.gateway.of(id)} == {503}


def test_term_ends_what_waits(rig):
    configure(rig)
    rig.start()
    rig.judge(lead(rig))
    blocker = rig.database.connect()
    query(blocker, "BEGIN; LOCK TABLE suppression_entry IN ACCESS EXCLUSIVE MODE")
    ids = rig.send([lead(rig) for _ in range(50)], size=5)
    eventually(lambda: query(blocker, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'validator-1' AND wait_event_type = 'Lock'"), 5)
    rig.validator.signal(signal.SIGTERM)
    eventually(lambda: "event=stage.stopping" in rig.validator.log(), 5)
    query(blocker, "ROLLBACK")
    blocker.close()
    rig.passed(ids)
    assert rig.validator.process.wait(10) == 0
