"""
The validator: one real process, a real PostgreSQL. The test plays the gateways before it and the routers behind it: it registers them
in stage_instance, sends leads as they were sent to us, and reads what is passed on and what is answered.
"""
import itertools
import json
import random
import signal
import time
import uuid

import msgpack
import pytest

from leadline_testing import campaign, contract, document, eventually, query, source, supplier
from played import ANSWERS, DELIVERIES, LEADS, Neighbours, Stage, frame, uuid7

SUPPLIER, CAMPAIGN = "supplier_xyz789", "campaign_abc123"
NAMES = {1: "id", 2: "supplier_id", 3: "gateway", 4: "left_ms", 5: "request_id", 6: "raw", 7: "fields", 8: "is_resent", 9: "least_version",
         10: "idempotency_key", 11: "body_sha256", 12: "campaign_id", 13: "judged_version", 14: "reason", 15: "errors", 16: "is_test", 17: "message", 18: "mode",
         19: "on_lists", 20: "ping_id", 21: "wanted_buyer_id"}
_people = itertools.count(random.randrange(0, 4_000_000))


def sent_fields(**changes):
    n = next(_people)
    fields = {"flo_campaign_id": CAMPAIGN, "flo_supplier_id": SUPPLIER, "first_name": " John ", "last_name": "Doe",
              "phone": f"(555) {200 + n % 800}-{n % 10000:04d}", "email": f"john.{n}@EXAMPLE.com", **changes}
    return {name: value for name, value in fields.items() if value is not None}


class Rig:
    def __init__(self, database, routers=1):
        self.database = database
        self.neighbours = Neighbours(database)
        self.gateway = self.neighbours.play("gateway")
        self.routers = [self.neighbours.play("router", f"router-{n}") for n in range(1, routers + 1)]
        self.validator = None
        self.version = 0

    def apply(self, **changes):
        self.database.apply(document(**changes))
        self.version = self.database.query_one("SELECT catalog_version FROM installation")

    def start(self, wait=True):
        self.validator = Stage(self.neighbours, "validator")
        self.validator.start(False)
        if wait:
            self.validator.wait_for(connections=1, neighbours=1 + len(self.routers))
        return self.validator

    def item(self, fields=None, left_ms=10000, supplier=SUPPLIER, gateway="gateway-1", **more):
        fields = sent_fields() if fields is None else fields
        kinds = {bool: 2, int: 1, float: 1, str: 0, dict: 3, list: 3}
        listed = [[name, kinds[type(value)], value if isinstance(value, str) else "" if isinstance(value, (dict, list)) else json.dumps(value)]
                  for name, value in fields.items()]
        item = {1: uuid7().bytes, 2: supplier, 3: gateway, 4: left_ms, 5: uuid7().bytes, 6: json.dumps(fields), 7: listed}
        return {**item, **{{name: key for key, name in NAMES.items()}[name]: value for name, value in more.items()}}

    def send(self, items, size=100, **more):
        for at in range(0, len(items), size):
            self.neighbours.push(self.validator, frame(LEADS, items[at:at + size], "gateway-1", **more))
        return [uuid.UUID(bytes=item[1]) for item in items]

    def passed(self, ids, seconds=10, router=None):
        """What a router got of each, by names."""
        found = (router or self.routers[0]).wait_for(ids, seconds)
        return [{NAMES[key]: value for key, value in item.items()} for item in found]

    def judge(self, item):
        return self.passed(self.send([item]))[0]

    def close(self):
        if self.validator is not None and self.validator.process.poll() is None:
            self.validator.signal(signal.SIGCONT)
            self.validator.kill()
        self.neighbours.close()
        if self.validator is not None:
            self.validator.check_log("john.", "(555)", "John", "Doe")


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


# Verdicts ---------------------------------------------------------------------------------------------------------------

def test_a_ping_needs_no_person(rig):
    rig.apply(campaigns=[campaign(fields=[{"name": "age", "type": "number", "required": True}, {"name": "plan", "default": "gold"}])])
    rig.start()
    mine = {"flo_campaign_id": CAMPAIGN, "flo_supplier_id": SUPPLIER}
    good = rig.judge(rig.item({**mine, "state": "texas"}, mode=1))
    assert good["mode"] == 1 and "reason" not in good and good["fields"] == [["state", 0, "TX"]]
    bad = rig.judge(rig.item({**mine, "state": "nowhere", "flo_ping_id": "x"}, mode=1))
    assert bad["reason"] == "validation_failed" and [error[:2] for error in bad["errors"]] == [["state", "invalid_format"], ["flo_ping_id", "not_allowed"]]


