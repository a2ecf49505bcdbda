"""leadctl on a real PostgreSQL: migrate, apply, export, key, status, lead show."""
import copy
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import uuid

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from leadline_testing import ROOT, SECRET, Postgres, buyer, campaign, contract, document, end, eventually, leadctl, program, query, source, spawn, supplier, temp_folder  # noqa: E402

UTC = datetime.timezone.utc


@pytest.fixture(scope="module")
def server():
    server = Postgres({"fsync": "off"}).start()
    yield server
    server.close()


@pytest.fixture
def database(server):
    database = server.fresh_database()
    yield database
    database.drop()


def run(database, *args, **options):
    return leadctl(*args, "--dsn", database.dsn(), **options)


def write(configuration):
    """The path of a file that holds it."""
    path = os.path.join(temp_folder(), "document.json")
    with open(path, "w") as file:
        file.write(configuration if isinstance(configuration, str) else json.dumps(configuration))
    return path


def apply(database, configuration, **options):
    return run(database, "apply", write(configuration), **options)


def export(database):
    return json.loads(run(database, "export").stdout)


def version(database):
    return database.query_one("SELECT catalog_version FROM installation")


def complaints(done):
    """What was refused, as {pointer: sentence}; each place is told once."""
    assert done.returncode == 1 and done.stdout == ""
    found = [line.split(": ", 1) for line in done.stderr.splitlines()]
    assert len(dict(found)) == len(found), done.stderr
    return dict(found)


def spec_example():
    """The whole example of the contract, with real hashes and secrets in the places of its dots."""
    with open(os.path.join(os.path.dirname(__file__), "spec_example.json")) as file:
        return json.load(file)


def supported_example():
    """The example without what later work brings."""
    example = spec_example()
    buyer, campaign_ = example["buyers"][0], example["campaigns"][0]
    for key in ("credit", "returns"):
        del buyer[key]
    example["suppression_lists"].sort(key=lambda entry: entry["id"])
    return example


def uuid7(at, number=0):
    """A lead's id of that moment."""
    value = int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | number
    return str(uuid.UUID(int=value))


def insert_lead(database, at, number=0, campaign_id="campaign_abc123", status="ACCEPTED", is_test=False, fields=None, price=2500, cost=1000,
                supplier_id="supplier_xyz789"):
    lead_id = uuid7(at, number)
    database.query("INSERT INTO lead (id, campaign_id, supplier_id, status, is_test, received_at, decided_at, reasons, price_cents, cost_cents,"
                   " answer_status, answer_body, raw, fields) VALUES (%s, %s, %s, %s, %s, %s, %s, '[]', %s, %s, 201, '{}', %s, %s)",
                   lead_id, campaign_id, supplier_id, status, is_test, at, at, price, cost, json.dumps(fields or {}), json.dumps(fields or {}))
    return lead_id


def insert_sale(database, lead_id, at, n=1, buyer_id="buyer_abc", contract_id="buyer_abc", price=2500, cost=1000, state="SOLD", is_test=False,
                campaign_id="campaign_abc123", supplier_id="supplier_xyz789"):
    database.query("INSERT INTO sale VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)", lead_id, n, campaign_id, supplier_id, buyer_id,
                   contract_id, price, cost, state, is_test, at)


# migrate ------------------------------------------------------------------------------------------------------------

@pytest.fixture
def empty(server):
    query(server.dsn("postgres"), "CREATE DATABASE empty")
    yield server.dsn("empty")
    query(server.dsn("postgres"), "DROP DATABASE empty WITH (FORCE)")


def test_migrate_applies_once_and_says_what(empty):
    first = leadctl("migrate", "--dsn", empty)
    assert "applied 001_base.sql" in first.stdout
    files = sorted(os.listdir(os.path.join(ROOT, "proto", "sql")))
    rows = query(empty, "SELECT number, name, sha256 FROM schema_migration ORDER BY number")
    assert [row[1] for row in rows] == files
    with open(os.path.join(ROOT, "proto", "sql", files[0]), "rb") as file:
        assert rows[0][2] == hashlib.sha256(file.read()).hexdigest()
    again = leadctl("migrate", "--dsn", empty)
    assert again.stdout == "the schema is up to date\n"
    assert query(empty, "SELECT number, name, sha256 FROM schema_migration ORDER BY number") == rows


