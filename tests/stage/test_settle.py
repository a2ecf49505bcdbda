"""
What a buyer refuses after the sale, settled by real routers. The test is the dispatcher: it writes the verdict as dispatcher/store.c does.
"""
import collections
import random
import threading

import pytest

from leadline_testing import buyer, campaign, contract, document, eventually, source, supplier
from router_rig import CAMPAIGN, make_rig, person, rig  # noqa: F401 (fixtures)

CAPS = [{"window": window, "leads": 1_000_000} for window in ("hour", "day", "week", "month", "total")]
MONEY = [{"window": "day", "budget": "1000000.00"}]
SUMS = ("SELECT kind::text, owner_id, hour_leads, hour_cents, day_leads, day_cents, week_leads, week_cents, month_leads, month_cents,"
        " total_leads, total_cents FROM counter ORDER BY 1, 2")


def capped(**more):
    """Everybody who can have a cap has one, and two contracts of two buyers take every lead."""
    return document(suppliers=[supplier(caps=CAPS)], buyers=[buyer(caps=CAPS), buyer("buyer_def", caps=MONEY)],
                    campaigns=[campaign(sources=[source(caps=CAPS, cost={"mode": "FIXED", "amount": "4.00"})], caps=CAPS, max_sells=2,
                                        contracts=[contract(caps=CAPS, price="25.00"), contract("buyer_def", "20.00", caps=MONEY)], **more)])


def refuse(rig, ids, n=1, verdict="REJECTED"):
    """The verdict of these leads' n-th buyers, in one transaction."""
    ids = [str(id) for id in ids]
    rig.query("WITH d AS (UPDATE delivery SET state = %s::delivery_state, attempt = attempt + 1 WHERE lead_id = ANY (%s::uuid[]) AND n = %s RETURNING lead_id, n)"
              " INSERT INTO unsettled (lead_id, n, verdict) SELECT lead_id, n, %s FROM d", verdict, ids, n, verdict)


def settled(rig, seconds=5):
    eventually(lambda: rig.query_one("SELECT count(*) FROM unsettled") == 0, seconds, message=lambda: f"something stays unsettled: {rig.routers[-1].log()[-2000:]}")


def recounted(rig):
    """What the counters must say: place and money of what is sold; leads and cost of all that were."""
    rows = []
    for kind, owner in rig.query("SELECT kind::text, owner_id FROM counter ORDER BY 1, 2"):
        pays = kind in ("buyer", "contract")
        column = {"buyer": "buyer_id", "contract": "contract_id", "campaign": "campaign_id"}.get(kind, "supplier_id")
        leads, cents = rig.query(f"SELECT count(*), coalesce(sum({'price_cents' if pays else 'cost_cents'}), 0)::int8 FROM sale WHERE NOT is_test AND {column} = %s"
                                 f" AND {'state = %s' if pays else 'n = 1 AND %s IS NOT NULL'}", owner, "SOLD")[0]
        rows.append((kind, owner, *[leads, cents] * 5))
    return rows


@pytest.mark.parametrize("verdict, reason", [("REJECTED", "buyer_rejected"), ("DUPLICATE", "buyer_duplicate")])
def test_place_and_money_go_back_and_the_rest_stays(rig, verdict, reason):
    rig.apply(capped())
    router = rig.start()
    items = rig.items(5)
    assert {answer.status for answer in rig.ask_all(router, items)} == {201}
    ids = list(rig.sent)
    keys = rig.query("SELECT key FROM duplicate_key ORDER BY 1")
    refuse(rig, ids[:2], 1, verdict)
    refuse(rig, ids[1:3], 2, verdict)
    settled(rig)
    assert rig.query(SUMS) == recounted(rig)
    assert rig.query("SELECT total_leads, total_cents FROM counter WHERE kind = 'buyer' ORDER BY owner_id") == [(3, 7500), (3, 6000)]
    assert rig.query("SELECT total_leads, total_cents FROM counter WHERE kind = 'source'") == [(5, 2000)]
    assert rig.query("SELECT n, count(*) FROM sale WHERE state = 'REJECTED' GROUP BY 1 ORDER BY 1") == [(1, 2), (2, 2)]
    assert rig.statuses() == {"ACCEPTED": 5}
    assert rig.query("SELECT key FROM duplicate_key ORDER BY 1") == keys
    told = dict(rig.query("SELECT lead_id::text, decisions FROM trail WHERE step = 'settle'"))
    assert set(told) == {str(id) for id in ids[:3]}
    assert told[str(ids[0])] == [{"contract_id": "buyer_abc", "decision": "given_back", "reason": reason}]
    assert rig.query_one("SELECT count(*) FROM lead WHERE cost_cents = 400") == 5