def test_what_steers_a_post_goes_on_beside_it(rig):
    rig.apply()
    rig.start()
    got = rig.judge(rig.item(sent_fields(flo_ping_id="the-id", flo_buyer_id="buyer_abc", flo_timeout_ms=800)))
    assert (got["ping_id"], got["wanted_buyer_id"]) == ("the-id", "buyer_abc") and "mode" not in got
    assert not {"flo_ping_id", "flo_buyer_id", "flo_timeout_ms"} & {name for name, *_ in got["fields"]}
    assert rig.judge(rig.item(sent_fields(flo_mode="full")))["mode"] == 2


def test_a_good_lead_goes_on_in_its_normal_forms(rig):
    rig.apply(campaigns=[campaign(fields=[{"name": "age", "type": "number"}, {"name": "roof", "type": "list", "values": ["tile", "metal"]},
                                          {"name": "owner", "type": "boolean"}, {"name": "moved", "type": "date"}])])
    rig.start()
    fields = sent_fields(phone="1 (555) 123-4567", email=" John@EXAMPLE.Com ", state="texas", zip_code="75201-1234", age="042", roof="METAL",
                         owner="yes", moved="03/04/2026", unknown="kept in raw only")
    item = rig.item(fields, idempotency_key=b"k" * 16, body_sha256=b"s" * 32, is_resent=True)
    got = rig.judge(item)
    forms = {name: (kind, text) for name, kind, text in got["fields"]}
    assert forms == {"first_name": (0, "John"), "last_name": (0, "Doe"), "phone": (0, "+15551234567"), "email": (0, "John@example.com"),
                     "state": (0, "TX"), "zip_code": (0, "75201"), "age": (1, "42"), "roof": (0, "metal"), "owner": (2, "true"), "moved": (0, "2026-03-04")}
    assert 9000 < got.pop("left_ms") <= 10000
    got.pop("fields")
    assert got == {"id": item[1], "supplier_id": SUPPLIER, "gateway": "gateway-1", "request_id": item[5], "raw": item[6], "is_resent": True,
                   "idempotency_key": b"k" * 16, "body_sha256": b"s" * 32, "campaign_id": CAMPAIGN, "judged_version": rig.version}
    assert rig.routers[0].frames == [(LEADS, "validator-1", 1)]


def test_options_of_fields(rig):
    """Compiled with each catalog, whatever came before is freed; what an older one asked for no longer holds."""
    fields = [{"name": "age", "type": "number", "min": 18, "max": 120}, {"name": "vin", "pattern": "^[A-Z0-9]{4}$", "transform": ["trim", "upper"]},
              {"name": "plan", "values": ["gold", "iron"], "default": "gold"}, {"name": "first_name", "transform": "title", "max_length": 10},
              {"name": "zip_code", "default": "75201-1234"}]
    rig.apply(campaigns=[campaign(fields=fields)])
    rig.start()
    good = rig.judge(rig.item(sent_fields(first_name="JOHN", age=18, vin=" 1hgb\u00a0", zip_code=None)))
    assert "reason" not in good
    forms = {name: (kind, text) for name, kind, text in good["fields"]}
    assert (forms["first_name"], forms["age"], forms["vin"], forms["plan"], forms["zip_code"]) == (
        (0, "John"), (1, "18"), (0, "1HGB"), (0, "gold"), (0, "75201"))
    bad = rig.judge(rig.item(sent_fields(first_name="Bartholomew", age=121, vin="1hgb!", plan="tin")))
    assert bad["reason"] == "validation_failed"
    assert [error[:2] + error[3:] for error in sorted(bad["errors"])] == [
        ["age", "out_of_range", "must be at most 120"], ["first_name", "too_long", "must have at most 10 characters"],
        ["plan", "not_allowed", "must be one of the values that the campaign lists"], ["vin", "invalid_format", "must match the pattern ^[A-Z0-9]{4}$"]]
    for n in range(3):
        fields[0]["max"] = 121 + n
        rig.apply(campaigns=[campaign(fields=fields)])
        eventually(lambda: rig.judge(rig.item()).get("judged_version") == rig.version, 5)
        assert "reason" not in rig.judge(rig.item(sent_fields(age=121 + n)))
        assert rig.judge(rig.item(sent_fields(age=122 + n)))["reason"] == "validation_failed"