def test_migrations_at_once_apply_once(empty):
    programs = [spawn([os.path.join(os.environ.get("LEADLINE_TEST_BIN", os.path.join(ROOT, "build", "bin")), "leadctl"), "migrate", "--dsn", empty],
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(4)]
    outputs = [program.communicate(timeout=60)[0] for program in programs]
    assert [program.returncode for program in programs] == [0] * 4, outputs
    assert sum("applied 001_base.sql" in output for output in outputs) == 1


def test_migrate_refuses_a_changed_file_and_a_newer_database(empty):
    leadctl("migrate", "--dsn", empty)
    query(empty, "UPDATE schema_migration SET sha256 = repeat('0', 64) WHERE number = 1")
    done = leadctl("migrate", "--dsn", empty, check=False)
    assert done.returncode == 1 and "checksum" in done.stderr
    query(empty, "INSERT INTO schema_migration (number, name, sha256) VALUES (999, '999_later.sql', '')")
    done = leadctl("migrate", "--dsn", empty, check=False)
    assert done.returncode == 1 and "newer" in done.stderr and "999_later.sql" in done.stderr


def test_a_failed_migration_leaves_nothing(empty):
    query(empty, "CREATE TABLE trail (x integer)")
    done = leadctl("migrate", "--dsn", empty, check=False)
    assert done.returncode == 1 and "001_base.sql" in done.stderr
    assert query(empty, "SELECT to_regclass('lead'), (SELECT count(*) FROM schema_migration)") == [(None, 0)]


def test_partitions_are_months_in_utc_without_gaps(database):
    for parent in ("lead", "sale", "delivery", "attempt", "trail"):
        bounds = database.query("SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid"
                                " WHERE i.inhparent = %s::regclass ORDER BY 1", parent)
        assert len(bounds) == 5
        ends = None
        for name, text in bounds:
            begin, end_ = (uuid.UUID(part).int >> 80 for part in re.findall(r"'([0-9a-f-]{36})'", text))
            first, last = (datetime.datetime.fromtimestamp(ms / 1000, UTC) for ms in (begin, end_))
            assert name == f"{parent}_{first:%Y_%m}"
            assert (first.day, first.hour, first.minute, first.second, first.microsecond) == (1, 0, 0, 0, 0)
            assert last == (first + datetime.timedelta(days=32)).replace(day=1)
            assert ends in (None, first)
            ends = last


def test_partitions_do_not_depend_on_the_session(database):
    for child in [row[0] for row in database.query("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'sale'::regclass")]:
        database.query(f"DROP TABLE {child}")
    connection = database.connect()
    query(connection, "SET TIME ZONE 'Pacific/Kiritimati'")
    assert query(connection, "SELECT make_partitions()") == [(5,)]
    assert query(connection, "SELECT make_partitions()") == [(0,)]
    connection.close()
    test_partitions_are_months_in_utc_without_gaps(database)


@pytest.mark.parametrize("zone, at, want", [
    ("America/New_York", "2026-11-01 05:30Z", {"hour": "2026-11-01 05:00Z", "day": "2026-11-01 04:00Z", "week": "2026-10-26 04:00Z", "month": "2026-11-01 04:00Z"}),
    ("America/New_York", "2026-11-01 06:30Z", {"hour": "2026-11-01 06:00Z", "day": "2026-11-01 04:00Z"}),
    ("America/New_York", "2026-11-02 04:59:59.999Z", {"hour": "2026-11-02 04:00Z", "day": "2026-11-01 04:00Z"}),
    ("America/New_York", "2026-03-08 07:30Z", {"hour": "2026-03-08 07:00Z", "day": "2026-03-08 05:00Z"}),
    ("America/Havana", "2026-11-01 04:30Z", {"hour": "2026-11-01 04:00Z", "day": "2026-11-01 04:00Z", "month": "2026-11-01 04:00Z"}),
    ("America/Havana", "2026-11-01 05:30Z", {"hour": "2026-11-01 05:00Z", "day": "2026-11-01 04:00Z"}),
    ("America/Havana", "2026-03-08 05:30Z", {"day": "2026-03-08 05:00Z"}),
    ("Asia/Kolkata", "2026-11-01 05:31Z", {"hour": "2026-11-01 05:30Z", "day": "2026-10-31 18:30Z"}),
    ("UTC", "2026-11-23 00:00Z", {"hour": "2026-11-23 00:00Z", "day": "2026-11-23 00:00Z", "week": "2026-11-23 00:00Z", "month": "2026-11-01 00:00Z"}),
])
def test_windows_begin_by_local_clocks(database, zone, at, want):
    for size, start in want.items():
        assert database.query_one("SELECT window_start(%s, %s, %s) = %s::timestamptz", size, at, zone, start), size


@pytest.mark.parametrize("zone, day, hours", [
    ("America/New_York", "2026-03-08", 23), ("America/New_York", "2026-11-01", 25), ("America/Chicago", "2026-11-01", 25),
    ("America/Havana", "2026-03-08", 23), ("America/Havana", "2026-11-01", 25), ("Europe/Berlin", "2026-03-29", 23),
    ("Europe/Berlin", "2026-10-25", 25), ("Asia/Kolkata", "2026-11-01", 24), ("UTC", "2026-11-01", 24)])
def test_a_day_of_23_or_25_hours_has_as_many_windows(database, zone, day, hours):
    """Walks through the day before, the day and the day after: every window is one piece, and each hour is one window."""
    rows = database.query(
        "SELECT window_start('day', at, %s), window_start('hour', at, %s), at, (at AT TIME ZONE %s)::date::text FROM generate_series("
        " (%s::date - 1)::timestamp AT TIME ZONE 'UTC', (%s::date + 2)::timestamp AT TIME ZONE 'UTC', interval '10 minutes') at ORDER BY at",
        zone, zone, zone, day, day)
    assert all(start <= at and hour <= at for start, hour, at, _ in rows)
    assert all(before[0] <= after[0] and before[1] <= after[1] for before, after in zip(rows, rows[1:]))
    inside = [row for row in rows if row[3] == day]
    assert len({start for start, _, _, _ in inside}) == 1 and len({hour for _, hour, _, _ in inside}) == hours
    assert {start for start, _, _, date in rows if date != day}.isdisjoint({start for start, _, _, _ in inside})
    assert len(inside) == hours * 6


# apply and export ---------------------------------------------------------------------------------------------------

def test_the_example_without_later_work_goes_round(database):
    example = supported_example()
    assert apply(database, example).stdout == "applied: version 1\n"
    assert version(database) == 1
    exported = export(database)
    assert exported == example
    assert list(exported) == ["time_zone", "allow_private_endpoints", "events", "suppliers", "buyers", "suppression_lists", "campaigns"]
    assert list(exported["campaigns"][0]["contracts"][0])[:4] == ["id", "buyer_id", "status", "price"]
    assert apply(database, exported).stdout == "nothing changed: version 1\n"
    assert run(database, "apply", "-", stdin=subprocess.DEVNULL, check=False).returncode == 1
    assert database.query("SELECT price_cents, buyer_id FROM contract") == [(2500, "buyer_abc")]
    assert database.query("SELECT secret FROM buyer_secret WHERE buyer_id = 'buyer_abc'") == [(SECRET,)]
    assert "secrets" not in database.query_one("SELECT doc FROM buyer")["delivery"]
    assert "api_keys" not in database.query_one("SELECT doc FROM supplier")


def test_every_later_section_is_refused_at_its_place_and_nothing_changes(database):
    apply(database, supported_example())
    before = export(database)
    found = complaints(apply(database, spec_example(), check=False))
    assert set(found.values()) == {"not supported yet"}
    assert set(found) == {"/buyers/0/credit", "/buyers/0/returns"}
    assert export(database) == before and version(database) == 1


def test_fields_with_all_options_go_round(database):
    fields = [
        {"name": "phone", "required": False, "transform": "digits"}, {"name": "state", "values": ["TX", "California"], "default": "TX"},
        {"name": "age", "type": "number", "min": 18, "max": "120.5", "default": 0.1 + 18}, {"name": "born", "type": "date", "min": "1930-01-01"},
        {"name": "income", "type": "number", "min": "12345678901234567890.123", "values": []}, {"name": "zip_code", "max_length": 5},
        {"name": "vin", "pattern": "^[A-Z0-9]{17}$", "transform": ["trim", "upper"]}, {"name": "consent", "type": "boolean", "values": [True]},
        {"name": "plan", "min_length": 2, "max_length": 4096, "values": ["gold", "10"], "default": "gold"}, {"name": "level", "type": "number", "max": 9.2e18, "values": [1, 2.5, 1e15]},
    ]
    apply(database, document(campaigns=[campaign(fields=fields)]))
    exported = export(database)
    assert exported["campaigns"][0]["fields"] == fields
    assert apply(database, exported).stdout == "nothing changed: version 1\n"


def test_pings_go_round(database):
    fields = [{"name": "state", "ping": True}, {"name": "phone", "ping": "sha256"}, {"name": "age", "type": "number", "ping": False}]
    ping = {"url": "https://buyer.example/ping", "timeout_ms": 300, "limits": {"concurrent": 20, "per_second": 100}}
    apply(database, document(buyers=[buyer(ping=ping)], campaigns=[campaign(fields=fields)]))
    exported = export(database)
    assert exported["campaigns"][0]["fields"] == fields and exported["buyers"][0]["ping"] == ping
    assert apply(database, exported).stdout == "nothing changed: version 1\n"


@pytest.mark.parametrize("field, wrong", [
    ({"name": "phone", "ping": True}, {"ping": 'must be "sha256" for names, phones and e-mails: a ping gives nobody away'}),
    ({"name": "a", "ping": "md5"}, {"ping": "must be one of true, false, sha256"}),
    ({"name": "a", "min": 5}, {"min": "is for numbers and dates only"}),
    ({"name": "email", "max": 5}, {"max": "is for numbers and dates only"}),
    ({"name": "a", "type": "number", "min": 5, "max": "4.99"}, {"max": "must not be below min"}),
    ({"name": "a", "type": "number", "min": True}, {"min": "must be a number or text"}),
    ({"name": "a", "type": "date", "max": "2026-02-29"}, {"max": "must be a date that exists, as YYYY-MM-DD or MM/DD/YYYY"}),
    ({"name": "a", "min_length": 5, "max_length": 4}, {"max_length": "must not be below min_length"}),
    ({"name": "a", "min_length": -1, "max_length": 4097}, {"min_length": "must be at least 0", "max_length": "must be at most 4096"}),
    ({"name": "a", "type": "boolean", "min_length": 1}, {"min_length": "is not for booleans"}),
    ({"name": "a", "pattern": "a("}, {"pattern": "missing closing parenthesis at position 2 of the pattern"}),
    ({"name": "a", "pattern": "x" * 1025}, {"pattern": "pattern longer than 1024 bytes"}),
    ({"name": "a", "pattern": ""}, {"pattern": "must not be empty"}),
    ({"name": "a", "type": "number", "values": [1, "x", "1.0"]},
     {"values/1": "must be a decimal number like 1234.5, without separators, with at most 40 digits on either side of the point",
      "values/2": "is there twice, in its normal form"}),
    ({"name": "a", "transform": "shout"}, {"transform": "must be one of trim, upper, lower, digits, title, or a list of them"}),
    ({"name": "a", "transform": ["trim", "shout"]}, {"transform/1": "must be one of trim, upper, lower, digits, title"}),
    ({"name": "a", "transform": ["trim"] * 11}, {"transform": "must have at most 10 entries"}),
    ({"name": "a", "type": "number", "min": 18, "default": 17}, {"default": "must be at least 18"}),
    ({"name": "a", "type": "list", "values": ["x"], "default": "y"}, {"default": "must be one of the values that the campaign lists"}),
    ({"name": "a", "type": "number", "max": 1e19, "values": [1, -1e25]},
     {"max": "is too large for a number here: write it as text", "values/1": "is too large for a number here: write it as text"}),
    ({"name": "a", "type": "list", "values": "x"}, {"values": "must be a list"}),
    ({"name": "a", "type": "list", "values": ["x", "y", "x"]}, {"values/2": "is there twice"}),
    ({"name": "a", "default": ["x"]}, {"default": "must be text or a number or true or false"}),
])
def test_wrong_options_of_fields_are_refused_at_their_place(database, field, wrong):
    done = apply(database, document(campaigns=[campaign(fields=[{"name": "other"}, field])]), check=False)
    assert complaints(done) == {f"/campaigns/0/fields/1/{key}": sentence for key, sentence in wrong.items()}
    assert version(database) == 0


def test_all_errors_are_told_at_once(database):
    wrong = document()
    wrong["time_zone"] = "Mars/Base"
    wrong["colour"] = 1
    wrong["buyers"][0]["time_zone"] = "EST5EDT4"
    wrong["buyers"][0]["delivery"]["colour"] = 1
    wrong["campaigns"][0]["sources"][0]["supplier_id"] = "nobody"
    wrong["campaigns"][0]["contracts"][0]["price"] = "25.999"
    assert complaints(apply(database, wrong, check=False)) == {
        "/time_zone": "is not a time zone that PostgreSQL knows (pg_timezone_names)",
        "/colour": "unknown key",
        "/buyers/0/time_zone": "is not a time zone that PostgreSQL knows (pg_timezone_names)",
        "/buyers/0/delivery/colour": "unknown key",
        "/campaigns/0/sources/0/supplier_id": "there is no supplier of this id",
        "/campaigns/0/contracts/0/price": "must match ^[0-9]{1,12}(\\.[0-9]{1,2})?$"}
    assert version(database) == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "{} {}", '{"suppliers": [], "suppliers": []}', '{"time_zone": "\\u0000"}', '{"a": "\udcff"}', "[" * 100_000])
