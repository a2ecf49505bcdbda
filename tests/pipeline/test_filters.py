"""Filters, prices and schedules end to end: who is let in, who buys, at what price, and what the trail says."""
import datetime
import json

import pytest

import leadline_testing as lt

FIELDS = [{"name": "age", "type": "number"}, {"name": "moved", "type": "date"}]
DAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
FAR = "Pacific/Kiritimati"  # fourteen hours ahead


def rule(field, op, *value, **more):
    return {"field": field, "op": op, **({"value": value[0]} if value else {}), **more}


def other_days():
    """Days of the week that it is nowhere within a day from now."""
    today = datetime.datetime.now(datetime.timezone.utc).weekday()
    return [DAYS[(today + n) % 7] for n in (2, 3, 4, 5)]


def these_days():
    return [day for day in DAYS if day not in other_days()]


def configuration(url):
    inbound = {"all": [rule("state", "IN", ["TX", "CA"]), {"any": [rule("age", ">=", 21), rule("age", "IS EMPTY")]}, rule("moved", ">= DAYS AGO", 30),
                       rule("age", ">", 200, schedule={"days": other_days()}), rule("age", "!=", 99, schedule={"days": these_days()})]}
    campaigns = [
        lt.campaign("inbound", fields=FIELDS, inbound_filters=inbound, duplicates=[{"fields": ["phone"], "window_days": 30}]),
        lt.campaign("contracts", fields=FIELDS, contracts=[
            lt.contract(id="old", priority=1, filters={"all": [rule("age", ">=", 50), rule("email", "MATCHES", "@EXAMPLE[.]com$")]}),
            lt.contract("buyer_def", id="texas", priority=2, price="20.00", filters=rule("state", "==", "Texas"))]),
        lt.campaign("prices", fields=FIELDS, distribution="HIGHEST_BID", sources=[lt.source(answer="full")], contracts=[
            lt.contract(id="steady", price="25.00"),
            lt.contract("buyer_def", id="by_age", price="20.00", price_rules=[
                {"filter": rule("age", ">=", 50), "price": "30.00"}, {"filter": rule("age", ">=", 40), "price": "26.00"}])]),
        lt.campaign("timed_prices", fields=FIELDS, distribution="HIGHEST_BID", sources=[lt.source(answer="full")], contracts=[
            lt.contract(id="steady", price="25.00"),
            lt.contract("buyer_def", id="timed", price="20.00", price_rules=[
                {"filter": rule("moved", "<= DAYS AGO", 10, schedule={"days": other_days()}), "price": "10.00"},
                {"filter": {"schedule": {"days": other_days()}}, "price": "10.00"},
                {"filter": rule("moved", "<= DAYS AGO", 10), "price": "30.00"}])]),
        lt.campaign("schedules", contracts=[
            lt.contract(id="shut", priority=1, schedule={"days": other_days()}),
            lt.contract("buyer_def", id="open", priority=2, price="20.00", schedule={"days": these_days(), "hours": [["00:00", "12:00"], ["12:00", "24:00"]]})]),
        lt.campaign("all_shut", contracts=[lt.contract(id="shut", schedule={"days": other_days()})]),
    ]
    return lt.document(campaigns=campaigns, buyers=[lt.buyer(url=url), lt.buyer("buyer_def", url=url, time_zone=FAR)])


@pytest.fixture(scope="module")
def dev():
    with lt.Buyer() as buyer, lt.Dev(configuration(buyer.url)) as running:
        yield running


def today(days_ago=0):
    local = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days_ago)
    return local.date().isoformat()


def lead(campaign, **fields):
    return lt.lead(flo_campaign_id=campaign, **{"moved": today(5), **fields})


def show(dev, lead_id):
    return json.loads(lt.leadctl("lead", "show", lead_id, "--json", "--dir", dev.dir).stdout)


def passed_over(dev, lead_id):
    return {item["contract_id"]: (item["reason"], item["detail"]) for item in show(dev, lead_id)["trail"] if item["decision"] == "passed_over"}


@pytest.mark.parametrize("fields", [{}, {"age": 21}, {"age": "21.0", "state": "California"}, {"age": 100}])
def test_the_inbound_filter_lets_in(client, fields):
    assert client.ingest(lead("inbound", **fields)).status == 201