def test_verdicts(rig):
    rig.apply(suppliers=[supplier(), supplier("supplier_test", "key_of_tests", test_mode=True), supplier("supplier_alone", "key_of_alone")],
              campaigns=[campaign(sources=[source(), source("supplier_test")])])
    rig.start()
    cases = [
        (rig.item(), "", CAMPAIGN, {}),
        (rig.item(sent_fields(phone="123", email=None, state={"a": 1})), "validation_failed", CAMPAIGN,
         {("phone", "invalid_format"), ("email", "required"), ("state", "invalid_format")}),
        (rig.item(sent_fields(flo_campaign_id=None)), "validation_failed", None, {("flo_campaign_id", "required")}),
        (rig.item(sent_fields(flo_campaign_id="campaign_none")), "campaign_not_found", None, {}),
        (rig.item(sent_fields(flo_supplier_id="supplier_test")), "forbidden", None, {}),
        (rig.item(sent_fields(flo_supplier_id=None), supplier="supplier_alone"), "forbidden", CAMPAIGN, {}),
        (rig.item(supplier="supplier_that_was_removed"), "forbidden", None, {}),
        (rig.item({}), "validation_failed", None, {(name, "required") for name in
         ("flo_campaign_id", "flo_supplier_id", "first_name", "last_name", "phone", "email")}),
    ]
    for item, reason, campaign_id, errors in cases:
        got = rig.judge(item)
        assert (got.get("reason", ""), got.get("campaign_id")) == (reason, campaign_id), got
        assert {(field, code) for field, code, _, message in got.get("errors", []) if message} == set(errors)
        assert got["judged_version"] == rig.version and "is_test" not in got
    assert rig.judge(rig.item(sent_fields(is_test=True)))["is_test"] is True
    assert rig.judge(rig.item(sent_fields(flo_supplier_id="supplier_test"), supplier="supplier_test"))["is_test"] is True
    assert rig.validator.metric("leadline_judged_total", verdict="good") == 3
    assert rig.validator.metric("leadline_judged_total", verdict="bad") == len(cases) - 1


def test_what_a_frame_says_of_its_time(rig):
    rig.apply()
    rig.start()
    now_ms = int(time.time() * 1000)
    late = rig.send([rig.item(left_ms=0), rig.item(left_ms=-1)]) + rig.send([rig.item(left_ms=3000)], sent_at_ms=now_ms - 4000)
    late += rig.send([rig.item(left_ms=3000)], sent_at_ms=-2 ** 63)
    slower, future = rig.send([rig.item(left_ms=10000)], sent_at_ms=now_ms - 4000)[0], rig.send([rig.item(left_ms=2000)], sent_at_ms=2 ** 63 - 1)[0]
    huge = rig.send([rig.item(left_ms=2 ** 63 - 1)])[0]
    left = [item["left_ms"] for item in rig.passed([slower, future, huge])]
    assert 4000 < left[0] <= 6000 and left[1] == 2000 and left[2] <= 10 * 60 * 1000
    assert all(rig.routers[0].of(id) == [] and rig.gateway.of(id) == [] for id in late)


# Which router -----------------------------------------------------------------------------------------------------------

def test_each_campaign_has_one_router(make_rig):
    rig = make_rig(routers=2)
    names = [f"campaign_{n}" for n in range(20)]
    rig.apply(campaigns=[campaign(name) for name in names])
    rig.start()
    ids = {name: rig.send([rig.item(sent_fields(flo_campaign_id=name)) for _ in range(5)]) for name in names}
    owner = {}
    for name in names:
        eventually(lambda: sum(len(router.of(id)) for router in rig.routers for id in ids[name]) == 5, 5, 0.01)
        holders = [router for router in rig.routers if router.of(ids[name][0])]
        assert len(holders) == 1 and all(holders[0].of(id) for id in ids[name]), name
        owner[name] = holders[0]
    assert len(set(owner.values())) == 2
    # a third takes some; nobody else's move
    third = rig.neighbours.play("router", "router-3")
    eventually(lambda: "neighbour=router-3" in rig.validator.log(), 5, 0.01)
    moved = 0
    for name in names:
        id = rig.send([rig.item(sent_fields(flo_campaign_id=name))])[0]
        eventually(lambda: owner[name].of(id) or third.of(id), 5, 0.01)
        moved += bool(third.of(id))
    assert 0 < moved < 20