def test_what_is_no_document_is_refused(database, text):
    path = os.path.join(temp_folder(), "document.json")
    with open(path, "wb") as file:
        file.write(text.encode(errors="surrogateescape"))
    done = run(database, "apply", path, check=False)
    assert done.returncode == 1 and done.stderr.startswith("the document: ") and len(done.stderr.splitlines()) == 1


def test_usage(database):
    for args, status in ((("apply",), 2), (("apply", "a", "b"), 2), (("apply", "--nonsense", "a"), 2), (("apply", "/nowhere.json"), 1),
                         (("nonsense",), 2), (("lead", "show"), 2), (("lead", "show", "x"), 2), (("lead",), 2), (("key", "new"), 2), ((), 2)):
        done = leadctl(*args, check=False)
        assert done.returncode == status and done.stderr and not done.stdout, args
    for args in (("--help",), ("-h",), ("help",), ("apply", "--help"), ("lead", "show", "-h"), ("dev", "--help"), ("lead", "--help"), ("--version",)):
        assert leadctl(*args).stdout.startswith("leadctl"), args


def test_half_a_command_is_told_its_other_half():
    done = leadctl("delivery", "lits", check=False)
    assert "there is no command delivery lits" in done.stderr and "leadctl delivery list" in done.stderr and "leadctl apply" not in done.stderr
    assert "key new SUPPLIER" in leadctl("key", check=False).stderr and "key new SUPPLIER" in leadctl("key", "--help").stdout
    assert "leadctl dev" not in leadctl("help", "lead").stdout
    assert "leadctl apply" in leadctl("nonsense", check=False).stderr


def test_a_database_without_the_schema_is_told(empty):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write("{}")
        file.flush()
        for args in (("status",), ("export",), ("apply", file.name), ("key", "new", "x"), ("delivery", "list", "--json"),
                     ("delivery", "replay", "0193d2f4-0000-7000-8000-000000000000")):
            done = leadctl(*args, "--dsn", empty, check=False)
            assert (done.returncode, done.stdout) == (1, "") and "(has `leadctl migrate` been run?)" in done.stderr, args


