"""
router_rig - one database with played gateways and dispatchers, and the real routers of one test.

    person()  the normal forms of somebody new
    Rig       starts routers, sends judged leads, reads answers and hints, holds the record against what was answered
    make_rig, rig   its fixtures: import them into the test's file
"""
import collections
import hashlib
import itertools
import json
import random
import signal
import uuid

import pytest

from leadline_testing import document, eventually, query, query_one
from played import LEADS, Neighbours, Stage, frame, uuid7

SUPPLIER, OTHER, CAMPAIGN = "supplier_xyz789", "supplier_other", "campaign_abc123"
Answer = collections.namedtuple("Answer", "status body least_version is_recorded")

_people = itertools.count(random.randrange(0, 4_000_000))


def person(**fields):
    """The normal forms of somebody new."""
    n = next(_people)
    return {"first_name": "John", "last_name": "Doe", "phone": f"+1555{2_000_000 + n % 8_000_000:07d}", "email": f"john.{n}@example.com",
            "state": "TX", **fields}


class Rig:
    """One database, a played gateway and dispatcher, and the routers of one test."""

    def __init__(self, database, dispatchers=1):
        self.database = database
        self.neighbours = Neighbours(database)
        self.connection = database.connect()
        self.gateway = self.neighbours.play("gateway")
        self.dispatchers = [self.neighbours.play("dispatcher", f"dispatcher-{n}") for n in range(1, dispatchers + 1)]
        self.dispatcher = self.dispatchers[0] if self.dispatchers else None
        self.routers = []
        self.sent = {}
        self.version = 0

    # The configuration

    def apply(self, changed=None, **changes):
        self.database.apply(changed if changed is not None else document(**changes))
        self.version = self.query_one("SELECT catalog_version FROM installation")
        return self.version

    def start(self, count=1, wait=True, **params):
        """Starts that many routers; gives the first, or the list of them."""
        first = len(self.routers) + 1
        new = [Stage(self.neighbours, "router", f"router-{first + n}", **params) for n in range(count)]
        self.routers += new
        for router in new:
            router.start(False)
        for router in new if wait else []:
            router.wait_for(connections=2, neighbours=1 + len(self.dispatchers))
        return new[0] if count == 1 else new

    # Leads

    def item(self, fields=None, id=None, left_ms=10000, supplier=SUPPLIER, campaign=CAMPAIGN, reason="", version=None, raw=None,
             key=None, body=b"{}", gateway="gateway-1", **more):
        """A judged lead. key: an idempotency key's digest. more: is_test, is_resent, message, errors by name."""
        fields = person() if fields is None else fields
        id = id or uuid7()
        kinds = {bool: 2, int: 1, float: 1, str: 0}
        item = {1: id.bytes, 2: supplier, 3: gateway, 4: left_ms, 5: uuid7().bytes, 6: raw or json.dumps({"flo_campaign_id": campaign, **fields}),
                7: [[name, kinds[type(value)], value if isinstance(value, str) else json.dumps(value)] for name, value in fields.items()],
                13: self.version if version is None else version}
        if campaign is not None:
            item[12] = campaign
        if reason:
            item[14] = reason
        if key is not None:
            item[10], item[11] = key.bytes, hashlib.sha256(body).digest()
        for name, value in more.items():
            item[{"is_resent": 8, "least_version": 9, "errors": 15, "is_test": 16, "message": 17, "mode": 18, "on_lists": 19, "ping_id": 20, "wanted_buyer_id": 21}[name]] = value
        self.sent[id] = item
        return item

    def items(self, count, **more):
        return [self.item(**more) for _ in range(count)]

    def send(self, router, items, size=100, **more):
        """In frames of that many. Returns the ids."""
        for at in range(0, len(items), size):
            self.neighbours.push(router, frame(LEADS, items[at:at + size], "validator-1", **more))
        return [uuid.UUID(bytes=item[1]) for item in items]

    def answers(self, ids, seconds=15, count=1):
        """What each was answered, the last time, in order."""
        return [Answer(item[2], item[3], item.get(4, 0), item.get(5, False)) for item in self.gateway.wait_for(ids, seconds, count)]

    def ask(self, router, item, seconds=15):
        """One lead, and its answer."""
        return self.answers(self.send(router, [item]), seconds)[0]

    def ask_all(self, router, items, seconds=15):
        return self.answers(self.send(router, items), seconds)

    # The database

    def query(self, sql, *params):
        return query(self.connection, sql, *params)

    def query_one(self, sql, *params):
        return query_one(self.connection, sql, *params)

    def statuses(self):
        """How many leads have which status."""
        return dict(self.query("SELECT status::text, count(*) FROM lead GROUP BY 1"))

    def wait_blocked(self, router, seconds=5):
        """Until a batch of this router waits for a lock. Returns its backend."""
        return eventually(lambda: [pid for pid, in self.query(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'", router.name)], seconds, 0.01,
            message="no batch waits for a lock")[0]

    def check(self, ids=None):
        """What was answered is in the database as answered, once; sums agree."""
        answered = {id: item for id, items in self.gateway.by_id.items() for item in items[-1:] if item.get(5)}
        rows = {uuid.UUID(id): (status, body) for id, status, body in self.query("SELECT id::text, answer_status, answer_body FROM lead")}
        for id, item in answered.items():
            if id in rows:
                assert rows[id] == (item[2], item[3]), id
            else:
                assert 10 in self.sent[id], f"{id} was answered and is not there"
        assert self.query("SELECT l.id FROM lead l LEFT JOIN sale s ON s.lead_id = l.id WHERE (l.status = 'ACCEPTED') <> (s.lead_id IS NOT NULL)") == []
        # A delivery without a number asked a buyer that did not buy.
        assert self.query("SELECT s.lead_id FROM sale s FULL JOIN (SELECT * FROM delivery WHERE n > 0) d ON (d.lead_id, d.n, d.buyer_id) ="
                          " (s.lead_id, s.n, s.buyer_id) WHERE s.lead_id IS NULL OR d.lead_id IS NULL") == []
        assert self.query("SELECT l.id FROM lead l LEFT JOIN trail t ON t.lead_id = l.id WHERE t.lead_id IS NULL") == []
        assert self.query("SELECT k.lead_id FROM duplicate_key k JOIN lead l ON l.id = k.lead_id WHERE l.status <> 'ACCEPTED'") == []
        assert self.query("SELECT c.kind, c.owner_id, c.total_leads FROM counter c WHERE c.kind = 'buyer' AND c.total_leads <>"
                          " (SELECT count(*) FROM sale s WHERE s.buyer_id = c.owner_id AND NOT s.is_test)") == []

    def close(self):
        for router in self.routers:
            if router.process.poll() is None:
                router.signal(signal.SIGCONT)
                router.kill()
        self.connection.close()
        self.neighbours.close()
        for router in self.routers:
            router.check_log("john.", "+1555", "John", "Doe", "poison")


@pytest.fixture
def make_rig(database):
    made = []

    def make(**options):
        made.append(Rig(database, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def rig(make_rig):
    return make_rig()