def test_a_router_is_gone(make_rig):
    rig = make_rig(routers=2)
    names = [f"campaign_{n}" for n in range(10)]
    rig.apply(campaigns=[campaign(name) for name in names])
    rig.start()
    rig.neighbours.vanish("router-1")
    eventually(lambda: "event=neighbour.gone" in rig.validator.log(), 5, 0.01)
    ids = rig.send([rig.item(sent_fields(flo_campaign_id=name)) for name in names])
    rig.routers[1].wait_for(ids)
    rig.neighbours.vanish("router-2")
    eventually(lambda: rig.validator.log().count("event=neighbour.gone") == 2, 5, 0.01)
    assert rig.validator.get("/readyz")[0] == 503
    begun = time.monotonic()
    ids = rig.send(list(rig.item() for _ in range(50)))
    answers = rig.gateway.wait_for(ids, 3)
    assert time.monotonic() - begun < 1 and {(item[2], item[3]) for item in answers} == {(503, "")}
    assert rig.validator.metric("leadline_unpassed_total") == 50
    assert rig.gateway.frames[-1][0] == ANSWERS
    rig.database.query("DELETE FROM stage_instance WHERE stage = 'router'")
    rig.neighbours.play("router", "router-1")
    rig.validator.wait_ready()
    new = rig.send([rig.item()])
    rig.neighbours.inboxes["router-1"].wait_for(new)


def test_a_router_that_does_not_read_is_full_at_last(rig):
    """Bounded in bytes: what it cannot take is answered at once; when it reads again, nothing is missing."""
    rig.apply()
    rig.start()
    rig.routers[0].is_reading.clear()
    ids, padding = [], "x" * 60000
    for _ in range(100):
        ids += rig.send([rig.item(sent_fields(padding=padding)) for _ in range(10)], size=5)
        if rig.gateway.items:
            break
    eventually(lambda: rig.gateway.items, 20)
    assert {(item[2], item[3]) for item in rig.gateway.items} == {(503, "")}
    rig.routers[0].is_reading.set()
    eventually(lambda: all(rig.gateway.of(id) or rig.routers[0].of(id) for id in ids), 20)
    assert not any(rig.gateway.of(id) and rig.routers[0].of(id) for id in ids)
    assert rig.validator.process.poll() is None


# The catalog ------------------------------------------------------------------------------------------------------------