@pytest.mark.parametrize("fields, errors", [
    ({"state": "NY"}, [("state", "IN", "must be one of TX, CA")]),
    ({"state": None}, [("state", "IN", "must be one of TX, CA")]),
    ({"age": 20.99}, [("age", ">=", "must be at least 21"), ("age", "IS EMPTY", "must be absent")]),
    ({"moved": today(40)}, [("moved", ">= DAYS AGO", "must not be longer ago than 30 days")]),
    ({"age": 99}, [("age", "!=", "must not be 99")]),
    ({"state": "New York", "age": 3, "moved": None}, [("state", "IN", "must be one of TX, CA"), ("age", ">=", "must be at least 21"), ("age", "IS EMPTY", "must be absent"),
                                                      ("moved", ">= DAYS AGO", "must not be longer ago than 30 days")]),
])
def test_the_inbound_filter_keeps_out(dev, client, fields, errors):
    answer = client.ingest(lead("inbound", **fields))
    body = answer.json()
    assert answer.status == 422 and list(body) == ["error", "message", "request_id", "type", "title", "status", "filter_errors", "data"]
    assert body["error"] == "filtered" and body["title"] == "Filtered" and body["status"] == 422
    assert [list(error.items()) for error in body["filter_errors"]] == [[("field", field), ("operator", op), ("message", message)] for field, op, message in errors]
    assert body["data"] == {"id": body["data"]["id"], "status": "REJECTED", "campaign_id": "inbound"}
    shown = show(dev, body["data"]["id"])
    assert shown["status"] == "REJECTED" and shown["sales"] == []
    assert shown["reasons"] == [{"code": "filtered", "field": field, "message": message} for field, op, message in errors]
    found = client.get("/api/v1/leads/" + body["data"]["id"])
    assert found.status == 200 and found.json()["data"]["reasons"] == shown["reasons"]


def test_fields_come_before_filters_and_filters_before_duplicates(client):
    assert client.ingest(lead("inbound", state="NY", age="old")).json()["error"] == "validation_failed"
    first = lead("inbound")
    assert client.ingest(first).status == 201
    assert client.ingest({**first, "state": "NY"}).status == 422
    assert client.ingest(first).status == 409


def test_a_filtered_lead_keeps_its_answer(client):
    sent, key = lead("inbound", state="NY"), "filtered-1"
    first = client.ingest(sent, idempotency_key=key)
    again = client.ingest(sent, idempotency_key=key)
    assert first.status == again.status == 422 and first.body == again.body


@pytest.mark.parametrize("fields, buyer, why", [
    ({"age": 50}, "buyer_abc", {}),
    ({"age": 49}, "buyer_def", {"old": ("filter", "age >=")}),
    ({}, "buyer_def", {"old": ("filter", "age >=")}),
    ({"age": 50, "email": "x@example.org"}, "buyer_def", {"old": ("filter", "email MATCHES")}),
    ({"email": "x@example.org", "state": "NY"}, None, {"old": ("filter", "age >=, email MATCHES"), "texas": ("filter", "state ==")}),
])
def test_contracts_filters(dev, client, fields, buyer, why):
    answer = client.ingest(lead("contracts", **fields))
    assert answer.data["buyer_id"] == buyer
    assert passed_over(dev, answer.data["id"]) == why


@pytest.mark.parametrize("campaign, fields, buyer, price", [
    ("prices", {}, "buyer_abc", "25.00"), ("prices", {"age": 39}, "buyer_abc", "25.00"), ("prices", {"age": 40}, "buyer_def", "26.00"),
    ("prices", {"age": 50}, "buyer_def", "30.00"), ("timed_prices", {"moved": today(5)}, "buyer_abc", "25.00"), ("timed_prices", {"moved": today(20)}, "buyer_def", "30.00"),
])
def test_price_rules(client, campaign, fields, buyer, price):
    answer = client.ingest(lead(campaign, **fields))
    assert answer.status == 201 and (answer.data["buyer_id"], answer.data["price"]) == (buyer, price)


def test_schedules(dev, client):
    answer = client.ingest(lt.lead(flo_campaign_id="schedules"))
    assert answer.data["buyer_id"] == "buyer_def"
    reason, detail = passed_over(dev, answer.data["id"])["shut"]
    assert reason == "schedule" and detail.endswith(" America/New_York") and detail[:3] in DAYS and detail[3:9].strip()[2] == ":"
    answer = client.ingest(lt.lead(flo_campaign_id="all_shut"))
    assert answer.status == 200 and answer.data["status"] == "UNMATCHED"


def test_the_local_time_is_postgresqls(dev, client):
    """What the trail shows is what PostgreSQL's clock says in the buyer's zone."""
    local = "SELECT upper(to_char(clock_timestamp() AT TIME ZONE 'America/New_York', 'DY HH24:MI'))"
    before = dev.query_one(local)
    answer = client.ingest(lt.lead(flo_campaign_id="all_shut"))
    after = dev.query_one(local)
    assert passed_over(dev, answer.data["id"])["shut"][1].removesuffix(" America/New_York") in (before, after)
