"""Caps are exact and equal leads are sold once, whatever the number of processes."""
import threading

import pytest

import leadline_testing as lt
import traffic

DUPLICATES = [{"fields": ["phone"], "window_days": 30}, {"fields": ["email"], "window_days": 30}]


@pytest.fixture(scope="module")
def dev():
    two = [lt.contract(id="first"), lt.contract(id="second", price="20.00")]
    campaigns = [
        lt.campaign("buyer_cap", contracts=[lt.contract(id="first", caps=[{"window": "hour", "leads": 300}]), two[1]],
                    sources=[lt.source()]),
        lt.campaign("unique", duplicates=DUPLICATES),
        lt.campaign("source_cap", sources=[lt.source(caps=[{"window": "total", "leads": 100}])], contracts=[lt.contract("plain")]),
    ]
    campaigns[1]["contracts"] = [lt.contract("plain")]
    buyers = [lt.buyer(caps=[{"window": "day", "leads": 500}]), lt.buyer("plain")]
    with lt.Dev(lt.document(campaigns=campaigns, buyers=buyers), routers=3, validators=2) as running:
        yield running


def test_a_buyers_cap_over_two_contracts_is_exact(dev):
    leads = (lt.lead(flo_campaign_id="buyer_cap") for _ in range(3000))
    sent = traffic.Traffic(dev.port, leads, connections=64).wait()
    assert traffic.statuses(sent) == {(201, "ACCEPTED"): 500, (200, "UNMATCHED"): 2500}
    sold = dict(dev.query("SELECT contract_id, count(*) FROM sale WHERE campaign_id = 'buyer_cap' GROUP BY 1"))
    assert sold == {"first": 300, "second": 200}


def test_a_sources_cap_is_exact(dev):
    leads = (lt.lead(flo_campaign_id="source_cap") for _ in range(600))
    sent = traffic.Traffic(dev.port, leads, connections=32).wait()
    assert traffic.statuses(sent) == {(201, "ACCEPTED"): 100, (403, "source_capped"): 500}


def test_equal_leads_at_the_same_instant_sell_once(dev):
    for _ in range(5):
        same = lt.lead(flo_campaign_id="unique")
        sent = traffic.Traffic(dev.port, (dict(same) for _ in range(64)), connections=64).wait()
        assert traffic.statuses(sent) == {(201, "ACCEPTED"): 1, (409, "duplicate"): 63}


def test_leads_that_match_crosswise_never_stand_still(dev):
    """Pairs (phone 1, mail 2), (phone 2, mail 1), … : batches claim the same keys in opposite orders."""
    for _ in range(10):
        people = [lt.lead(flo_campaign_id="unique") for _ in range(16)]
        crossed = [{**a, "email": b["email"]} for a, b in zip(people, people[1:] + people[:1])]
        sent = traffic.Traffic(dev.port, people + crossed[::-1], connections=32).wait()
        counts = traffic.statuses(sent)
        assert set(counts) <= {(201, "ACCEPTED"), (409, "duplicate")}
        assert max(one.took for one in sent) < 5
        for key in ("phone", "email"):
            values = [one.lead[key] for one in sent if one.status == 201]
            assert len(values) == len(set(values)), "two leads with one " + key
        answered = {one.lead["phone"] + one.lead["email"] for one in sent if one.status == 201}
        stored = dev.query("SELECT count(*) FROM lead WHERE status = 'ACCEPTED' AND raw->>'phone' || (raw->>'email') = ANY(%s)", list(answered))
        assert stored == [(len(answered),)]


def test_a_repeat_while_the_first_is_open_gets_its_answer(dev):
    lead = lt.lead(flo_campaign_id="unique")
    answers = []
    barrier = threading.Barrier(16)

    def send():
        client = lt.Client(dev.port)
        barrier.wait()
        answers.append(client.ingest(lead, Idempotency_Key="the-same"))
        client.close()

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert {answer.status for answer in answers} == {201} and len({answer.body for answer in answers}) == 1
    assert dev.query_one("SELECT count(*) FROM lead WHERE raw->>'phone' = %s", lead["phone"]) == 1