def big_document():
    return {
        "time_zone": "Europe/Berlin", "allow_private_endpoints": False,
        "suppliers": [{"id": f"s{n:04}", "name": f"Lieferant {n} \u00e4\u20ac", "status": "PAUSED" if n % 7 == 0 else "ACTIVE", "test_mode": n % 5 == 0,
                       "api_keys": [{"key": f"key-{n}-{i}"} for i in range(n % 3)], "allowed_ips": ["203.0.113.0/24", "2001:db8::/32"],
                       "rate_limits": {"ingest": {"per_second": n + 1, "burst": n}}} for n in range(100)],
        "buyers": [{"id": f"b{n:04}", "time_zone": "America/Chicago", "limits": {"concurrent": 3, "per_second": 7},
                    "caps": [{"window": window, "leads": n} for window in ("hour", "day", "week", "month", "total")],
                    "delivery": {"url": f"https://buyer{n}.example/x", "secrets": [SECRET], "timeout_ms": 5000, "legacy_signature": True}}
                   for n in range(100)],
        "campaigns": [{"id": f"c{n:04}", "distribution": "HIGHEST_BID", "max_sells": 2, "deadline_ms": 3000, "routing": "DIRECT_POST",
                       "fields": [{"name": "phone", "required": False}, {"name": "roof", "type": "list", "values": ["tile", "metal"]},
                                  {"name": "age", "type": "number", "required": True}],
                       "duplicates": [{"fields": ["phone"], "window_days": 30}, {"fields": ["roof", "email"], "window_days": 90}],
                       "duplicates_against": "accepted",
                       "sources": [{"supplier_id": f"s{i:04}", "answer": ("sale", "full", "received")[i % 3],
                                    "cost": ({"mode": "FIXED", "amount": "1.5"}, {"mode": "REVENUE_SHARE", "percent": "12.5"}, {"mode": "NONE"})[i % 3],
                                    "caps": [{"window": "day", "leads": 10}]} for i in range(10)],
                       "contracts": [{"buyer_id": f"b{i:04}", "price": f"{i}.25", "priority": i, "weight": i + 1, "states": ["TX", "CA"],
                                      "zips": ["7", "75201"], "caps": [{"window": "week", "leads": 5}]} for i in range(20)]}
                      for n in range(100)],
    }


def test_a_big_document_goes_round(database):
    configuration = big_document()
    apply(database, configuration)
    expected = copy.deepcopy(configuration)
    for entry in expected["suppliers"]:
        entry["api_keys"] = sorted(({"sha256": hashlib.sha256(key["key"].encode()).hexdigest()} for key in entry["api_keys"]),
                                   key=lambda key: key["sha256"])
    for entry in expected["campaigns"]:
        for place in entry["contracts"]:
            place["id"] = place["buyer_id"]
    exported = export(database)
    assert exported == expected
    assert apply(database, exported).stdout == "nothing changed: version 1\n"
    for key in ("suppliers", "buyers", "campaigns"):
        configuration[key].reverse()
    assert apply(database, configuration).stdout == "nothing changed: version 1\n"
    assert database.query_one("SELECT count(*) FROM counter WHERE is_live") == 100 + 100 * 10 + 100 * 20

    configuration["campaigns"] = configuration["campaigns"][:50]
    configuration["suppliers"][0]["name"] = "another"
    assert apply(database, configuration).stdout == "applied: version 2\n"
    assert database.query("SELECT (SELECT count(*) FROM campaign), (SELECT count(*) FROM contract), (SELECT count(*) FROM campaign_supplier)") \
        == [(50, 1000, 500)]
    assert database.query_one("SELECT count(*) FROM counter") == 100 + 100 * 30
    assert database.query_one("SELECT count(*) FROM counter WHERE is_live") == 100 + 50 * 30
    assert apply(database, {}).stdout == "applied: version 3\n"
    assert export(database) == {"suppliers": [], "buyers": [], "campaigns": []}
    assert database.query_one("SELECT count(*) FROM api_key") == 0


