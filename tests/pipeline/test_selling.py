"""Turns, budgets and the caps of every owner, exact under several routers (SPEC.md, 6 and 7)."""
import collections
import json

import pytest

import leadline_testing as lt
import traffic

BUYERS = ["one", "two", "three"]
LISTED = {"a": "one", "b": "two", "c": "three"}


def contracts(weights=(50, 30, 20), **more):
    """a of buyer one, b of buyer two, c of buyer three. `more` changes one: a={"caps": […]}."""
    return [lt.contract(buyer, id=id, weight=weight, **more.get(id, {})) for (id, buyer), weight in zip(LISTED.items(), weights)]


def turns(id, distribution="WEIGHTED", **more):
    return lt.campaign(id, distribution=distribution, contracts=contracts(**more))


def day(**limit):
    return [{"window": "day", **limit}]


def share(percent, **more):
    return lt.source(cost={"mode": "REVENUE_SHARE", "percent": percent}, **more)


CAMPAIGNS = [
    turns("weighted"),
    turns("round", "ROUND_ROBIN"),
    turns("drops_out", a={"caps": day(leads=200)}),
    turns("round_drops_out", "ROUND_ROBIN", a={"caps": day(leads=100)}),
    turns("comes_back", a={"caps": [{"window": "hour", "leads": 50}]}),
    turns("half", "ROUND_ROBIN", b={"states": ["CA"]}),
    turns("test_leads", "ROUND_ROBIN"),
    lt.campaign("two_each", distribution="WEIGHTED", max_sells=2, contracts=contracts(weights=(2, 1, 1))),
    # 100.00 is 14 times 7.00 and 2.00 over; 3.00 does not fit then.
    lt.campaign("uneven", contracts=[lt.contract("spender", "7.00", id="dear", priority=1, caps=day(leads=40)),
                                     lt.contract("spender", "3.00", id="cheap", priority=2, caps=[{"window": "week", "budget": "50.00"}]),
                                     lt.contract("other", "2.99", id="rest", priority=3, caps=day(leads=1000, budget="1000.00"))]),
    lt.campaign("source_budget", sources=[lt.source(caps=day(budget="505.00"))], contracts=[lt.contract("plain")]),
    lt.campaign("share", sources=[share("10", caps=day(budget="100.00"))],
                contracts=[lt.contract("plain", "33.30", id="dear", priority=1), lt.contract("plain", "1.00", id="cheap", priority=2)]),
    lt.campaign("campaign_leads", caps=day(leads=150), contracts=[lt.contract("plain")]),
    lt.campaign("campaign_budget", caps=day(budget="1234.56"), contracts=[lt.contract("plain")]),
    lt.campaign("hours", contracts=[lt.contract("plain", caps=[{"window": "hour", "leads": 30}])]),
]
SPENDER = lt.buyer("spender", caps=[{"window": "day", "leads": 1000}, {"window": "month", "budget": "333.33"}])


@pytest.fixture(scope="module")
def dev():
    buyers = [*map(lt.buyer, BUYERS), lt.buyer("plain", time_zone="Asia/Kolkata"), lt.buyer("other"), SPENDER]
    with lt.Dev(lt.document(buyers=buyers, campaigns=CAMPAIGNS), routers=3, validators=2) as running:
        yield running


def send(dev, campaign, count, connections=32, **fields):
    leads = (lt.lead(flo_campaign_id=campaign, **fields) for _ in range(count))
    return traffic.Traffic(dev.port, leads, connections=connections).wait()


def sold(dev, campaign):
    return collections.Counter(dict(dev.query("SELECT contract_id, count(*) FROM sale WHERE campaign_id = %s AND NOT is_test GROUP BY 1", campaign)))


def near(counts, want):
    assert set(counts) <= set(want)
    assert all(abs(counts[id] - number) <= 1 for id, number in want.items()), counts


# Turns --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("campaign, want", [("weighted", {"a": 500, "b": 300, "c": 200}), ("round", {"a": 334, "b": 333, "c": 333})])
def test_shares_are_exact(dev, campaign, want):
    assert traffic.statuses(send(dev, campaign, 1000)) == {(201, "ACCEPTED"): 1000}
    near(sold(dev, campaign), want)
    assert dev.query_one("SELECT sum(turn_credit)::bigint FROM counter WHERE campaign_id = %s", campaign) == 0


def test_shares_are_exact_with_two_routers():
    """And all the way, not only at the end."""
    with lt.Dev(lt.document(buyers=[*map(lt.buyer, BUYERS)], campaigns=[turns("weighted")]), routers=2, validators=2) as two:
        for rounds in range(1, 11):
            send(two, "weighted", 100, connections=16)
            near(sold(two, "weighted"), {"a": 50 * rounds, "b": 30 * rounds, "c": 20 * rounds})
        assert two.query_one("SELECT count(*) FROM sale") == 1000


