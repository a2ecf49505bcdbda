"""leadctl explain: says what ingest then really does, for every reason there is, and leaves no trace."""
import contextlib
import datetime
import hashlib
import json
import os
import random
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import leadline_testing as lt  # noqa: E402

READ_ONLY = {**os.environ, "PGOPTIONS": "-c default_transaction_read_only=on"}


def closed_schedule():
    """Three days from now, by any clock."""
    day = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=3)).strftime("%a").upper()
    return {"days": [day], "hours": [["00:00", "24:00"]]}


def cap(**limits):
    return [{"window": "total", **limits}]


def buyer(id, **more):
    return {"id": id, "name": id, **more}  # without an endpoint: deliveries wait, and nothing changes by itself


def contract(id, buyer_id="b1", price="20.00", **more):
    return lt.contract(buyer_id, price, id=id, **more)


def by(*ids, **more):
    return [lt.source(id, **more) for id in ids]


def campaigns():
    states = {"field": "state", "op": "IN", "value": ["TX", "CA"]}
    return [
        lt.campaign("plain", by("one"), [contract("k")], duplicates=[{"fields": ["phone"], "window_days": 30}]),
        lt.campaign("passes", by("one"), [
            contract("closed", schedule=closed_schedule()), contract("contract-off", status="PAUSED"), contract("buyer-off", "off"),
            contract("no-state", states=["NY"]), contract("no-zip", zips=["100"]), contract("full", price="15.00", caps=cap(leads=2)),
            contract("poor", "poor", price="25.00"), contract("first", "b2", price="30.00"), contract("same", "b2", price="29.00"),
            contract("other", "b3", price="5.00"), contract("last", "b4", price="1.00"),
            contract("rules", filters={"all": [{"field": "zip_code", "op": "IS EMPTY"}, {"field": "age", "op": ">=", "value": 90}]})],
            max_sells=2, distribution="HIGHEST_BID", fields=[{"name": "age", "type": "number"}]),
        lt.campaign("prices", by("one", cost={"mode": "REVENUE_SHARE", "percent": "33.3"}, answer="full"), [
            contract("up", price_rules=[{"filter": {"field": "age", "op": ">=", "value": 50}, "price": "30.01"}]), contract("flat", "b2", price="25.00")],
            fields=[{"name": "age", "type": "number", "min": 18, "default": 20}], distribution="HIGHEST_BID"),
        lt.campaign("inbound", by("one"), [contract("k")], inbound_filters={"all": [states, {"field": "email", "op": "!=", "value": "no@example.com"}]}),
        lt.campaign("turns", by("one"), [contract("a", "b1"), contract("b", "b2"), contract("c", "b3", states=["CA"])], distribution="ROUND_ROBIN"),
        lt.campaign("weights", by("one"), [contract("a", "b1", weight=50), contract("b", "b2", weight=30, caps=cap(leads=2)), contract("c", "b3", weight=20)],
                    distribution="WEIGHTED"),
        lt.campaign("capped_source", by("one", caps=cap(leads=1)), [contract("k")]),
        lt.campaign("dear_source", by("one", cost={"mode": "REVENUE_SHARE", "percent": "50"}, caps=cap(budget="15.00")), [contract("k"), contract("cheap", "b2", price="5.00", priority=2)]),
        lt.campaign("capped", by("one"), [contract("k")], caps=cap(leads=1)),
        lt.campaign("supplier_capped", by("little"), [contract("k")]),
        lt.campaign("off", by("one"), [contract("k")], status="PAUSED"),
        lt.campaign("source_off", by("one", status="PAUSED"), [contract("k")]),
        lt.campaign("supplier_off", by("silent"), [contract("k")]),
        lt.campaign("received", by("one", answer="received"), [contract("k", states=["TX"])]),
        lt.campaign("shared", by("one", "two", "tester"), [contract("k", "b1", caps=cap(leads=2))], duplicates=[{"fields": ["email"], "window_days": 1}]),
        lt.campaign("listed", by("one"), [contract("their-list", suppression_lists=["theirs"]), contract("no-list", "b2")], suppression_lists=["dnc"]),
        lt.campaign("again", by("one"), [contract("once", duplicates=[{"fields": ["phone"], "window_days": 5}]), contract("twice", "b4", price="4.00")]),
        lt.campaign("all", by("one"), [contract("k", states=["TX"])], duplicates=[{"fields": ["email"], "window_days": 1}], duplicates_against="all"),
        lt.campaign("nobody", [], []),
    ]


