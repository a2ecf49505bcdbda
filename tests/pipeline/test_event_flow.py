"""
Events through all stages: every type arrives, signed; an endpoint that was away gets all it missed, oldest first; one that hangs holds up no buyer;
dispatchers that are killed lose none.
"""
import collections
import json
import threading

import leadline_testing as lt
import traffic

RULES = [{"fields": ["phone"], "window_days": 30}]


def configuration(buyer, ops, **more):
    return lt.document(buyer.url, events=[{"url": ops.url, "secrets": [lt.SECRET], **more}],
                       campaigns=[lt.campaign(duplicates=RULES, contracts=[lt.contract(states=["TX"])])])


def by_lead(requests):
    """{lead id: {type: [webhook ids]}}"""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for request in requests:
        event = request.json()
        found[event["data"].get("lead_id", event["data"]["id"])][event["type"]].append(request.webhook_id)
    return found


def wait_done(dev, seconds=60):
    lt.eventually(lambda: dev.query_one("SELECT count(*) FROM delivery WHERE event IS NOT NULL AND state <> 'DELIVERED'") == 0, seconds, 0.2,
                  message=lambda: str(dev.query("SELECT state::text, attempt, lease_by, count(*), min(due_at - now()) FROM delivery WHERE event IS NOT NULL GROUP BY 1, 2, 3")))


def test_every_type_arrives():
    with lt.Buyer() as buyer, lt.Buyer() as ops, lt.Dev(configuration(buyer, ops)) as dev:
        client = dev.client()
        first = lt.lead()
        sold = client.ingest(first).data["id"]
        unsold = client.ingest(lt.lead(state="CA")).data["id"]
        duplicate = client.ingest(lt.lead(phone=first["phone"])).data["id"]
        rejected = client.ingest(lt.lead(email="nonsense")).data["id"]
        marked = client.ingest(lt.lead(is_test=True)).data["id"]
        assert client.ingest(lt.lead(flo_campaign_id="nobody's")).status == 404  # leaves no lead, and no event
        ops.wait(10, 20)
        wait_done(dev)

        buyer.answer = 500
        failing = client.ingest(lt.lead()).data["id"]
        delivery = lt.eventually(lambda: dev.query("SELECT id::text FROM delivery WHERE lead_id = %s AND n = 1 AND attempt = 1", failing))[0][0]
        dev.query("UPDATE delivery SET attempt = 9, due_at = now() WHERE lead_id = %s AND n = 1", failing)
        requests = ops.wait(13, 20)
        assert all(request.is_signed() for request in requests)
        ends = {sold: "lead.accepted", unsold: "lead.unmatched", duplicate: "lead.rejected", rejected: "lead.rejected", marked: "lead.accepted",
                failing: "lead.accepted"}
        found = by_lead(requests)
        for lead_id, end in ends.items():
            wanted = {"lead.created", end} | ({"delivery.failed"} if lead_id == failing else set())
            assert set(found[lead_id]) == wanted and all(len(ids) == 1 for ids in found[lead_id].values())
        assert set(found) == set(ends)
        for request in requests:
            event = request.json()
            assert event["data"]["is_test"] is (event["data"]["id"] == marked)
            if event["type"] == "delivery.failed":
                assert (event["data"]["id"], event["data"]["buyer_id"], event["data"]["last_http_status"]) == (delivery, "buyer_abc", 500)
        text = b" ".join(request.body for request in requests).decode()
        for secret in ("John", "Doe", first["phone"], first["email"], "nonsense"):
            assert secret not in text

        shown = dev.show(sold)
        assert [one["event"] for one in shown["deliveries"]][0] is None and len(shown["deliveries"]) == 3
        assert {step["step"] for step in shown["trail"]} == {"sale", "attempt"} and sum(step["step"] == "attempt" for step in shown["trail"]) == 1
        listed = json.loads(dev.leadctl("delivery", "list", "--json").stdout)["deliveries"]
        assert {row["event"] for row in listed} == {None, "lead.created", "lead.accepted", "lead.rejected", "lead.unmatched", "delivery.failed"}