def test_leads_that_want_a_newer_catalog_wait_for_it(rig):
    rig.apply()
    rig.start()
    blocker = rig.database.connect()
    query(blocker, "BEGIN; LOCK TABLE supplier IN ACCESS EXCLUSIVE MODE")  # the catalog cannot be read meanwhile
    rig.database.query("UPDATE campaign SET doc = jsonb_set(doc, '{fields}', '[{\"name\": \"age\", \"type\": \"number\", \"required\": true}]');"
                       " UPDATE installation SET catalog_version = catalog_version + 1")
    ids = [id for n in range(5) for id in rig.send([rig.item(least_version=rig.version + 1, left_ms=8000), rig.item()])]
    short = rig.send([rig.item(least_version=rig.version + 1, left_ms=50)])[0]
    eventually(lambda: query(blocker, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'validator-1' AND wait_event_type = 'Lock'"), 5)
    assert not any(rig.routers[0].of(id) for id in ids)
    good = rig.send([rig.item()])[0]
    rig.passed([good])  # others do not wait
    time.sleep(0.06)  # the short one's time is up
    query(blocker, "ROLLBACK")
    got = rig.passed(ids)
    assert {item["judged_version"] for item in got} == {rig.version + 1}
    assert {item["errors"][0][0] for item in got} == {"age"}
    assert all(item["left_ms"] < 10000 for item in got)
    assert [uuid.UUID(bytes=item[1]) for item in rig.routers[0].items if uuid.UUID(bytes=item[1]) in ids] == ids  # in order
    assert rig.routers[0].of(short) == []
    blocker.close()


def test_a_version_that_does_not_exist_holds_nobody_up(rig):
    rig.apply()
    rig.start()
    ids = rig.send([rig.item(least_version=999), rig.item()])
    assert [item["judged_version"] for item in rig.passed(ids, 5)] == [rig.version] * 2


def test_apply_is_followed(rig):
    rig.apply()
    rig.start()
    assert "reason" not in rig.judge(rig.item())
    rig.apply(campaigns=[campaign(fields=[{"name": "age", "type": "number", "required": True}])])
    eventually(lambda: rig.judge(rig.item()).get("judged_version") == rig.version, 5)
    assert rig.judge(rig.item())["reason"] == "validation_failed"


def test_the_database_is_not_needed_for_judging(rig, postgres):
    rig.apply()
    rig.start()
    postgres.stop(signal.SIGQUIT)
    try:
        assert "reason" not in rig.judge(rig.item())
        eventually(lambda: "event=database.away" in rig.validator.log(), 5)
        assert "reason" not in rig.judge(rig.item())
    finally:
        postgres.start()
    rig.apply(campaigns=[campaign(fields=[{"name": "age", "type": "number", "required": True}])])
    eventually(lambda: rig.judge(rig.item()).get("judged_version") == rig.version, 10)


# The end, and rubbish -----------------------------------------------------------------------------------------------------

def test_term_loses_nothing(rig):
    rig.apply()
    validator = rig.start()
    blocker = rig.database.connect()
    query(blocker, "BEGIN; LOCK TABLE campaign IN ACCESS EXCLUSIVE MODE")
    ids = rig.send([rig.item(least_version=rig.version + 1) for _ in range(50)], size=5)
    eventually(lambda: query(blocker, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'validator-1' AND wait_event_type = 'Lock'"), 5)
    validator.signal(signal.SIGTERM)
    eventually(lambda: "event=stage.stopping" in validator.log(), 5)
    ids += rig.send([rig.item() for _ in range(500)], size=5)
    query(blocker, "ROLLBACK")
    blocker.close()
    rig.passed(ids)
    assert validator.process.wait(10) == 0
    assert len(rig.routers[0].items) == 550
    assert rig.database.query("SELECT 1 FROM stage_instance WHERE stage = 'validator'") == []


def test_a_second_term_leaves_at_once(rig):
    rig.apply()
    validator = rig.start()
    for _ in range(2):
        seen = validator.log().count("event=stage.stopping")
        validator.signal(signal.SIGTERM)
        eventually(lambda: validator.process.poll() is not None or validator.log().count("event=stage.stopping") > seen, 5, 0.01)
    assert validator.process.wait(5) == 0


def test_rubbish_is_counted_logged_and_dropped(rig):
    rig.apply()
    validator = rig.start()
    good = rig.item()
    packed = frame(LEADS, [good])
    messages = [
        b"", b"\xc1" * 50, b"GET / HTTP/1.1\r\n\r\n", packed[:-1], packed + b"\x00", msgpack.packb(7), msgpack.packb([2, 1, "x"]),
        frame(LEADS, [good], major=0), frame(LEADS, [good], major=4), frame(0, [good]), frame(9, [good]), frame(ANSWERS, [{1: uuid7().bytes, 2: 200, 3: ""}]),
        frame(DELIVERIES, []), frame(LEADS, [[1] * 30]), frame(LEADS, [None] * 100000), frame(LEADS, [good, {1: b""}]), frame(LEADS, [{**good, 7: "x"}]),
        frame(LEADS, [{**good, 6: "x" * (1 << 20)}]), b"\x91" * 100000, b"\xdf\xff\xff\xff\xff" + packed,
    ]
    for count, message in enumerate(messages, 1):
        rig.neighbours.push(validator, message)
        eventually(lambda: validator.metric("leadline_frames_refused_total") == count, 5, 0.005, message=message[:40])
    rig.neighbours.push(validator, None, parts=[packed, b"more"])
    eventually(lambda: validator.metric("leadline_frames_refused_total") == count + 1, 5, 0.005)
    assert "event=frame.refused" in validator.log() and rig.routers[0].items == []
    for major in (1, 2, 3):
        item = {**rig.item(), 90: "of a newer version"}
        rig.neighbours.push(validator, frame(LEADS, [item], major=major))
        rig.passed([uuid.UUID(bytes=item[1])])
    many = rig.send([rig.item() for _ in range(1000)], size=250)
    rig.passed(many)
