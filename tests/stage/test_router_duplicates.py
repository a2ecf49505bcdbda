"""The router and equal leads: what a buyer was sold on any campaign, and campaigns that compare with all leads."""
import collections
import json
import random

from leadline_testing import buyer, campaign, contract, document, source, supplier
from test_router import CAMPAIGN, OTHER, RULES, SUPPLIER, make_rig, person, rig  # noqa: F401 (fixtures)

SECOND = "campaign_second"
BY_PHONE = [{"fields": ["phone"], "window_days": 30}]


def two_campaigns(first=BY_PHONE, second=(), **more):
    """buyer_abc, then buyer_def, on both; the rules are buyer_abc's."""
    return document(buyers=[buyer(), buyer("buyer_def")], campaigns=[
        campaign(id, contracts=[contract(priority=1, duplicates=list(rules)), contract("buyer_def", "20.00", priority=2)], **more)
        for id, rules in ((CAMPAIGN, first), (SECOND, second))])


def bought(rig, answer):
    """Who bought, in order; None when nobody did."""
    data = json.loads(answer.body)["data"]
    return [buyer for buyer, in rig.query("SELECT buyer_id FROM sale WHERE lead_id = %s ORDER BY n", data["id"])] or None


def sell(rig, router, fields, **more):
    return bought(rig, rig.ask(router, rig.item(fields, **more)))


def no_lock_trouble(rig):
    assert rig.query_one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    for router in rig.routers:
        assert "21000" not in router.log() and "40P01" not in router.log()


def test_a_sale_on_any_campaign_counts_for_the_buyer(rig):
    rig.apply(two_campaigns())
    router = rig.start()
    one = person()
    assert sell(rig, router, one, campaign=SECOND) == ["buyer_abc"]
    answer = rig.ask(router, rig.item({**person(), "phone": one["phone"]}))
    assert bought(rig, answer) == ["buyer_def"]
    assert rig.query("SELECT step, decisions FROM trail WHERE lead_id = %s", json.loads(answer.body)["data"]["id"]) == [
        ("sale", [{"contract_id": "buyer_abc", "decision": "passed_over", "reason": "duplicate", "detail": "phone: 30 days"},
                  {"contract_id": "buyer_def", "decision": "sold", "detail": "20.00"}])]
    assert sell(rig, router, one) == ["buyer_def"]
    assert sell(rig, router, one, campaign=SECOND) == ["buyer_abc"], "its contract there has no rule"
    assert sell(rig, router, {**one, "phone": person()["phone"]}) == ["buyer_abc"]
    assert rig.query_one("SELECT count(*) FROM duplicate_key") == 2, "the other buyer has no rule"
    rig.check()


def test_the_window_passes_and_each_contract_has_its_own(rig):
    rig.apply(two_campaigns(BY_PHONE, [{"fields": ["phone"], "window_days": 90}]))
    router = rig.start()
    one = person()
    assert sell(rig, router, one) == ["buyer_abc"]
    assert rig.query("SELECT count(*), bool_and(expires_at = at + interval '90 days') FROM duplicate_key") == [(1, True)]
    rig.query("UPDATE duplicate_key SET at = at - interval '31 days'")
    assert sell(rig, router, one, campaign=SECOND) == ["buyer_def"]
    assert sell(rig, router, one) == ["buyer_abc"]
    assert sell(rig, router, one) == ["buyer_def"]
    rig.query("UPDATE duplicate_key SET at = at - interval '91 days'")
    assert sell(rig, router, one, campaign=SECOND) == ["buyer_abc"]
    assert rig.query_one("SELECT count(*) FROM duplicate_key") == 1
    rig.check()


def test_test_leads_neither_count_nor_are_passed_over(rig):
    rig.apply(two_campaigns())
    router = rig.start()
    one = person()
    assert sell(rig, router, one, is_test=True) == ["buyer_abc"]
    assert sell(rig, router, one) == ["buyer_abc"]
    assert sell(rig, router, one, is_test=True) == ["buyer_abc"]
    assert sell(rig, router, one) == ["buyer_def"]
    rig.check()


def test_two_sells_leave_keys_for_both_buyers(rig):
    changed = two_campaigns(max_sells=2)
    changed["campaigns"][0]["contracts"][1]["duplicates"] = [{"fields": ["email", "phone"], "window_days": 7}]
    rig.apply(changed)
    router = rig.start()
    one = person()
    assert sell(rig, router, one, campaign=SECOND) == ["buyer_abc", "buyer_def"]
    assert rig.query_one("SELECT count(*) FROM duplicate_key") == 2
    assert sell(rig, router, {**one, "email": "another." + one["email"]}) == ["buyer_def"]
    assert sell(rig, router, {**one, "email": one["email"].upper()}) is None
    assert rig.query_one("SELECT decisions FROM trail t JOIN lead l ON l.id = t.lead_id WHERE l.status = 'UNMATCHED'") == [
        {"contract_id": "buyer_abc", "decision": "passed_over", "reason": "duplicate", "detail": "phone: 30 days"},
        {"contract_id": "buyer_def", "decision": "passed_over", "reason": "duplicate", "detail": "email, phone: 7 days"}]
    rig.check()