SUPPLIERS = {"one": {}, "two": {}, "tester": {"test_mode": True}, "silent": {"status": "PAUSED"}, "little": {"caps": cap(leads=1)}}


@pytest.fixture(scope="module")
def dev():
    document = lt.document(
        suppliers=[lt.supplier(id, f"key-{id}", **more) for id, more in SUPPLIERS.items()],
        buyers=[*map(buyer, ("b1", "b2", "b3", "b4")), buyer("off", status="PAUSED"), buyer("poor", caps=cap(budget="24.99"))], campaigns=campaigns(),
        suppression_lists=[{"id": id, "name": id} for id in ("dnc", "theirs")])
    with lt.Dev(document) as dev:
        dev.leadctl("suppress", "add", "dnc", "5559990001", "no@example.com")
        dev.leadctl("suppress", "add", "theirs", hashlib.md5(b"5559990002").hexdigest())
        yield dev


def of(campaign, supplier="one", **fields):
    return lt.lead(flo_campaign_id=campaign, flo_supplier_id=supplier, **fields)


def run(dev, *args, check=True, **options):
    return lt.leadctl("explain", *args, "--dsn", dev.dsn, check=check, env=READ_ONLY, **options)


def explain(dev, body, *args):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(body if isinstance(body, str) else json.dumps(body))
        file.flush()
        return json.loads(run(dev, file.name, "--json", *args).stdout)


TABLES = ("installation supplier buyer campaign campaign_supplier contract counter lead sale delivery attempt trail duplicate_key"
          " duplicate_rule_todo idempotency_key suppression_list suppression_entry").split()


def dump(dev):
    """Every row of every table that a lead could touch."""
    with contextlib.closing(dev.connect()) as connection:
        return {table: lt.query(connection, f"SELECT t::text FROM {table} t ORDER BY 1") for table in TABLES}