def test_a_change_is_told_and_waits_for_routers(database):
    apply(database, document())
    listener, router = database.connect(), database.connect()
    query(listener, "LISTEN leadline_catalog")
    query(router, "BEGIN")
    query(router, "SELECT pg_advisory_xact_lock_shared(4701, 1)")
    path = os.path.join(temp_folder(), "document.json")
    with open(path, "w") as file:
        json.dump(document(time_zone="UTC"), file)
    binary = os.path.join(os.environ.get("LEADLINE_TEST_BIN", os.path.join(ROOT, "build", "bin")), "leadctl")
    process = spawn([binary, "apply", path, "--dsn", database.dsn()], stdout=subprocess.PIPE, text=True)
    eventually(lambda: database.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
    assert process.poll() is None and version(database) == 1
    query(router, "COMMIT")
    assert process.communicate(timeout=30)[0] == "applied: version 2\n"
    eventually(lambda: listener.poll() or listener.notifies)
    assert [(notice.channel, notice.payload) for notice in listener.notifies] == [("leadline_catalog", "2")]
    listener.close()
    router.close()


# keys ---------------------------------------------------------------------------------------------------------------

def test_a_change_is_done_when_every_process_goes_by_it(database):
    apply(database, document())
    database.query("""INSERT INTO stage_instance (stage, name, endpoint, admin, version, host, pid, catalog_version, beat_at, is_stopping)
        VALUES ('gateway', 'gateway-1', 'ipc:///x', 'unix:/x', '0.1.0', 'h', 1, 1, now() + interval '1 hour', false),
               ('gateway', 'leaving', 'ipc:///x', 'unix:/x', '0.1.0', 'h', 2, 1, now() + interval '1 hour', true),
               ('router', 'dead', 'ipc:///x', 'unix:/x', '0.1.0', 'h', 3, 1, now() - interval '20 s', false),
               ('router', 'silent', 'ipc:///x', 'unix:/x', '0.1.0', 'h', 4, NULL, now() + interval '1 hour', false)""")
    for args, told in (("key", "new", "supplier_xyz789"), 1), (("apply", write(document(time_zone="UTC"))), 0):
        before = version(database)
        changing = spawn([program("leadctl"), *args, "--dsn", database.dsn()], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        eventually(lambda: version(database) == before + 1)
        assert told == 0 or changing.stdout.readline().startswith(b"sk_")
        assert changing.poll() is None
        database.query("UPDATE stage_instance SET catalog_version = %s WHERE name = 'gateway-1'", before + 1)
        assert changing.wait(10) == 0 and b"has not been read" not in changing.stderr.read()
    late = run(database, "key", "new", "supplier_xyz789")
    assert late.returncode == 0 and late.stdout.startswith("sk_")
    assert "has not been read yet by gateway-1\n" in late.stderr and "leaving" not in late.stderr and "dead" not in late.stderr and "silent" not in late.stderr


def test_keys_are_as_listed_or_stay(database):
    free = supplier(id="free")
    del free["api_keys"]
    configuration = document(suppliers=[supplier(), free])
    apply(database, configuration)
    done = run(database, "key", "new", "free")
    key = done.stdout.strip()
    assert re.fullmatch(r"sk_[A-Za-z0-9_-]{43}", key) and done.stderr == "" and version(database) == 2
    stored = database.query("SELECT supplier_id FROM api_key WHERE sha256 = %s", hashlib.sha256(key.encode()).digest())
    assert stored == [("free",)]
    assert "api_keys" not in export(database)["suppliers"][0]
    assert apply(database, configuration).stdout == "nothing changed: version 2\n"

    # A key that the document does not list goes with the next document; until then export has it.
    extra = run(database, "key", "new", "supplier_xyz789")
    assert "lists this supplier's keys" in extra.stderr and len(export(database)["suppliers"][1]["api_keys"]) == 2
    assert apply(database, export(database)).stdout == "nothing changed: version 3\n"
    apply(database, configuration)
    assert database.query_one("SELECT count(*) FROM api_key WHERE supplier_id = 'supplier_xyz789'") == 1
    assert database.query_one("SELECT count(*) FROM api_key WHERE supplier_id = 'free'") == 1

    # Nobody takes another's key.
    thief = document(suppliers=[supplier(), free, supplier(id="thief", key="a", api_keys=[{"key": "a"}, {"key": key}])], campaigns=[])
    assert list(complaints(apply(database, thief, check=False))) == ["/suppliers/2/api_keys/1"]

    apply(database, document(suppliers=[supplier()]))
    assert database.query("SELECT DISTINCT supplier_id FROM api_key") == [("supplier_xyz789",)]
    done = run(database, "key", "new", "free", check=False)
    assert done.returncode == 1 and done.stdout == "" and "free" in done.stderr


def test_a_listed_key_may_move_to_another_supplier(database):
    apply(database, document(suppliers=[supplier(), supplier(id="other", key="k")]))
    apply(database, document(suppliers=[supplier(key="k"), supplier(id="other", key="l")]))
    assert database.query("SELECT supplier_id FROM api_key WHERE sha256 = %s", hashlib.sha256(b"k").digest()) == [("supplier_xyz789",)]


def test_secrets_are_kept_in_order(database):
    secrets = ["whsec_" + "QUFB" * 8 + letter * 4 for letter in "cab"]
    configuration = document()
    configuration["buyers"][0]["delivery"]["secrets"] = secrets
    apply(database, configuration)
    assert export(database)["buyers"][0]["delivery"]["secrets"] == secrets
    configuration["buyers"][0]["delivery"]["secrets"] = secrets[1:]
    apply(database, configuration)
    assert database.query("SELECT secret FROM buyer_secret ORDER BY place") == [(secret,) for secret in secrets[1:]]
    del configuration["buyers"][0]["delivery"]
    apply(database, configuration)
    assert database.query("SELECT * FROM buyer_secret") == [] and "delivery" not in export(database)["buyers"][0]


# counters -----------------------------------------------------------------------------------------------------------

CAPS = [{"window": "day", "leads": 5}]


def capped(zone=None, **where):
    configuration = document(time_zone="UTC", campaigns=[campaign(sources=[source(caps=where.get("source", []))], caps=where.get("campaign", []),
                                                                  contracts=[contract(caps=where.get("contract", []))])])
    configuration["buyers"][0]["caps"] = where.get("buyer", [])
    configuration["suppliers"][0]["caps"] = where.get("supplier", [])
    if zone:
        configuration["buyers"][0]["time_zone"] = zone
    return configuration


def counters(database):
    rows = database.query("SELECT kind::text, campaign_id, owner_id, is_live, time_zone, hour_leads, day_leads, week_leads, month_leads, total_leads,"
                          " hour_cents, day_cents, week_cents, month_cents, total_cents FROM counter ORDER BY kind")
    return {row[0]: row[1:] for row in rows}


def sell(database):
    """Sales of this hour, this month's first instant, and the month before; and some that do not count. Returns what windows hold."""
    now = database.query_one("SELECT clock_timestamp()")
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    before = month - datetime.timedelta(microseconds=1000)
    for number, at in enumerate((now, now, month, before)):
        lead_id = insert_lead(database, at, number)
        insert_sale(database, lead_id, at)
    second = insert_lead(database, now, 10)
    insert_sale(database, second, now, price=100)
    insert_sale(database, second, now, n=2, price=200, cost=0)
    for number, more in enumerate(({"is_test": True}, {"state": "RETURNED"}, {"state": "REJECTED"})):
        insert_sale(database, insert_lead(database, now, 20 + number), now, **more)
    insert_sale(database, insert_lead(database, now, 30), now, campaign_id="other", buyer_id="other", contract_id="buyer_abc", supplier_id="other")
    starts = database.query("SELECT window_start(size, %s, 'UTC') FROM unnest('{hour,day,week,month}'::text[]) size", now)
    return [sum(at >= start[0] for at in (now, now, month, before)) for start in starts] + [4]


@pytest.mark.parametrize("caps", [CAPS, [{"window": "month", "budget": "100.00"}]])
def test_counters_are_filled_from_what_was_sold(database, caps):
    sold = sell(database)
    apply(database, capped(**dict.fromkeys(("buyer", "contract", "source", "supplier", "campaign"), caps)))
    found = counters(database)
    both = [leads + 2 for leads in sold] + [2500 * leads + 300 for leads in sold]
    once = [leads + 3 for leads in sold] + [1000 * leads + 3000 for leads in sold]  # refused and returned ones stay sold to their supplier
    assert found["buyer"] == ("", "buyer_abc", True, "UTC", *both)
    assert found["contract"] == ("campaign_abc123", "buyer_abc", True, "UTC", *both)
    assert found["source"] == ("campaign_abc123", "supplier_xyz789", True, "UTC", *once)
    assert found["supplier"] == ("", "supplier_xyz789", True, "UTC", *once)
    assert found["campaign"] == ("campaign_abc123", "campaign_abc123", True, "UTC", *once)
    assert database.query_one("SELECT bool_and(hour_start = window_start('hour', clock_timestamp(), 'UTC')"
                              " AND month_start = window_start('month', clock_timestamp(), 'UTC')) FROM counter")


def test_contracts_that_take_turns_are_counted_without_caps(database):
    """The credit stays while the campaign is sold otherwise."""
    sold = sell(database)
    for distribution, is_live in (("ROUND_ROBIN", True), ("WATERFALL", False), ("WEIGHTED", True), ("HIGHEST_BID", False)):
        apply(database, document(time_zone="UTC", campaigns=[campaign(distribution=distribution)]))
        assert counters(database)["contract"][2] is is_live, distribution
        assert counters(database)["contract"][8] == sold[4] + 2
        database.query("UPDATE counter SET turn_credit = turn_credit + 5")
    assert database.query("SELECT turn_credit FROM counter") == [(20,)]


def test_a_new_contract_begins_with_the_credit_of_the_others(database):
    """Those that were taken out with a credit have left the others with another sum than 0."""
    def turning(*ids):
        return document(time_zone="UTC", campaigns=[campaign(distribution="ROUND_ROBIN", contracts=[contract(id=id) for id in ids]),
                                                    campaign("other", distribution="ROUND_ROBIN")])
    apply(database, turning("a", "b", "gone"))
    database.query("UPDATE counter SET turn_credit = CASE owner_id WHEN 'a' THEN 100 WHEN 'b' THEN 150 ELSE -250 END")
    apply(database, turning("a", "b"))
    apply(database, turning("a", "b", "c"))
    credits = {"a": 100, "b": 150, "c": 125, "gone": -250, "buyer_abc": -250}
    assert dict(database.query("SELECT owner_id, turn_credit FROM counter")) == credits
    apply(database, turning("a", "b", "c", "gone"))
    assert dict(database.query("SELECT owner_id, turn_credit FROM counter")) == credits


def test_a_counter_rests_and_comes_alive_again(database):
    apply(database, capped(contract=CAPS))
    assert set(counters(database)) == {"contract"}
    number = database.query_one("SELECT id FROM counter")
    database.query("UPDATE counter SET total_leads = 77")

    # A change that does not touch it leaves it alone: routers keep it.
    apply(database, capped(contract=[{"window": "hour", "leads": 1}], source=CAPS))
    assert counters(database)["contract"][8] == 77

    apply(database, capped())
    assert counters(database)["contract"][2] is False and counters(database)["contract"][8] == 77
    sold = sell(database)
    apply(database, capped(contract=CAPS))
    assert counters(database)["contract"][2] is True and counters(database)["contract"][8] == sold[4] + 2
    assert database.query_one("SELECT id FROM counter WHERE kind = 'contract'") == number


def test_another_time_zone_counts_anew(database):
    sell(database)
    apply(database, capped(buyer=CAPS, contract=CAPS, source=CAPS))
    database.query("UPDATE counter SET total_leads = 77")
    apply(database, capped(zone="Asia/Kolkata", buyer=CAPS, contract=CAPS, source=CAPS))
    found = counters(database)
    assert (found["buyer"][3], found["contract"][3], found["source"][3]) == ("Asia/Kolkata", "Asia/Kolkata", "UTC")
    assert (found["buyer"][8], found["contract"][8], found["source"][8]) == (6, 6, 77)
    assert database.query_one("SELECT day_start = window_start('day', clock_timestamp(), 'Asia/Kolkata') FROM counter WHERE kind = 'buyer'")


# duplicate rules ----------------------------------------------------------------------------------------------------

def ruled(*rules, **more):
    return document(campaigns=[campaign(duplicates=[{"fields": list(fields), "window_days": days} for fields, days in rules], **more)])


def keys(database):
    """{lead: how many keys name it}"""
    return dict(database.query("SELECT lead_id::text, count(*) FROM duplicate_key GROUP BY 1"))


def test_a_new_rule_sees_stored_leads(database):
    now = database.query_one("SELECT clock_timestamp()")
    person = {"phone": "+12145550100", "email": "A@example.com", "age": 30}
    days = datetime.timedelta(days=1)
    lead = {
        "old": insert_lead(database, now - 5 * days, 1, fields=person),
        "newest": insert_lead(database, now - 2 * days, 2, fields={**person, "email": "a@example.com"}),
        "outside": insert_lead(database, now - 9 * days, 3, fields={**person, "phone": "+12145550101"}),
        "lacking": insert_lead(database, now - days, 4, fields={"phone": "+12145550102"}),
        "unsold": insert_lead(database, now - days, 5, status="UNMATCHED", fields={**person, "phone": "+12145550103"}),
        "test": insert_lead(database, now - days, 6, is_test=True, fields={**person, "phone": "+12145550104"}),
        "elsewhere": insert_lead(database, now - days, 7, campaign_id="other", fields={**person, "phone": "+12145550105"}),
    }
    apply(database, ruled())
    assert keys(database) == {}
    done = apply(database, ruled((["phone"], 7), (["email", "age"], 7), fields=[{"name": "age", "type": "number"}]))
    assert done.stdout == "made 3 duplicate keys of stored leads\napplied: version 2\n"
    assert keys(database) == {lead["newest"]: 2, lead["lacking"]: 1}
    assert database.query_one("SELECT bool_and(expires_at = at + interval '7 days' AND l.decided_at = at AND k.supplier_id = l.supplier_id)"
                              " FROM duplicate_key k JOIN lead l ON l.id = k.lead_id")
    assert database.query("SELECT * FROM duplicate_rule_todo") == []

    # The same again makes nothing; a longer window reaches further back, and what is there lasts longer.
    rules = ruled((["phone"], 7), (["age", "email"], 7), fields=[{"name": "age", "type": "number"}])
    assert "made" not in apply(database, rules).stdout
    assert apply(database, ruled((["phone"], 30), (["age", "email"], 5), fields=[{"name": "age", "type": "number"}])).stdout.startswith("made 3 ")
    assert keys(database) == {lead["newest"]: 2, lead["lacking"]: 1, lead["outside"]: 1}
    assert database.query_one("SELECT count(*) FROM duplicate_key WHERE expires_at = at + interval '30 days'") == 3


def test_a_newer_lead_keeps_its_key_and_an_interrupted_apply_goes_on(database):
    now = database.query_one("SELECT clock_timestamp()")
    insert_lead(database, now - datetime.timedelta(days=1), 1, fields={"phone": "+12145550100"})
    apply(database, ruled((["phone"], 30)))
    newer = str(uuid.uuid4())
    database.query("UPDATE duplicate_key SET lead_id = %s, at = now(), expires_at = now() + interval '30 days'", newer)
    database.query("INSERT INTO duplicate_rule_todo (against, owner_id, fields) VALUES ('accepted', 'campaign_abc123', '{phone}'), ('accepted', 'gone', '{phone}'),"
                   " ('all', 'campaign_abc123', '{phone}'), ('sold', 'gone', '{phone}')")
    assert apply(database, ruled((["phone"], 30))).stdout == "nothing changed: version 1\n"
    assert keys(database) == {newer: 1}
    assert database.query("SELECT * FROM duplicate_rule_todo") == []
    database.query("DELETE FROM duplicate_key")
    database.query("INSERT INTO duplicate_rule_todo (against, owner_id, fields) VALUES ('accepted', 'campaign_abc123', '{phone}')")
    assert apply(database, ruled((["phone"], 30))).stdout == "made 1 duplicate keys of stored leads\nnothing changed: version 1\n"


def test_many_leads_in_batches(database):
    database.query("INSERT INTO lead (id, campaign_id, supplier_id, status, is_test, received_at, decided_at, reasons, answer_status, answer_body, raw, fields)"
                   " SELECT (left(uuid_floor(at)::text, 24) || lpad(to_hex(n), 12, '0'))::uuid, 'campaign_abc123', 's', 'ACCEPTED', false, at, at, '[]', 201, '{}', '{}',"
                   " jsonb_build_object('phone', '+1214555' || lpad((n % 4500)::text, 4, '0'))"
                   " FROM (SELECT n, now() - interval '1 day' + n * interval '1 second' AS at FROM generate_series(1, 5000) n) x")
    assert apply(database, ruled((["phone"], 30))).stdout.startswith("made ")
    assert database.query_one("SELECT count(*) FROM duplicate_key") == 4500
    assert database.query_one("SELECT count(*) FROM duplicate_key k JOIN lead l ON l.id = k.lead_id AND l.decided_at = k.at"
                              " WHERE EXISTS (SELECT FROM lead m WHERE m.fields = l.fields AND m.decided_at > l.decided_at)") == 0


def sold_rules(*rules, **more):
    """Of the buyer's contract on the campaign."""
    return document(campaigns=[campaign(contracts=[contract(duplicates=[{"fields": list(fields), "window_days": days} for fields, days in rules])], **more)])


def test_a_contracts_new_rule_sees_stored_sales_on_any_campaign(database):
    now = database.query_one("SELECT clock_timestamp()")
    person = {"phone": "+12145550100", "mail": "A@example.com"}
    days = datetime.timedelta(days=1)

    def sold(number, age, fields, buyer_id="buyer_abc", campaign_id="campaign_abc123", state="SOLD", **more):
        lead_id = insert_lead(database, now - age * days, number, campaign_id, fields=fields, **more)
        insert_sale(database, lead_id, now - age * days, buyer_id="another", campaign_id=campaign_id)
        insert_sale(database, lead_id, now - age * days, n=2, buyer_id=buyer_id, campaign_id=campaign_id, state=state, is_test=more.get("is_test", False))
        return lead_id

    lead = {
        "old": sold(1, 5, person, campaign_id="gone"),
        "newest": sold(2, 2, {**person, "mail": "a@example.com"}, state="RETURNED", status="RETURNED"),
        "elsewhere": sold(3, 2, {"phone": "+12145550109", "mail": "B@example.com"}, campaign_id="other"),
        "outside": sold(4, 9, {"phone": "+12145550101"}),
        "another's": sold(5, 1, {"phone": "+12145550102"}, buyer_id="buyer_def"),
        "test": sold(6, 1, {"phone": "+12145550103"}, is_test=True),
    }
    insert_lead(database, now - days, 7, status="UNMATCHED", fields={"phone": "+12145550104"})
    fields = [{"name": "mail", "type": "email"}]
    apply(database, sold_rules(fields=fields))
    assert keys(database) == {}
    done = apply(database, sold_rules((["phone"], 7), (["mail"], 7), fields=fields))
    assert done.stdout == "made 5 duplicate keys of stored leads\napplied: version 2\n"
    # On the campaign that is gone its field was text; here it is an e-mail address, so these two are not the same.
    assert keys(database) == {lead["newest"]: 2, lead["old"]: 1, lead["elsewhere"]: 2}
    assert database.query_one("SELECT bool_and(k.expires_at = at + interval '7 days' AND l.decided_at = at AND k.supplier_id = l.supplier_id)"
                              " FROM duplicate_key k JOIN lead l ON l.id = k.lead_id")
    assert database.query("SELECT * FROM duplicate_rule_todo") == []

    # Another contract of the buyer with a shorter window changes nothing; with a longer one, what is there lasts longer.
    def both(other):
        more = document(buyers=[buyer(), buyer("buyer_def")], campaigns=[
            campaign(fields=fields, contracts=[contract(duplicates=[{"fields": ["phone"], "window_days": 7}, {"fields": ["mail"], "window_days": 7}])]),
            campaign("other", contracts=[contract(duplicates=[{"fields": ["phone"], "window_days": other}])])])
        return apply(database, more).stdout

    assert both(6) == "applied: version 3\n"
    assert both(30).startswith("made 3 ")
    assert keys(database) == {lead["newest"]: 2, lead["old"]: 1, lead["elsewhere"]: 2, lead["outside"]: 1}
    assert database.query_one("SELECT count(*) FROM duplicate_key WHERE expires_at = at + interval '30 days'") == 3
    assert both(30) == "nothing changed: version 4\n"

    # The contract's buyer is another now, whose keys have yet to be made; the first one's are still there when it comes back.
    moved = document(buyers=[buyer(), buyer("buyer_def")], campaigns=[
        campaign(contracts=[contract("buyer_def", duplicates=[{"fields": ["phone"], "window_days": 7}])])])
    assert apply(database, moved).stdout.startswith("made 1 ")
    assert keys(database)[lead["another's"]] == 1
    assert apply(database, moved).stdout.startswith("nothing changed")


def test_switching_which_leads_count_makes_their_keys(database):
    now = database.query_one("SELECT clock_timestamp()")
    lead = {status: insert_lead(database, now - datetime.timedelta(hours=number), number, status=status, fields={"phone": f"+1214555010{number}"})
            for number, status in enumerate(("ACCEPTED", "UNMATCHED", "REJECTED", "DUPLICATE", "RETURNED"), 1)}
    insert_lead(database, now, 9, status="UNMATCHED", is_test=True, fields={"phone": "+12145550109"})
    apply(database, ruled((["phone"], 30)))
    assert keys(database) == {lead["ACCEPTED"]: 1, lead["RETURNED"]: 1}
    assert apply(database, ruled((["phone"], 30), duplicates_against="all")).stdout == "made 4 duplicate keys of stored leads\napplied: version 2\n"
    assert keys(database) == {lead["ACCEPTED"]: 2, lead["RETURNED"]: 2, lead["UNMATCHED"]: 1, lead["REJECTED"]: 1}
    exported = export(database)
    assert exported["campaigns"][0]["duplicates_against"] == "all"
    assert apply(database, exported).stdout == "nothing changed: version 2\n"

    # What was sold meanwhile is seen when it is switched back.
    meanwhile = insert_lead(database, now, 10, fields={"phone": "+12145550110"})
    assert apply(database, ruled((["phone"], 30))).stdout == "made 1 duplicate keys of stored leads\napplied: version 3\n"
    assert keys(database)[meanwhile] == 1
    assert apply(database, ruled((["phone"], 30), duplicates_against="accepted")).stdout == "applied: version 4\n"


# status -------------------------------------------------------------------------------------------------------------

def status(database):
    return json.loads(run(database, "status", "--json").stdout)


def test_status_shows_stages_and_what_waits(database):
    assert status(database) == {
        "database": {"ok": True, "version": database.query_one("SELECT current_setting('server_version')"), "schema": int(max(os.listdir(os.path.join(ROOT, "proto", "sql")))[:3])}, "catalog_version": 0,
        "stages": [], "deliveries": {"open": 0, "oldest_due_s": None}, "warnings": []}
    database.query("INSERT INTO stage_instance (stage, name, endpoint, admin, version, host, pid, beat_at, per_second, queue_depth) VALUES"
                   " ('router', 'router-1', 'ipc:///r', 'http://127.0.0.1:1', '0.1', 'h', 11, now() - interval '1 minute', 12.345, 7),"
                   " ('gateway', 'gateway-1', 'ipc:///g', 'unix:/g', '0.1', 'h', 12, now(), 0, 0)")
    database.query("INSERT INTO delivery SELECT uuid_floor(now()), gen_random_uuid(), n, 'b', state::delivery_state, 0, now() - due, NULL, NULL FROM"
                   " (VALUES (1, 'OPEN', interval '100 s'), (2, 'OPEN', interval '-1 hour'), (3, 'DELIVERED', interval '1 day')) x(n, state, due)")
    now = status(database)
    assert [(stage["stage"], stage["name"], stage["alive"], stage["pid"], stage["queue_depth"], stage["admin"]) for stage in now["stages"]] == [
        ("gateway", "gateway-1", True, 12, 0, "unix:/g"), ("router", "router-1", False, 11, 7, "http://127.0.0.1:1")]
    assert now["stages"][1]["per_second"] == 12.3 and 60 <= now["stages"][1]["beat_age_s"] < 90
    assert now["deliveries"]["open"] == 2 and 100 <= now["deliveries"]["oldest_due_s"] < 130
    text = run(database, "status").stdout
    assert "router-1" in text and "open_deliveries  2" in text


def test_status_without_a_database(database):
    away = f"host={temp_folder()} user=leadline dbname=x"
    done = leadctl("status", "--json", "--dsn", away, check=False)
    found = json.loads(done.stdout)
    assert done.returncode == 1 and found["database"]["ok"] is False and found["stages"] == [] and found["catalog_version"] is None
    assert leadctl("status", "--dsn", away, check=False).returncode == 1
    done = leadctl("status", "--json", "--dsn", database.server.dsn("postgres"), check=False)
    assert done.returncode == 1 and json.loads(done.stdout)["database"]["ok"] is False


def test_status_warns_of_a_standby_that_is_not_waited_for(server, database):
    receiver = spawn([f"{server.programs}/pg_receivewal", "-D", temp_folder(), "-d", server.dsn("postgres")], stderr=subprocess.DEVNULL)
    try:
        assert len(eventually(lambda: status(database)["warnings"])) == 1
    finally:
        end(receiver)


def test_where_the_database_is(database):
    folder = temp_folder()
    os.mkdir(os.path.join(folder, "run"))
    with open(os.path.join(folder, "run", "dsn"), "w") as file:
        file.write(database.dsn() + "\n")
    assert json.loads(leadctl("status", "--json", "--dir", folder).stdout)["database"]["ok"]
    assert json.loads(leadctl("status", "--json", env={**os.environ, "LEADLINE_DSN": database.dsn()}).stdout)["database"]["ok"]
    environment = {**os.environ, "PGHOST": database.server.socket_dir, "PGUSER": "leadline", "PGDATABASE": database.name}
    environment.pop("LEADLINE_DSN", None)
    assert json.loads(leadctl("status", "--json", env=environment).stdout)["database"]["ok"]
    done = leadctl("export", "--dir", temp_folder(), check=False)
    assert done.returncode == 1 and "run/dsn" in done.stderr


# lead show ----------------------------------------------------------------------------------------------------------

def test_lead_show(database):
    at = database.query_one("SELECT date_trunc('milliseconds', clock_timestamp())").astimezone(UTC)

    def text(moment):
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"

    ms = datetime.timedelta(milliseconds=1)
    lead_id = insert_lead(database, at, fields={"phone": "+12145550100", "age": 30}, price=3050, cost=1000)
    database.query("UPDATE lead SET raw = %s, reasons = %s WHERE id = %s", json.dumps({"phone": "2145550100", "age": "30"}),
                   json.dumps([{"code": "x", "field": "phone", "message": "m"}]), lead_id)
    insert_sale(database, lead_id, at, n=2, price=550, buyer_id="b2", contract_id="k2", cost=0)
    insert_sale(database, lead_id, at)
    delivery_id = str(uuid.uuid4())
    database.query("INSERT INTO delivery VALUES (%s, %s, 1, 'buyer_abc', 'OPEN', 2, %s, NULL, 500)", lead_id, delivery_id, at + 5 * ms)
    database.query("INSERT INTO attempt VALUES (%s, %s, 1, %s, 12, 500, 'RETRY', 'no\u00e4', 3150, 'x-1', 'https://b.example/'),"
                   " (%s, %s, 2, %s, 15000, NULL, 'RETRY', NULL, NULL, NULL, NULL)",
                   lead_id, delivery_id, at + ms, lead_id, delivery_id, at + 2 * ms)
    decisions = [{"contract_id": "k1", "decision": "skipped", "reason": "cap"}, {"contract_id": "k2", "decision": "sold", "reason": None, "detail": "5.50"}]
    database.query("INSERT INTO trail VALUES (%s, 'sell', %s, %s)", lead_id, at, json.dumps(decisions))
    shown = json.loads(run(database, "lead", "show", lead_id, "--json").stdout)
    decided = shown.pop("decided_at")
    assert decided == text(at)
    assert shown == {
        "id": lead_id, "campaign_id": "campaign_abc123", "supplier_id": "supplier_xyz789", "status": "ACCEPTED", "is_test": False,
        "received_at": text(at), "fields": {"phone": "+12145550100", "age": 30}, "raw": {"phone": "2145550100", "age": "30"},
        "reasons": [{"code": "x", "field": "phone", "message": "m"}], "price": "30.50", "cost": "10.00", "margin": "20.50",
        "sales": [{"buyer_id": "buyer_abc", "contract_id": "buyer_abc", "price": "25.00", "state": "SOLD", "sold_at": text(at)},
                  {"buyer_id": "b2", "contract_id": "k2", "price": "5.50", "state": "SOLD", "sold_at": text(at)}],
        "deliveries": [{"id": delivery_id, "buyer_id": "buyer_abc", "event": None, "state": "OPEN", "next_attempt_at": text(at + 5 * ms), "attempts": [
            {"at": text(at + ms), "http_status": 500, "verdict": "RETRY", "took_ms": 12, "answer": "no\u00e4", "price": "31.50", "reference": "x-1",
             "redirect_url": "https://b.example/"},
            {"at": text(at + 2 * ms), "http_status": None, "verdict": "RETRY", "took_ms": 15000, "answer": None, "price": None, "reference": None,
             "redirect_url": None}]}],
        "trail": [
            {"at": text(at), "step": "sell", "contract_id": "k1", "buyer_id": None, "decision": "skipped", "reason": "cap", "detail": None},
            {"at": text(at), "step": "sell", "contract_id": "k2", "buyer_id": "b2", "decision": "sold", "reason": None, "detail": "5.50"},
            {"at": text(at + ms), "step": "attempt", "contract_id": "buyer_abc", "buyer_id": "buyer_abc", "decision": "RETRY", "reason": "http 500",
             "detail": "attempt 1 to buyer_abc, 12 ms"},
            {"at": text(at + 2 * ms), "step": "attempt", "contract_id": "buyer_abc", "buyer_id": "buyer_abc", "decision": "RETRY", "reason": None,
             "detail": "attempt 2 to buyer_abc, 15000 ms"}]}
    people = run(database, "lead", "show", lead_id.upper()).stdout
    assert all(word in people for word in (lead_id, "30.50", "+12145550100", "2145550100", "k2", "skipped", delivery_id))


def test_lead_show_of_an_unsold_lead_and_of_none(database):
    at = database.query_one("SELECT clock_timestamp()")
    lead_id = insert_lead(database, at, status="UNMATCHED", price=None, cost=None, campaign_id=None)
    shown = json.loads(run(database, "lead", "show", lead_id, "--json").stdout)
    assert (shown["price"], shown["cost"], shown["margin"], shown["campaign_id"]) == (None, None, None, None)
    assert (shown["sales"], shown["deliveries"], shown["trail"], shown["reasons"]) == ([], [], [], [])
    done = run(database, "lead", "show", uuid7(at, 99), "--json", check=False)
    assert done.returncode == 1 and done.stdout == "" and "no lead" in done.stderr