def test_an_endpoint_that_was_away_gets_everything_oldest_first():
    """Leads are sold and delivered meanwhile. One request at a time, so that the order can be seen."""
    with lt.Buyer() as buyer, lt.Buyer(503) as ops:
        document = configuration(buyer, ops, types=["lead.accepted"], limits={"concurrent": 1})
        with lt.Dev(document, dispatchers=2, env={"LEADLINE_BREAKER_PAUSE_MS": "500"}) as dev:
            sent = traffic.Traffic(dev.port, [lt.lead() for _ in range(150)], connections=4).wait()
            assert all(one.status == 201 for one in sent)
            buyer.wait(150, 30)
            ids = [json.loads(one.body)["data"]["id"] for one in sent]
            assert dev.query_one("SELECT count(*) FROM delivery WHERE event IS NOT NULL AND state = 'OPEN'") == 150
            # Off until nobody has one in hand, so that all begin equal.
            endpoint = dev.query_one("SELECT id FROM event_endpoint")
            dev.leadctl("endpoint", "off", endpoint)
            lt.eventually(lambda: dev.query_one("SELECT count(*) FROM delivery WHERE event IS NOT NULL AND lease_by IS NOT NULL") == 0, 30)
            dev.query("UPDATE delivery SET due_at = uuid_time(lead_id) WHERE event IS NOT NULL")
            ops.answer = 200
            since = len(ops.requests)
            dev.leadctl("endpoint", "on", endpoint)
            wait_done(dev, 90)
            arrived = [request.data["id"] for request in ops.requests[since:]]
            assert len(arrived) == 150 and set(arrived) == set(ids)
            assert len({request.webhook_id for request in ops.requests}) == 150, "an event has one id"
            assert [id[:13] for id in arrived] == sorted(id[:13] for id in ids), "not the oldest first"  # the milliseconds of their leads


def test_a_hanging_endpoint_holds_up_no_buyer():
    hold = threading.Event()
    with lt.Buyer() as buyer, lt.Buyer(lambda _request: hold.wait(120) and 200) as ops, lt.Dev(configuration(buyer, ops, timeout_ms=60000)) as dev:
        sent = traffic.Traffic(dev.port, [lt.lead() for _ in range(100)], connections=8).wait()
        ops.wait(64, 20)  # as many as are sent at once
        sent += traffic.Traffic(dev.port, [lt.lead() for _ in range(500)], connections=8).wait()
        assert all(one.status == 201 for one in sent), traffic.statuses(sent)
        buyer.wait(600, 30)
        lt.eventually(lambda: dev.query("SELECT state::text, count(*) FROM delivery WHERE event IS NULL GROUP BY 1") == [("DELIVERED", 600)], 30)
        assert dev.query("SELECT state::text, count(*) FROM delivery WHERE event IS NOT NULL GROUP BY 1") == [("OPEN", 1200)]
        assert len(ops.requests) == 64
        hold.set()
        wait_done(dev, 90)
        found = by_lead(ops.requests)
        assert len(found) == 600 and all(set(types) == {"lead.created", "lead.accepted"} for types in found.values())


def test_kills_lose_no_event():
    with lt.Buyer() as buyer, lt.Buyer() as ops, lt.Dev(configuration(buyer, ops), routers=2, dispatchers=2) as dev:
        running = traffic.Traffic(dev.port, traffic.endless(), connections=6, insist=True, pause=0.01)
        running.wait_answers(50)
        for name in ("dispatcher-1", "router-1", "dispatcher-2", "router-2"):
            dev.kill_and_wait(name)
            running.wait_answers(30)
        sent = running.stop()
        sold = {json.loads(one.body)["data"]["id"] for one in sent if one.status == 201}
        recorded = {id for id, in dev.query("SELECT id::text FROM lead")}
        assert sold <= recorded and len(sold) > 150
        wait_done(dev, 90)
        found = by_lead(ops.requests)
        assert set(found) == recorded
        for lead_id in sold:
            assert set(found[lead_id]) == {"lead.created", "lead.accepted"}
            assert all(len(set(ids)) == 1 for ids in found[lead_id].values()), "doubles have the same id"
