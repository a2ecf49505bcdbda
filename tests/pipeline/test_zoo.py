"""
Buyers that misbehave beside one that does not: he gets all his leads while the others hang, and every delivery stands in the state that
the rules of answers say. When the others mend their ways, they get everything, each under its first webhook-id.
"""
import os
import random
import sys

import leadline_testing as lt
import traffic

sys.path.insert(0, os.path.join(lt.ROOT, "tests", "buyer"))
import sim  # noqa: E402

EACH, HEALTHY = 8, 400  # leads for each; below ten, so that no endpoint is paused for its failures

# Path of sim.py: the state after the first attempt, its HTTP status, and, without one, what is kept of it.
ZOO = {
    "refuse": ("REJECTED", 422, None), "200-error": ("REJECTED", 200, None), "dup": ("DUPLICATE", 200, None), "409": ("OPEN", 409, None),
    "410": ("OPEN", 410, None), "429?retry_after=600": ("OPEN", 429, None), "503?retry_after=900": ("OPEN", 503, None),
    "hang": ("OPEN", None, {"reset", "timeout"}), "slow": ("OPEN", None, {"incomplete", "timeout"}), "reset": ("OPEN", None, {"reset"}),
    "close": ("OPEN", None, {"reset"}), "flood": ("DELIVERED", 200, None), "wrong-length": ("OPEN", None, {"incomplete"}),
    "redirect": ("OPEN", 302, None), "garbage": ("OPEN", None, {"bad_answer"}), "big-headers": ("OPEN", None, {"bad_answer", "reset"}),
}
HANGING = ("hang", "slow")
WAITING = ("410", "429?retry_after=600", "503?retry_after=900")  # one such answer holds the others of its buyer back
RESPONSES = [{"status": "200-299", "pointer": "/result", "equals": "dup", "outcome": "DUPLICATE"},
             {"status": "200-299", "pointer": "/status", "equals": "error", "outcome": "REJECTED"},
             {"status": 422, "contains": "refused", "outcome": "REJECTED"}]


def name_of(path):
    return "buyer-" + path.split("?")[0]


def configuration(healthy, url_of):
    """A campaign for each buyer."""
    buyers = [lt.buyer("healthy", healthy.url)] + [
        {**lt.buyer(name_of(path)), "delivery": {"url": url_of(path), "secrets": [lt.SECRET], "timeout_ms": 60000, "responses": RESPONSES}} for path in ZOO]
    return lt.document(buyers=buyers, campaigns=[lt.campaign(f"to-{buyer['id']}", contracts=[lt.contract(buyer["id"])]) for buyer in buyers])


def deliveries(dev, buyer_id):
    """(state, attempts recorded, seconds until the next, first attempt's status, and what is kept of it) of each."""
    return dev.query("""SELECT d.state::text, d.attempt, extract(epoch FROM d.due_at - now())::float8, a.http_status, a.answer FROM delivery d
        LEFT JOIN attempt a ON a.lead_id = d.lead_id AND a.delivery_id = d.id AND a.attempt = 1 WHERE d.buyer_id = %s""", buyer_id)


def test_a_zoo_of_buyers(tmp_path):
    leads = [lt.lead(flo_campaign_id=f"to-{name_of(path)}") for path in ZOO for _ in range(EACH)]
    random.Random(7).shuffle(leads)
    leads = leads[:40] + random.Random(8).sample(leads[40:] + [lt.lead(flo_campaign_id="to-healthy") for _ in range(HEALTHY)],
                                                 len(leads) - 40 + HEALTHY)
    with sim.Sim([lt.SECRET]) as zoo, lt.Buyer() as healthy, lt.Dev(configuration(healthy, zoo.url)) as dev:
        sent = traffic.Traffic(dev.port, leads, connections=8).wait()
        assert all(one.status in (200, 201) for one in sent), traffic.statuses(sent)

        # While the others hang, all of the healthy one's are delivered.
        healthy.wait(HEALTHY, 60)
        lt.eventually(lambda: {row[0] for row in deliveries(dev, "healthy")} == {"DELIVERED"}, 30)
        for path in HANGING:
            lt.eventually(lambda: zoo.busy(path) == EACH, 30, message=lambda: f"{zoo.busy(path)} at {path}")
            assert {row[:2] for row in deliveries(dev, name_of(path))} == {("OPEN", 0)}
        assert len(healthy.requests) == len(deliveries(dev, "healthy")) == HEALTHY
        assert {row[1] for row in deliveries(dev, "healthy")} == {1} and all(request.is_signed() for request in healthy.requests)

        # Every delivery stands where the rules put it.
        zoo.release()
        for path, (state, status, kept) in ZOO.items():
            rows = lt.eventually(lambda: (found := deliveries(dev, name_of(path))) and (
                any(row[1] > 0 for row in found) if path in WAITING else all(row[1] > 0 for row in found)) and found, 60, message=lambda: (path, deliveries(dev, name_of(path))))
            tried = [row for row in rows if row[1] > 0]
            assert path in WAITING or len(tried) == EACH, (path, rows)
            for row in tried:
                assert row[0] == state and row[3] == status and (kept is None or row[4] in kept), (path, row)
                if "retry_after" in path:
                    assert row[2] > int(path.split("=")[1]) - 120, (path, row)
        assert all(request.fault is None for request in zoo.requests), "a wrong signature"
        assert zoo.of("accept") == [], "a redirect was followed"

        # What was refused is given back.
        lt.eventually(lambda: dev.query_one("SELECT count(*) FROM sale WHERE state = 'REJECTED'") == 3 * EACH, 30)

        # They mend their ways. (Who said 410 is not asked again by itself, whoever asked for time not before that.)
        dev.apply(configuration(healthy, lambda path: zoo.url("accept/" + path.split("?")[0])))
        dev.leadctl("endpoint", "on", *(name_of(path) for path in ZOO if path != "410"))
        dev.query("UPDATE delivery SET due_at = now() WHERE state = 'OPEN' AND lease_by IS NULL")
        lt.eventually(lambda: dev.query_one("SELECT count(*) FROM delivery WHERE state = 'OPEN' AND buyer_id <> 'buyer-410'") == 0, 90,
                      message=lambda: dev.query("SELECT buyer_id, state::text, count(*), min(due_at - now()) FROM delivery GROUP BY 1, 2"))
        ids = {}
        for request in zoo.requests:
            ids.setdefault(request.data["id"], set()).add(request.webhook_id)
        assert all(len(webhook_ids) == 1 for webhook_ids in ids.values()) and len(ids) >= EACH * (len(ZOO) - 1)
        assert len(healthy.requests) == HEALTHY
