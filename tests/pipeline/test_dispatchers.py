"""Three dispatchers under load, and kill -9 of them at any time: every delivery at least once, twice only around a kill, nothing stuck."""
import collections
import random
import time

import leadline_testing as lt
import traffic

BUYERS = [f"buyer-{n}" for n in range(9)]  # enough for each dispatcher to have some


def configuration(url):
    return lt.document(buyers=[lt.buyer(id, url) for id in BUYERS],
                       campaigns=[lt.campaign(f"to-{id}", contracts=[lt.contract(id)]) for id in BUYERS])


def leads(count=None):
    n = 0
    while count is None or n < count:
        yield lt.lead(flo_campaign_id=f"to-{BUYERS[n % len(BUYERS)]}")
        n += 1


class Moody:
    """Answers after some milliseconds; one webhook in ten gets 503 at first."""

    def __init__(self):
        self.seen = set()
        self.taken = collections.defaultdict(list)  # when, by webhook-id

    def __call__(self, request):
        is_new = request.webhook_id not in self.seen
        self.seen.add(request.webhook_id)
        time.sleep(random.uniform(0.005, 0.05))
        if is_new and random.random() < 0.1:
            return 503
        self.taken[request.webhook_id].append(request.at)
        return 200


def wait_delivered(dev, seconds=90):
    lt.eventually(lambda: dev.query_one("SELECT count(*) FROM delivery WHERE state <> 'DELIVERED'") == 0, seconds, 0.2,
                  lambda: str(dev.query("SELECT state::text, lease_by, count(*), min(due_at - now()) FROM delivery GROUP BY 1, 2")))


def check(dev, buyer, mood):
    """Every sold lead was taken, under the one webhook-id that its row has."""
    rows = dict(dev.query("SELECT id::text, lead_id::text FROM delivery"))
    assert set(rows) == set(mood.taken), f"{len(set(rows) - set(mood.taken))} of {len(rows)} were not taken"
    assert all(rows[request.webhook_id] == request.data["id"] and request.is_signed() for request in list(buyer.requests))
    assert dev.query_one("SELECT count(*) FROM delivery WHERE lease_by IS NOT NULL") == 0


def test_three_of_them_deliver_everything_once(tmp_path):
    mood = Moody()
    with lt.Buyer(mood) as buyer, lt.Dev(configuration(buyer.url), dispatchers=3) as dev:
        sent = traffic.Traffic(dev.port, leads(900), connections=8).wait()
        assert all(one.status == 201 for one in sent), traffic.statuses(sent)
        wait_delivered(dev)
        check(dev, buyer, mood)
        assert all(len(times) == 1 for times in mood.taken.values()), "delivered twice, and nobody was killed"
        attempts = collections.Counter(request.webhook_id for request in buyer.requests)
        assert dict(attempts) == dict(dev.query("SELECT delivery_id::text, count(*) FROM attempt GROUP BY 1"))


def test_killed_at_any_time(tmp_path):
    mood, kills = Moody(), []
    with lt.Buyer(mood) as buyer, lt.Dev(configuration(buyer.url), dispatchers=3) as dev:
        load = traffic.Traffic(dev.port, leads(), connections=8, insist=True, pause=0.01)
        for n in range(9):
            load.wait_answers(random.randrange(40, 120))
            name, before = f"dispatcher-{n % 3 + 1}", time.time()
            old = dev.kill(name)
            kills.append((before, time.time()))
            lt.eventually(lambda: dev.pid(name) not in (None, old), 12, message=f"{name} did not come back")
        load.stop()
        wait_delivered(dev)
        check(dev, buyer, mood)
        for webhook_id, times in mood.taken.items():
            for first, second in zip(times, times[1:]):
                assert any(first <= end and begin <= second for begin, end in kills), f"{webhook_id} came twice, away from any kill"


def test_nothing_is_stuck_whoever_had_it(tmp_path):
    """Rows whose next attempt is in the past are found, whatever lease they had, of whichever dispatcher, also while one of them dies."""
    mood = Moody()
    with lt.Buyer(mood) as buyer, lt.Dev(configuration(buyer.url), dispatchers=3) as dev:
        traffic.Traffic(dev.port, leads(360), connections=8).wait()
        wait_delivered(dev)
        dev.kill("dispatcher-2")
        dev.query("""UPDATE delivery d SET state = 'OPEN', attempts_before = attempt, due_at = now() - x.ago, lease_by = x.who
            FROM (SELECT id, (ARRAY['0 s', '1 s', '1 hour', '40 days'])[1 + n % 4]::interval AS ago,
                    (ARRAY[NULL, 'dispatcher-1', 'dispatcher-2', 'dispatcher-9', 'gone'])[1 + n % 5] AS who
                  FROM (SELECT id, row_number() OVER () AS n FROM delivery) numbered) x WHERE x.id = d.id""")
        wait_delivered(dev)
        assert dev.query_one("SELECT count(*) FROM delivery WHERE state = 'OPEN' AND due_at < now()") == 0
        assert all(len(times) >= 2 for times in mood.taken.values()), "some were not sent again"
        check(dev, buyer, mood)