def test_the_dump_has_all_tables(dev):
    theirs = {name for name, in dev.query("SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                                          " WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname = 'public'")}
    assert set(TABLES) <= theirs


# The same as ingest -----------------------------------------------------------------------------------------------------

def without_ids(body):
    body = {name: value for name, value in body.items() if name != "request_id"}
    if "data" in body:
        body["data"] = {name: value for name, value in body["data"].items() if name != "id"}
    return body


def comparable(shown):
    """What must be the same of an explained and of a sold lead: no ids, no times, a schedule's detail without its minute."""
    lead = {name: shown[name] for name in ("campaign_id", "supplier_id", "status", "is_test", "fields", "raw", "reasons", "price", "cost", "margin")}
    lead["sales"] = [(sale["buyer_id"], sale["contract_id"], sale["price"]) for sale in shown["sales"]]
    lead["trail"] = [{name: value for name, value in entry.items() if name != "at" and (entry["reason"] != "schedule" or name != "detail")}
                     for entry in shown["trail"] if entry["step"] != "attempt"]
    return lead


def check(dev, body, supplier="one"):
    """Explains, then sends. Returns what was explained."""
    before = dump(dev)
    explained = explain(dev, body, "--supplier", supplier)
    assert dump(dev) == before
    client = dev.client(key=f"key-{supplier}")
    answer = client.ingest(body)
    client.close()
    assert (explained["answer"]["status"], explained["answer"]["body"]) == (answer.status, without_ids(answer.json()))
    assert list(explained["answer"]["body"]) == [name for name in answer.json() if name != "request_id"]
    if answer.data is not None:
        assert comparable(explained) == comparable(dev.show(answer.data["id"]))
    else:
        assert explained["status"] is None and [reason["code"] for reason in explained["reasons"]] == [answer.error] and explained["trail"] == []
        assert dump(dev) == before
    assert (explained["id"], explained["received_at"], explained["deliveries"]) == (None, None, [])
    return explained


def reasons(explained):
    """Of all contracts, by contract; None when it buys."""
    return {entry["contract_id"]: entry["reason"] for entry in explained["trail"] if entry["contract_id"]}


def test_every_reason_to_pass_a_contract_over(dev):
    explained = check(dev, of("passes", zip_code="75201"))
    assert [(entry["contract_id"], entry["buyer_id"], entry["decision"], entry["reason"], entry["detail"]) for entry in explained["trail"] if entry["contract_id"] != "closed"] == [
        ("first", "b2", "sold", None, "30.00"), ("same", "b2", "passed_over", "same_buyer", None), ("poor", "poor", "passed_over", "buyer_cap", "total: 24.99"),
        ("full", "b1", "sold", None, "15.00"), ("other", "b3", "not_needed", "sold_out", None), ("last", "b4", "not_needed", "sold_out", None),
        ("buyer-off", "off", "passed_over", "buyer_paused", None), ("contract-off", "b1", "passed_over", "contract_paused", None),
        ("no-state", "b1", "passed_over", "state", None), ("no-zip", "b1", "passed_over", "zip", None),
        ("rules", "b1", "passed_over", "filter", "zip_code IS EMPTY, age >=")]
    assert reasons(explained)["closed"] == "schedule"
    assert [explained["price"], explained["cost"], explained["margin"]] == ["45.00", "10.00", "35.00"]
    check(dev, of("passes"))
    third = check(dev, of("passes"))
    assert reasons(third)["full"] == "contract_cap" and third["price"] == "35.00"
    assert next(entry["detail"] for entry in third["trail"] if entry["contract_id"] == "full") == "total: 2 leads"


ROWS = [
    # claim, body, supplier, status, error or status word
    ("sold", of("plain", phone="5552223333"), "one", 201, "ACCEPTED"),
    ("a duplicate of one's own", of("plain", phone="(555) 222-3333"), "one", 409, "duplicate"),
    ("another's, the first", of("shared", email="same@example.com"), "one", 201, "ACCEPTED"),
    ("another's, the second", of("shared", "two", email="SAME@example.com"), "two", 409, "duplicate"),
    ("a test mode", of("shared", "tester"), "tester", 201, "ACCEPTED"),
    ("a test lead", of("shared", is_test=True), "one", 201, "ACCEPTED"),
    ("the last place", of("shared", "two"), "two", 201, "ACCEPTED"),
    ("no place any more", of("shared", "two"), "two", 200, "UNMATCHED"),
    ("and none for a test", of("shared", "tester"), "tester", 200, "UNMATCHED"),
    ("a dearer price, a share", of("prices", age=55), "one", 201, "ACCEPTED"),
    ("a default", of("prices"), "one", 201, "ACCEPTED"),
    ("out of range", of("prices", age=17), "one", 400, "validation_failed"),
    ("filtered", of("inbound", state="NY"), "one", 422, "filtered"),
    ("filtered twice", of("inbound", state="NY", email="no@example.com"), "one", 422, "filtered"),
    ("not filtered", of("inbound", state="california"), "one", 201, "ACCEPTED"),
    ("fields missing and malformed", {"flo_campaign_id": "plain", "phone": "1", "email": "x", "state": ["TX"], "zip_code": "7520", "extra": {"a": 1}}, "one", 400,
     "validation_failed"),
    ("no campaign", of(None), "one", 400, "validation_failed"),
    ("an empty lead", {}, "one", 400, "validation_failed"),
    ("an unknown campaign", of("elsewhere"), "one", 404, "campaign_not_found"),
    ("a supplier that is not on it", of("plain", "two"), "two", 403, "forbidden"),
    ("another's name", of("plain", "two"), "one", 403, "forbidden"),
    ("a paused campaign", of("off"), "one", 403, "source_paused"),
    ("a paused source", of("source_off"), "one", 403, "source_paused"),
    ("a paused supplier", of("supplier_off", "silent"), "silent", 403, "source_paused"),
    ("a source with room", of("capped_source"), "one", 201, "ACCEPTED"),
    ("a source that is capped", of("capped_source"), "one", 403, "source_capped"),
    ("a source with money", of("dear_source"), "one", 201, "ACCEPTED"),
    ("a source with money for the cheaper", of("dear_source"), "one", 201, "ACCEPTED"),
    ("the cheaper again", of("dear_source"), "one", 201, "ACCEPTED"),
    ("a supplier with room", of("supplier_capped", "little"), "little", 201, "ACCEPTED"),
    ("a supplier that is capped", of("supplier_capped", "little"), "little", 403, "source_capped"),
    ("a campaign with room", of("capped"), "one", 201, "ACCEPTED"),
    ("a campaign that is capped", of("capped"), "one", 200, "UNMATCHED"),
    ("who learns nothing", of("received"), "one", 200, "RECEIVED"),
    ("nor when nobody buys", of("received", state="NY"), "one", 200, "RECEIVED"),
    ("suppressed", of("listed", phone="+1 555 999 0001"), "one", 422, "suppressed"),
    ("suppressed twice", of("listed", phone="5559990001", email="NO@example.com"), "one", 422, "suppressed"),
    ("on a contract's list", of("listed", phone="5559990002"), "one", 201, "ACCEPTED"),
    ("on no list", of("listed", phone="5559990003"), "one", 201, "ACCEPTED"),
    ("sold to a buyer", of("again", phone="5557770001"), "one", 201, "ACCEPTED"),
    ("sold to that buyer before", of("again", phone="5557770001"), "one", 201, "ACCEPTED"),
    ("nobody takes it", of("all", state="NY", email="all@example.com"), "one", 200, "UNMATCHED"),
    ("and it counts", of("all", email="all@example.com"), "one", 409, "duplicate"),
    ("numbers and what is not defined", of("prices", age=50.0, big=1e22, roof="x\u00e4\u2713", on=True), "one", 201, "ACCEPTED"),
]


@pytest.mark.parametrize("body, supplier, status, word", [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_it_says_what_ingest_then_does(dev, body, supplier, status, word):
    """In this order: each row finds what the ones before it left."""
    explained = check(dev, body, supplier)
    answer = explained["answer"]["body"]
    assert (explained["answer"]["status"], answer.get("error") or answer["data"]["status"]) == (status, word)


@pytest.mark.parametrize("campaign, count", [("turns", 7), ("weights", 12)])
def test_turns(dev, campaign, count):
    """Explaining moves nobody's turn, selling does."""
    buyers = []
    for n in range(count):
        body = of(campaign, state=("TX", "CA")[n % 2], is_test=True if n % 5 == 4 else None)
        assert explain(dev, body)["sales"] == explain(dev, body)["sales"]
        buyers.append(check(dev, body)["sales"][0]["buyer_id"])
    assert len(set(buyers)) > 1


def test_many_leads_of_all_kinds(dev):
    """Whatever comes: some good, some not, many of the same people."""
    dice = random.Random(7)
    names = [campaign["id"] for campaign in campaigns()] + ["elsewhere"]
    for n in range(120):
        supplier = dice.choice(("one", "one", "one", "two", "tester", "little"))
        body = of(dice.choice(names), supplier, state=dice.choice(("TX", "ca", "New York", None, "ZZ")), zip_code=dice.choice((None, "75201", "10001-1234", "x")),
                  age=dice.choice((None, 17, 49, "50", 99, "old")), phone=f"55542000{dice.randrange(30):02}", email=dice.choice((f"p{n % 25}@Example.com", "no", None)),
                  first_name=dice.choice(("J", "J", "J", "", None)))
        body["flo_supplier_id"] = dice.choice((supplier,) * 8 + ("", "two"))
        check(dev, body, supplier)


# What it takes ----------------------------------------------------------------------------------------------------------

def test_a_lead_that_is_spelled_out(dev):
    body = of("inbound", zip_code="75201")
    pairs = [f"{name}={value}" for name, value in body.items() if not name.startswith("flo_")]
    spelled = json.loads(run(dev, "--campaign", "inbound", *pairs, "--json").stdout)
    assert comparable(spelled) == {**comparable(explain(dev, body)), "raw": {**body, "flo_supplier_id": "one"}}
    assert spelled["status"] == "ACCEPTED" and spelled["supplier_id"] == "one"
    told = json.loads(run(dev, "--campaign", "shared", "--supplier", "two", "--json", *pairs).stdout)
    assert (told["supplier_id"], told["raw"]["flo_supplier_id"]) == ("two", "two")
    wrong = json.loads(run(dev, "--campaign", "inbound", "--json", "phone=1=2", "last_name=").stdout)
    assert {(reason["field"], reason["code"]) for reason in wrong["reasons"]} == {
        ("phone", "invalid_format"), ("first_name", "required"), ("last_name", "required"), ("email", "required")}


def test_who_sends_it(dev):
    body = of("inbound")
    del body["flo_supplier_id"]
    only = explain(dev, body)
    assert (only["supplier_id"], only["answer"]["status"], [reason["field"] for reason in only["reasons"]]) == ("one", 400, ["flo_supplier_id"])
    body["flo_campaign_id"] = "shared"
    done = run(dev, "-", check=False, input=json.dumps(body), stdin=None)
    assert done.returncode == 1 and done.stdout == "" and "--supplier" in done.stderr and "one, tester, two" in done.stderr
    body["flo_campaign_id"] = "elsewhere"
    assert (explain(dev, body)["supplier_id"], explain(dev, body)["answer"]["status"]) == (None, 404)
    assert explain(dev, {"phone": "1"})["answer"]["body"]["error"] == "validation_failed"


def test_what_depends_on_the_buyers_answers():
    with lt.Dev(lt.document(campaigns=[lt.campaign(confirm=True)])) as confirming:
        explained = json.loads(run(confirming, "--json", "--campaign", "campaign_abc123", "first_name=A", "last_name=B", "phone=5552223333", "email=a@b.co").stdout)
        assert explained["status"] == "DISTRIBUTING" and explained["answer"] == {"status": None, "body": None}
        assert [(step["contract_id"], step["decision"], step["reason"]) for step in explained["trail"]] == [("buyer_abc", "asked", None)]
        assert "waits for the buyers asked" in run(confirming, "--campaign", "campaign_abc123", "first_name=A", "last_name=B", "phone=5552223333", "email=a@b.co").stdout


@pytest.mark.parametrize("args, text, code, phrase", [
    (("-", "--supplier", "whom"), json.dumps(of("plain")), 1, "there is no supplier whom"),
    (("-",), json.dumps(of("plain", "whom")), 1, "there is no supplier whom"),
    (("-",), json.dumps(of("nobody", None)), 1, "campaign nobody has no sources"),
    (("-",), '{"a":1,"a":2}', 1, "400 invalid_json"),
    (("-",), "[1]", 1, "the body is not a JSON object"),
    (("-",), json.dumps({"a": "x" * 65536}), 1, "413 payload_too_large"),
    (("/nowhere/lead.json",), "", 1, "cannot open /nowhere/lead.json"),
    (("--campaign", "plain", "phone"), "", 1, "field 1 is not NAME=VALUE"),
    (("--campaign", "plain", "--at", "soon"), "", 1, "soon"),
    (("--campaign", "plain", "--at", "2020-01-01"), "", 1, "--at must be between"),
    (("--campaign", "plain", "--at", "infinity"), "", 1, "infinit"),
    ((), "", 2, "say which lead"),
    (("phone=1", "email=2"), "", 2, "fields need --campaign"),
    (("a", "b"), "", 2, "too many arguments"),
    (("--nonsense",), "", 2, "nonsense"),
], ids=lambda value: "a lead" if str(value).startswith('{"flo') else None)  # its person is a new one each time
def test_what_it_refuses(dev, args, text, code, phrase):
    done = run(dev, *args, check=False, input=text, stdin=None)
    assert done.returncode == code and done.stdout == "" and phrase in done.stderr, (done.stdout, done.stderr)


def test_another_moment(dev):
    """The contract whose day is in three days: its state decides then, its schedule no more."""
    body = of("passes", zip_code="75201")
    assert reasons(explain(dev, body))["closed"] == "schedule"
    then = dev.query_one("SELECT to_char(date_trunc('day', now() AT TIME ZONE 'UTC') + interval '3 days 12 hours', 'YYYY-MM-DD HH24:MI')")
    explained = explain(dev, body, "--at", then + "+00")
    assert reasons(explained)["closed"] != "schedule" and explained["decided_at"] == then.replace(" ", "T") + ":00.000Z"
    local = explain(dev, body, "--at", then)  # New York's clocks
    assert local["decided_at"] == dev.query_one(f"SELECT to_char((timestamp '{then}' AT TIME ZONE 'America/New_York') AT TIME ZONE 'UTC',"
                                                " 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")


# What it prints, and whom it disturbs -----------------------------------------------------------------------------------

def test_people_read_the_same_of_both(dev):
    """lead show and explain print one line a contract, in one order."""
    body = of("passes", zip_code="75201", age=1)
    file = os.path.join(lt.temp_folder(), "lead.json")
    with open(file, "w") as out:
        json.dump(body, out)
    explained = run(dev, file).stdout
    answer = dev.client(key="key-one").ingest(body)
    shown = dev.leadctl("lead", "show", answer.data["id"]).stdout

    def trail(text):
        lines = text.split("\ntrail:\n")[1].splitlines()
        start = lines[0].index("step")
        return [" ".join(line[start:].split()) for line in lines if " closed " not in line]

    assert trail(explained) == trail(shown)
    assert trail(explained)[:2] == ["step contract_id buyer_id decision reason detail", "sale first b2 sold - 30.00"]
    assert len(trail(explained)) == 12
    lines = [" ".join(line.split()) for line in explained.splitlines()]
    assert {"status ACCEPTED", "answer 201", "age 1 1", "zip_code 75201 75201", "b2 first 30.00"} <= set(lines), explained


def test_numbers_that_are_too_long_are_shown(dev):
    answer = dev.client(key="key-one").ingest(of("inbound", big=1e300))
    assert "1000000000000000000" in dev.leadctl("lead", "show", answer.data["id"]).stdout


def test_odd_texts_are_readable(dev):
    """A long value moves its own row only, and nothing that a supplier sends steers the terminal."""
    long = "x" * 4000
    answer = dev.client(key="key-one").ingest(of("passes", note="\x1b[31m\u009b31m é\x7f", last_name=long))
    shown = dev.leadctl("lead", "show", answer.data["id"]).stdout
    assert "?[31m?31m é?" in shown and not {"\x1b", "\x7f", "\u009b"} & set(shown)
    assert long in shown and all(len(line) < 300 for line in shown.splitlines() if long not in line)
    explained = run(dev, "--campaign", "passes", "zip_code=75201", "last_name=" + long).stdout
    assert long in explained and all(len(line) < 300 for line in explained.splitlines() if long not in line)


def test_it_waits_for_nobody(dev):
    """Routers hold counters and the fence; explain reads past them."""
    with contextlib.closing(lt.connect(dev.dsn)) as holder:
        holder.autocommit = False
        lt.query(holder, "SELECT pg_advisory_xact_lock(4701, 1)")
        lt.query(holder, "SELECT 1 FROM counter FOR UPDATE")
        lt.query(holder, "LOCK TABLE lead, counter, duplicate_key IN SHARE ROW EXCLUSIVE MODE")
        assert explain(dev, of("weights"))["status"] == "ACCEPTED"


def test_without_a_schema(postgres):
    lt.query(postgres.dsn("postgres"), "CREATE DATABASE no_schema")
    done = lt.leadctl("explain", "--campaign", "c", "--dsn", postgres.dsn("no_schema"), check=False)
    assert done.returncode == 1 and "leadctl migrate" in done.stderr
