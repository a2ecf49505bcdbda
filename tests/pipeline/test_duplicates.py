"""What a buyer was sold on one campaign is not sold to it again on another; and campaigns that compare with every lead (SPEC.md, 5)."""
import collections
import copy

import pytest

import leadline_testing as lt
import traffic

BY_PHONE = [{"fields": ["phone"], "window_days": 30}]


def place(id, mine=(), other=(), **more):
    """buyer_abc, then buyer_def."""
    return lt.campaign(id, contracts=[lt.contract(duplicates=list(mine)), lt.contract("buyer_def", "20.00", priority=2, duplicates=list(other))], **more)


DOCUMENT = lt.document(buyers=[lt.buyer(), lt.buyer("buyer_def"), lt.buyer("late"), lt.buyer("plain")], campaigns=[
    place("one", [{"fields": ["email", "phone"], "window_days": 7}, *BY_PHONE]), place("two", [{"fields": ["phone"], "window_days": 90}]),
    place("unruled"),
    place("each", BY_PHONE, BY_PHONE, max_sells=2), place("each_too", BY_PHONE, BY_PHONE, max_sells=2),
    lt.campaign("added", contracts=[lt.contract("late")]), lt.campaign("added_too", contracts=[lt.contract("late")]),
    lt.campaign("switched", contracts=[lt.contract("plain", states=["TX"])], duplicates=BY_PHONE),
])


@pytest.fixture(scope="module")
def dev():
    with lt.Dev(DOCUMENT, routers=3, validators=2) as running:
        yield running


@pytest.fixture(scope="module")
def client(dev):
    return dev.client()


def who(answer):
    return answer.data.get("buyer_id")


def no_lock_trouble(dev):
    assert dev.query_one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    assert dev.query_one("SELECT count(*) FROM lead WHERE answer_status >= 500") == 0
    assert "lead.refused" not in "".join(dev.log(f"router-{n}") for n in (1, 2, 3))


def test_the_next_contract_buys_and_the_trail_says_why(dev, client):
    lead = lt.lead(flo_campaign_id="unruled")
    assert who(client.ingest(lead)) == "buyer_abc"
    again = client.ingest({**lead, "flo_campaign_id": "one"})
    assert again.status == 201 and who(again) == "buyer_def"
    shown = dev.show(again.data["id"])
    assert [(step["contract_id"], step["decision"], step["reason"], step["detail"]) for step in shown["trail"][:2]] == [
        ("buyer_abc", "passed_over", "duplicate", "email, phone: 7 days"), ("buyer_def", "sold", None, "20.00")]
    assert who(client.ingest({**lead, "flo_campaign_id": "two", "phone": "+1 " + lead["phone"], "email": "x" + lead["email"]})) == "buyer_def"


def test_equal_leads_on_two_campaigns_are_sold_to_a_buyer_once(dev):
    people = [lt.lead() for _ in range(300)]
    leads = [{**one, "flo_campaign_id": campaign} for one in people for campaign in ("one", "two")]
    sent = traffic.Traffic(dev.port, leads, connections=48).wait()
    assert traffic.statuses(sent) == {(201, "ACCEPTED"): 600}
    sold = collections.Counter((buyer, phone) for buyer, phone in dev.query(
        "SELECT s.buyer_id, l.raw->>'phone' FROM sale s JOIN lead l ON l.id = s.lead_id WHERE l.raw->>'phone' = ANY(%s)", [one["phone"] for one in people]))
    assert sold == {(buyer, one["phone"]): 1 for buyer in ("buyer_abc", "buyer_def") for one in people}
    no_lock_trouble(dev)


def test_leads_for_two_buyers_each(dev):
    people = [lt.lead() for _ in range(200)]
    leads = [{**one, "flo_campaign_id": campaign} for one in people for campaign in ("each", "each_too", "each")]
    sent = traffic.Traffic(dev.port, leads, connections=48).wait()
    assert traffic.statuses(sent) == {(201, "ACCEPTED"): 200, (200, "UNMATCHED"): 400}
    assert dev.query("SELECT s.buyer_id, count(*) FROM sale s JOIN lead l ON l.id = s.lead_id WHERE l.raw->>'phone' = ANY(%s) GROUP BY 1 ORDER BY 1",
                     [one["phone"] for one in people]) == [("buyer_abc", 200), ("buyer_def", 200)]
    no_lock_trouble(dev)


def change(dev, campaign, **changes):
    document = copy.deepcopy(DOCUMENT)
    next(entry for entry in document["campaigns"] if entry["id"] == campaign).update(changes)
    dev.apply(document)


def test_a_rule_that_is_added_under_load_sees_every_sale(dev, client):
    people = [lt.lead(flo_campaign_id="added") for _ in range(400)]
    running = traffic.Traffic(dev.port, people, connections=8)
    change(dev, "added_too", contracts=[lt.contract("late", duplicates=BY_PHONE)])
    assert traffic.statuses(running.wait()) == {(201, "ACCEPTED"): 400}
    sent = traffic.Traffic(dev.port, [{**one, "flo_campaign_id": "added_too"} for one in people], connections=16).wait()
    assert traffic.statuses(sent) == {(200, "UNMATCHED"): 400}
    assert client.ingest(lt.lead(flo_campaign_id="added_too")).status == 201
    assert client.ingest(people[0]).status == 201, "the other contract of the buyer has no rule"
    change(dev, "added_too")
    assert client.ingest({**people[1], "flo_campaign_id": "added_too"}).status == 201


def test_switching_between_all_and_accepted(dev, client):
    unsold, sold, refused = (lt.lead(flo_campaign_id="switched", state=state) for state in ("CA", "TX", "TX"))
    assert [client.ingest(unsold).status for _ in range(2)] == [200, 200] and client.ingest(sold).status == 201
    assert client.ingest({**refused, "email": "nonsense"}).error == "validation_failed"
    change(dev, "switched", duplicates_against="all")
    answers = [client.ingest({**one, "state": "TX"}) for one in (unsold, sold, refused)]
    assert [answer.status for answer in answers] == [409, 409, 409] and all(answer.data["duplicate_of"] for answer in answers)
    unmatched, meanwhile = lt.lead(flo_campaign_id="switched", state="CA"), lt.lead(flo_campaign_id="switched")
    assert [client.ingest(unmatched).status for _ in range(2)] == [200, 409] and client.ingest(meanwhile).status == 201
    change(dev, "switched")
    assert [client.ingest({**one, "state": "TX"}).status for one in (unsold, refused, unmatched, sold, meanwhile)] == [201, 201, 201, 409, 409]


def test_equal_leads_that_nobody_buys(dev):
    change(dev, "switched", duplicates_against="all")
    people = [lt.lead(flo_campaign_id="switched", state="CA") for _ in range(150)]
    sent = traffic.Traffic(dev.port, [dict(one) for one in people for _ in range(3)], connections=48).wait()
    assert traffic.statuses(sent) == {(200, "UNMATCHED"): 150, (409, "duplicate"): 300}
    no_lock_trouble(dev)
