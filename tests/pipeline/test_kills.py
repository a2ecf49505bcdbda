"""Under load, kill -9 of every stage in turn and of PostgreSQL: what was answered stays, once; what was sold arrives."""
import json

import leadline_testing as lt
import traffic


def answered(sent):
    """Lead ids of recorded answers with what was said of them."""
    return {json.loads(one.body)["data"]["id"]: one for one in sent if one.status in (200, 201, 409)}


def check(dev, buyer, load):
    """Every answered lead is in the database as answered, once, and every sold one reached its buyer with one webhook-id."""
    said = answered(load.sent)
    stored = dict(dev.query("SELECT id::text, status::text FROM lead"))
    for lead_id, one in said.items():
        assert stored.get(lead_id) == json.loads(one.body)["data"]["status"], (lead_id, one)
    phones = dev.query("SELECT count(*), count(DISTINCT raw->>'phone') FROM lead")[0]
    assert phones[0] == phones[1], "a lead was recorded twice under one Idempotency-Key"
    assert all(one.status in (200, 201) for one in load.sent), traffic.statuses(load.sent)

    sold = {row[0] for row in dev.query("SELECT lead_id::text FROM sale")}
    assert sold == {lead_id for lead_id, status in stored.items() if status == "ACCEPTED"}
    assert dev.query_one("SELECT count(*) FROM (SELECT 1 FROM sale GROUP BY lead_id HAVING count(*) > 1) twice") == 0
    lt.eventually(lambda: sold <= {request.data["id"] for request in list(buyer.requests)}, 90,
                  message=lambda: f"not delivered: {len(sold - {r.data['id'] for r in list(buyer.requests)})} of {len(sold)}")
    ids = {}
    for request in list(buyer.requests):
        ids.setdefault(request.data["id"], set()).add(request.webhook_id)
    assert all(len(webhook_ids) == 1 for webhook_ids in ids.values())
    assert set(ids) <= sold, "delivered, but not sold"
    lt.eventually(lambda: dev.query_one("SELECT count(*) FROM delivery WHERE state <> 'DELIVERED'") == 0, 90,
                  message=lambda: f"deliveries: {dev.query('SELECT state::text, count(*) FROM delivery GROUP BY 1')}")


def test_every_stage_and_postgresql(tmp_path):
    with lt.Buyer() as buyer, lt.Dev(lt.document(buyer.url, buyers=[lt.buyer(url=buyer.url, caps=[{"window": "day", "leads": 100000}])]),
                                     gateways=2, validators=2, routers=2, dispatchers=2) as dev:
        load = traffic.Traffic(dev.port, traffic.endless(), connections=16, insist=True, pause=0.02)
        load.wait_answers(100)
        for victim in dev.names() + ["postgres-1"]:
            dev.kill_and_wait(victim)
            load.wait_answers(150)
        load.stop()
        assert max(one.took for one in load.tries) < 7, "a request hung beyond its deadline"
        check(dev, buyer, load)
        counted = dev.query_one("SELECT total_leads FROM counter WHERE kind = 'buyer'")
        assert counted == dev.query_one("SELECT count(*) FROM sale"), "the counter is not what was sold"


def test_all_at_once(tmp_path):
    """The whole machine goes: everything is killed together, and a new start goes on with the data."""
    with lt.Buyer() as buyer, lt.Dev(lt.document(buyer.url), routers=2) as dev:
        load = traffic.Traffic(dev.port, traffic.endless(), connections=8, pause=0.005)
        load.wait_answers(200)
        for victim in ["postgres-1"] + dev.names():
            dev.kill(victim)
        dev.kill_all()
        load.stop()
        dev.asked_port = dev.port
        dev.start()
        load.sent = [one for one in load.sent if one.status in (200, 201)]
        check(dev, buyer, load)