def test_equal_leads_on_two_campaigns_at_two_routers(rig):
    """Of each pair one is sold to the buyer with the rule and the other to the next; now and then all windows are over."""
    rig.apply(two_campaigns([*BY_PHONE, {"fields": ["email", "phone"], "window_days": 7}], [{"fields": ["phone"], "window_days": 60}]))
    routers = rig.start(2)
    people = [person() for _ in range(60)]
    for round_ in range(8):
        if round_ % 3 == 2:
            rig.query("UPDATE duplicate_key SET at = at - interval '61 days'")
            now = people
        else:
            now = [{**one, "phone": one["phone"].replace("555", str(201 + round_), 1)} for one in people]
        shuffled = random.sample(now, len(now))
        ids = rig.send(routers[0], [rig.item(one) for one in now], size=17)
        ids += rig.send(routers[1], [rig.item(one, campaign=SECOND) for one in shuffled], size=13)
        counts = collections.Counter(json.loads(answer.body)["data"]["buyer_id"] for answer in rig.answers(ids, 30))
        assert counts == {"buyer_abc": 60, "buyer_def": 60}
        if round_ % 3 != 2:
            assert rig.query("SELECT l.fields->>'phone' FROM sale s JOIN lead l ON l.id = s.lead_id WHERE s.buyer_id = 'buyer_abc'"
                             " AND l.fields->>'phone' = ANY(%s) GROUP BY 1 HAVING count(*) <> 1", [one["phone"] for one in now]) == []
    no_lock_trouble(rig)
    rig.check()


def test_sales_cross_with_campaign_rules_in_many_orders(rig):
    """Campaign keys and buyers' keys of the same leads, at three routers, replaced and new at once."""
    rig.apply(two_campaigns(RULES, RULES, duplicates=RULES))
    routers = rig.start(3)
    people = [person() for _ in range(40)]
    for round_ in range(4):
        rig.query("UPDATE duplicate_key SET at = at - interval '31 days' WHERE random() < 0.5")
        ids = []
        for n, router in enumerate(routers):
            items = [rig.item({**one, "email": other["email"]}, campaign=(CAMPAIGN, SECOND)[(n + round_) % 2])
                     for one, other in zip(people, people[n:] + people[:n])]
            ids += rig.send(router, random.sample(items, len(items)), size=11)
        assert set(answer.status for answer in rig.answers(ids, 30)) <= {201, 409}
    no_lock_trouble(rig)
    rig.check()


def test_all_leads_count_but_duplicates(rig):
    changed = document(suppliers=[supplier(), supplier(OTHER, "other-key", status="PAUSED")],
                       campaigns=[campaign(sources=[source(), source(OTHER)], contracts=[contract(states=["TX"])], duplicates=RULES,
                                           duplicates_against="all")])
    rig.apply(changed)
    router = rig.start()
    unmatched, malformed, paused, sold = (person(state="CA"), person(), person(), person())

    def status(fields, **more):
        return json.loads(rig.ask(router, rig.item(fields, **more)).body)["data"]["status"]

    assert status(unmatched) == "UNMATCHED" and status({**unmatched, "state": "TX"}) == "DUPLICATE"
    del malformed["email"]  # had no normal form: that rule cannot see it
    refused = {"reason": "validation_failed", "errors": [["email", "invalid_format", None, "must be an e-mail address"]]}
    assert status(malformed, **refused) == "REJECTED"
    assert status({**person(), "phone": malformed["phone"]}) == "DUPLICATE"
    assert status(malformed, **refused) == "REJECTED", "for what is wrong with it"
    assert status(paused, supplier=OTHER) == "REJECTED" and status(paused) == "DUPLICATE"
    assert status(person(), reason="filtered") == "REJECTED"
    assert status(sold, is_test=True) == "ACCEPTED" and status(sold) == "ACCEPTED" and status(sold, is_test=True) == "DUPLICATE"
    other = {**person(), "phone": sold["phone"]}
    assert status(other) == "DUPLICATE" and status({**person(), "email": other["email"]}) == "ACCEPTED", "a duplicate counts for nothing"

    del changed["campaigns"][0]["duplicates_against"]
    rig.apply(changed)
    assert status({**unmatched, "state": "TX"}) == "ACCEPTED"
    assert status({**person(), "phone": malformed["phone"]}) == "ACCEPTED"
    assert status(sold) == "DUPLICATE", "apply has made the keys of what was sold meanwhile"


def test_equal_unsold_leads_at_two_routers(rig):
    rig.apply(document(campaigns=[campaign(contracts=[contract(states=["CA"])], duplicates=RULES, duplicates_against="all")]))
    routers = rig.start(2)
    people = [person() for _ in range(80)]
    ids = [id for router in routers for id in rig.send(router, [rig.item(one) for one in random.sample(people, len(people))], size=9)]
    rig.answers(ids, 30)
    assert rig.statuses() == {"UNMATCHED": 80, "DUPLICATE": 80}
    assert rig.query_one("SELECT count(*) FROM duplicate_key") == 160
    no_lock_trouble(rig)
    assert SUPPLIER == rig.query_one("SELECT DISTINCT supplier_id FROM duplicate_key")