def test_a_place_that_went_back_is_sold_again_at_once(rig):
    rig.apply(document(buyers=[buyer(caps=[{"window": "day", "leads": 2}, {"window": "day", "budget": "50.00"}])]))
    router = rig.start()
    assert [answer.status for answer in rig.ask_all(router, rig.items(3))] == [201, 201, 200]
    refuse(rig, [next(iter(rig.sent))])
    settled(rig)
    assert [answer.status for answer in rig.ask_all(router, rig.items(2))] == [201, 200]


def test_windows_that_have_ended_keep_what_they_had(rig):
    rig.apply(document(buyers=[buyer(caps=CAPS)]))
    router = rig.start()
    rig.ask_all(router, rig.items(3))
    # The hour, the day and the week have turned since, with two leads sold in the new ones.
    rig.query("UPDATE sale SET sold_at = sold_at - interval '8 days'")
    rig.query("UPDATE counter SET hour_leads = 2, hour_cents = 5000, day_leads = 2, day_cents = 5000, week_leads = 2, week_cents = 5000,"
              " month_start = month_start - interval '62 days'")
    refuse(rig, list(rig.sent)[:1])
    settled(rig)
    assert rig.query("SELECT hour_leads, hour_cents, day_leads, day_cents, week_leads, week_cents, month_leads, month_cents, total_leads, total_cents"
                     " FROM counter") == [(2, 5000, 2, 5000, 2, 5000, 2, 5000, 2, 5000)]


def test_test_leads_took_no_place(rig):
    rig.apply(capped())
    router = rig.start()
    rig.ask_all(router, [*rig.items(2), *rig.items(2, is_test=True)])
    refuse(rig, rig.sent)
    settled(rig)
    assert rig.query(SUMS) == recounted(rig)
    assert rig.query_one("SELECT count(*) FROM sale WHERE state = 'REJECTED'") == 4


def test_a_sale_that_is_settled_is_not_settled_twice(rig):
    rig.apply(capped())
    router = rig.start()
    rig.ask_all(router, rig.items(4))
    rig.query("UPDATE sale SET state = 'RETURNED' WHERE n = 1 AND lead_id = %s::uuid", str(next(iter(rig.sent))))
    rig.query("UPDATE counter SET total_leads = 3, total_cents = 7500 WHERE (kind, owner_id) IN (('buyer', 'buyer_abc'), ('contract', 'buyer_abc'))")
    refuse(rig, rig.sent)
    settled(rig)
    assert rig.query("SELECT total_leads, total_cents FROM counter WHERE owner_id = 'buyer_abc'") == [(0, 0), (0, 0)]
    assert rig.query("SELECT state::text, count(*) FROM sale WHERE n = 1 GROUP BY 1 ORDER BY 1") == [("REJECTED", 3), ("RETURNED", 1)]


def test_a_counter_that_comes_alive_leaves_out_what_was_refused(rig):
    rig.apply(document())
    router = rig.start()
    rig.ask_all(router, rig.items(4))
    refuse(rig, list(rig.sent)[:3])
    settled(rig)
    rig.apply(document(buyers=[buyer(caps=CAPS)], campaigns=[campaign(sources=[source(caps=CAPS)])]))
    assert rig.query("SELECT kind::text, total_leads FROM counter ORDER BY 1") == [("buyer", 1), ("source", 4)]


def test_refusals_under_load_and_kills_keep_the_counts_right(rig):
    """Three routers sell and settle at once; one is killed again and again."""
    rig.apply(capped())
    routers = rig.start(3)
    done = threading.Event()
    refused = set()

    def refuse_some():
        connection = rig.database.connect()
        with connection.cursor() as cursor:
            while not done.is_set():
                cursor.execute("SELECT lead_id::text, n FROM sale WHERE state = 'SOLD' ORDER BY random() LIMIT 40")
                for lead, n in cursor.fetchall():
                    if (lead, n) not in refused:
                        refused.add((lead, n))
                        cursor.execute("INSERT INTO unsettled (lead_id, n, verdict) VALUES (%s, %s, %s)", (lead, n, random.choice(["REJECTED", "DUPLICATE"])))
        connection.close()

    thread = threading.Thread(target=refuse_some)
    thread.start()
    try:
        for round in range(6):
            ids = [id for router in routers[1:] for id in rig.send(router, rig.items(150), size=25)]
            routers[0].kill()
            routers[0].start()
            rig.answers(ids, 30)
    finally:
        done.set()
        thread.join()
    settled(rig, 30)
    assert rig.query_one("SELECT count(*) FROM sale WHERE state = 'REJECTED'") == len(refused) > 0
    assert rig.query(SUMS) == recounted(rig)
    assert collections.Counter(lead for lead, in rig.query("SELECT lead_id::text FROM trail WHERE step = 'settle'")).keys() == {lead for lead, _ in refused}