@pytest.mark.parametrize("campaign, want", [("drops_out", {"a": 200, "b": 480, "c": 320}), ("round_drops_out", {"a": 100, "b": 450, "c": 450})])
def test_who_is_full_drops_out_and_the_others_keep_their_proportions(dev, campaign, want):
    assert traffic.statuses(send(dev, campaign, 1000)) == {(201, "ACCEPTED"): 1000}
    near(sold(dev, campaign), want)


def test_who_comes_back_does_not_catch_up(dev):
    send(dev, "comes_back", 300)
    before = sold(dev, "comes_back")
    assert before["a"] == 50
    dev.query("UPDATE counter SET hour_start = hour_start - interval '1 hour' WHERE campaign_id = 'comes_back'")
    send(dev, "comes_back", 60)
    near(sold(dev, "comes_back") - before, {"a": 30, "b": 18, "c": 12})


def test_who_is_eligible_for_every_second_lead_does_not_starve(dev):
    """a and c may buy every lead; b those from California, which is every second."""
    client = dev.client()
    for number in range(240):
        assert client.ingest(lt.lead(flo_campaign_id="half", state=("CA", "TX")[number % 2])).status == 201
    client.close()
    near(sold(dev, "half"), {"a": 100, "b": 40, "c": 100})


def test_test_leads_take_no_turns(dev):
    client = dev.client()
    buyers = [client.ingest(lt.lead(flo_campaign_id="test_leads", is_test=is_test)).data["buyer_id"]
              for is_test in (True, True, False, True, False, True, True, False, True, False)]
    client.close()
    assert buyers == ["one", "one", "one", "two", "two", "three", "three", "three", "one", "one"]


def test_two_sells_owe_two(dev):
    """a has half of the weights, so it buys every lead; b and c share the second place."""
    assert traffic.statuses(send(dev, "two_each", 200)) == {(201, "ACCEPTED"): 200}
    near(sold(dev, "two_each"), {"a": 200, "b": 100, "c": 100})


# Money --------------------------------------------------------------------------------------------------------------

def test_budgets_and_leads_together_are_exact(dev):
    """280.00 for forty dear ones; 50.00 in the week for the cheap ones; 333.33 for both: sixteen, and 5.33 are left."""
    sent = send(dev, "uneven", 3000, connections=64)
    assert sold(dev, "uneven") == {"dear": 40, "cheap": 16, "rest": 334}
    assert traffic.statuses(sent) == {(201, "ACCEPTED"): 390, (200, "UNMATCHED"): 2610}
    money = dict(dev.query("SELECT buyer_id, sum(price_cents)::bigint FROM sale WHERE campaign_id = 'uneven' GROUP BY 1"))
    assert money == {"spender": 32800, "other": 99866}
    unsold = next(json.loads(one.body)["data"]["id"] for one in reversed(sent) if one.status == 200)
    steps = dev.query_one("SELECT decisions FROM trail WHERE lead_id = %s AND step = 'sale'", unsold)
    assert {step["contract_id"]: (step["reason"], step["detail"]) for step in steps} == {
        "dear": ("contract_cap", "day: 40 leads"), "cheap": ("contract_cap", "week: 50.00"), "rest": ("contract_cap", "day: 1000 leads, 1000.00")}


def test_a_sources_budget_is_exact(dev):
    sent = send(dev, "source_budget", 400)
    assert traffic.statuses(sent) == {(201, "ACCEPTED"): 50, (403, "source_capped"): 350}
    assert dev.query_one("SELECT sum(cost_cents)::bigint FROM sale WHERE campaign_id = 'source_budget'") == 50000


def test_a_share_that_does_not_fit_leaves_the_cheaper_contract(dev):
    """3.33 each: thirty are 99.90, and one more of 0.10 makes it full."""
    sent = send(dev, "share", 200)
    assert traffic.statuses(sent) == {(201, "ACCEPTED"): 31, (403, "source_capped"): 169}
    assert sold(dev, "share") == {"dear": 30, "cheap": 1}
    assert dev.query_one("SELECT sum(cost_cents)::bigint FROM sale WHERE campaign_id = 'share'") == 10000
    refused = next(json.loads(one.body)["data"]["id"] for one in reversed(sent) if one.status == 403)
    steps = dev.query_one("SELECT decisions FROM trail WHERE lead_id = %s", refused)
    assert [(step.get("contract_id"), step["reason"], step["detail"]) for step in steps] == [
        ("dear", "source_cap", "day: 100.00"), ("cheap", "source_cap", "day: 100.00"), (None, "source_capped", "source, day: 100.00")]


@pytest.mark.parametrize("campaign, want, detail", [("campaign_leads", 150, "day: 150 leads"), ("campaign_budget", 123, "day: 1234.56")])
def test_a_campaigns_caps_are_exact(dev, campaign, want, detail):
    sent = send(dev, campaign, 400)
    assert traffic.statuses(sent) == {(201, "ACCEPTED"): want, (200, "UNMATCHED"): 400 - want}
    unsold = next(json.loads(one.body)["data"]["id"] for one in sent if one.status == 200)
    assert dev.query_one("SELECT decisions FROM trail WHERE lead_id = %s AND step = 'sale'", unsold) == [
        {"contract_id": "plain", "decision": "passed_over", "reason": "campaign_cap", "detail": detail}]


@pytest.mark.parametrize("limit, want", [({"leads": 70}, 70), ({"budget": "199.99"}, 19)])
def test_a_suppliers_caps_hold_over_its_campaigns(limit, want):
    campaigns = [lt.campaign("first"), lt.campaign("second")]
    with lt.Dev(lt.document(suppliers=[lt.supplier(caps=day(**limit))], campaigns=campaigns), routers=3, validators=2) as capped:
        leads = (lt.lead(flo_campaign_id=("first", "second")[n % 2]) for n in range(300))
        sent = traffic.Traffic(capped.port, leads, connections=32).wait()
        assert traffic.statuses(sent) == {(201, "ACCEPTED"): want, (403, "source_capped"): 300 - want}
        assert capped.query("SELECT DISTINCT status::text FROM lead ORDER BY 1") == [("ACCEPTED",), ("REJECTED",)]


def test_a_cap_added_later_counts_what_is_stored():
    """Of every owner: 20 leads are sold, then there are caps for 25 or their money."""
    with lt.Dev(lt.document(), routers=2) as later:
        assert traffic.statuses(send(later, "campaign_abc123", 20)) == {(201, "ACCEPTED"): 20}
        for owner, limit, more in (("supplier", {"leads": 25}, 5), ("campaign", {"budget": "260.00"}, 1), ("buyer", {"budget": "724.99"}, 2),
                                   ("supplier", {"budget": "289.99"}, 0), ("contract", {"leads": 29}, 1)):
            caps = {owner: day(**limit)}
            later.apply(lt.document(suppliers=[lt.supplier(caps=caps.get("supplier", []))],
                                    buyers=[lt.buyer(caps=caps.get("buyer", []))],
                                    campaigns=[lt.campaign(caps=caps.get("campaign", []), contracts=[lt.contract(caps=caps.get("contract", []))])]))
            got = traffic.statuses(send(later, "campaign_abc123", 30))
            assert got[(201, "ACCEPTED")] == more, (owner, limit, got)


# Windows ------------------------------------------------------------------------------------------------------------

def test_an_hour_that_turns_in_the_middle(dev):
    """The counters' hour is moved back under traffic, as if it had ended: the next one begins with nothing, and no cap is passed."""
    running = traffic.Traffic(dev.port, traffic.endless(flo_campaign_id="hours"), connections=16)
    for hour in range(1, 5):
        lt.eventually(lambda: sold(dev, "hours")["plain"] >= 30 * hour, 20)
        running.wait_answers(100)
        assert sold(dev, "hours")["plain"] == 30 * hour
        assert dev.query("SELECT hour_leads, total_leads FROM counter WHERE campaign_id = 'hours'") == [(30, 30 * hour)]
        dev.query("UPDATE counter SET hour_start = hour_start - interval '1 hour' WHERE campaign_id = 'hours'")
    lt.eventually(lambda: sold(dev, "hours")["plain"] == 150, 20)
    sent = running.stop()
    assert traffic.statuses(sent)[(201, "ACCEPTED")] == 150 == sold(dev, "hours")["plain"]
    assert dev.query_one("SELECT count(DISTINCT id) FROM lead WHERE campaign_id = 'hours'") == len(sent)
    assert dev.query_one("SELECT hour_start = window_start('hour', now(), 'Asia/Kolkata') FROM counter WHERE campaign_id = 'hours'")


def test_leads_and_their_sales_agree(dev):
    """After all of the above: who is ACCEPTED has sales, whose sum is the lead's price; nobody else has."""
    assert dev.query("SELECT l.id FROM lead l LEFT JOIN sale s ON s.lead_id = l.id GROUP BY l.id, l.status, l.price_cents"
                     " HAVING (l.status = 'ACCEPTED') <> (count(s.n) > 0) OR coalesce(sum(s.price_cents), -1) <> coalesce(l.price_cents, -1)") == []
