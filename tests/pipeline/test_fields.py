"""What a campaign says about its fields (SPEC 5), seen by the supplier, the operator and the buyer."""
import json

import pytest

import leadline_testing as lt

FIELDS = [
    {"name": "first_name", "transform": ["trim", "title"], "max_length": 12},
    {"name": "last_name", "required": False, "default": "Unknown"},
    {"name": "state", "values": ["TX", "california"]},
    {"name": "age", "type": "number", "required": True, "min": 18, "max": "120"},
    {"name": "moved", "type": "date", "min": "2020-02-29", "max": "12/31/2029"},
    {"name": "income", "type": "number", "transform": "digits", "min": 1000},
    {"name": "vin", "pattern": "^[A-HJ-NPR-Z0-9]{4}$", "transform": "upper"},
    {"name": "nick", "min_length": 2, "max_length": 4},
    {"name": "roof", "type": "list", "values": ["tile", "metal"], "default": "TILE"},
    {"name": "consent", "type": "boolean", "values": [True]},
    {"name": "credits", "type": "number", "default": 0},
    {"name": "slow", "pattern": "^(a+)+$"},
]


@pytest.fixture(scope="module")
def buyer():
    with lt.Buyer() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def dev(buyer):
    with lt.Dev(lt.document(campaigns=[lt.campaign(fields=FIELDS)], buyers=[lt.buyer(url=buyer.url)])) as running:
        yield running


def test_normal_forms_and_defaults_are_stored_and_delivered(dev, client, buyer):
    sent = lt.lead(first_name=" \u00a0JOSÉ O'NEIL", last_name=None, state="Texas", age="018", moved="2/29/2020", income="$50,000", vin="1hgb", nick="é€",
                   roof="", consent="yes")
    answer = client.ingest(sent)
    assert answer.status == 201, answer.body
    want = {"first_name": "José O'Neil", "last_name": "Unknown", "state": "TX", "age": 18, "moved": "2020-02-29", "income": 50000, "vin": "1HGB",
            "nick": "é€", "roof": "tile", "consent": True, "credits": 0}
    shown = dev.show(answer.data["id"])
    assert {name: shown["fields"][name] for name in want} == want and "slow" not in shown["fields"]
    assert shown["raw"]["first_name"] == sent["first_name"] and "credits" not in shown["raw"]
    delivered = lt.eventually(lambda: buyer.of_lead(answer.data["id"]))[0]
    assert {name: delivered.data["fields"][name] for name in want} == want


@pytest.mark.parametrize("field, value, code, message", [
    ("age", 17, "out_of_range", "must be at least 18"),
    ("age", "17.99999999999999999999", "out_of_range", "must be at least 18"),
    ("age", 120.5, "out_of_range", "must be at most 120"),
    ("age", None, "required", "is required"),
    ("age", "old", "invalid_format", "must be a decimal number like 1234.5, without separators, with at most 40 digits on either side of the point"),
    ("moved", "2020-02-28", "out_of_range", "must be at least 2020-02-29"),
    ("moved", "1/1/2030", "out_of_range", "must be at most 2029-12-31"),
    ("income", "$999", "out_of_range", "must be at least 1000"),
    ("first_name", "Wolfeschlegel", "too_long", "must have at most 12 characters"),
    ("vin", "1HGO", "invalid_format", "must match the pattern ^[A-HJ-NPR-Z0-9]{4}$"),
    ("nick", "x", "invalid_format", "must have at least 2 characters"),
    ("nick", "xxxxx", "too_long", "must have at most 4 characters"),
    ("state", "NY", "not_allowed", "must be one of the values that the campaign lists"),
    ("roof", "slate", "not_allowed", "must be one of the values that the campaign lists"),
    ("consent", False, "not_allowed", "must be one of the values that the campaign lists"),
    ("credits", {"a": 1}, "invalid_format", "must be a single value, not an object or a list"),
])
def test_each_option_refuses(dev, client, field, value, code, message):
    answer = client.ingest(lt.lead(**{"age": 30, field: value}))
    assert answer.status == 400 and answer.json()["error"] == "validation_failed"
    assert answer.json()["field_errors"] == [{"field": field, "code": code, "message": message}]
    shown = dev.show(answer.data["id"])
    assert shown["status"] == "REJECTED"
    assert [(reason["code"], reason["field"], reason["message"]) for reason in shown["reasons"]] == [(code, field, message)]


@pytest.mark.parametrize("fields", [
    {"age": 18}, {"age": "120.000"}, {"moved": "2029-12-31"}, {"income": "none at all"}, {"income": "1,000"}, {"state": "ca"}, {"state": None},
    {"nick": " \t"}, {"vin": ""}, {"consent": None}, {"roof": "METAL"}, {"slow": "a" * 4096},
])
def test_boundaries_and_absent_values_pass(client, fields):
    assert client.ingest(lt.lead(**{"age": 30, **fields})).status == 201


def test_several_are_told_at_once(client):
    answer = client.ingest(lt.lead(age=1, nick="x", vin="?", roof="slate"))
    assert answer.status == 400
    assert {(error["field"], error["code"]) for error in answer.json()["field_errors"]} == {
        ("age", "out_of_range"), ("nick", "invalid_format"), ("vin", "invalid_format"), ("roof", "not_allowed")}


def test_a_pattern_cannot_run_away(client):
    """What would take a backtracking matcher for ever is refused, and others do not wait."""
    answer = client.ingest(lt.lead(age=30, slow="a" * 60 + "!"))
    assert answer.status == 400 and answer.json()["field_errors"][0]["field"] == "slow"
    assert client.ingest(lt.lead(age=30, slow="aaa")).status == 201


def test_numbers_keep_their_digits(dev, client, buyer):
    """Also those that JSON's usual readers round, or refuse as too large. Delivered as a number, one is a double."""
    body = json.dumps(lt.lead())[:-1] + ', "age": 18.00000000000000000001, "source": 12345678901234567890123, "credits": 12345678901234567890, "other": 98765432109876543210}'
    answer = client.ingest(body)
    assert answer.status == 201, answer.body
    delivered = lt.eventually(lambda: buyer.of_lead(answer.data["id"]))[0]
    assert delivered.data["fields"]["source"] == "12345678901234567890123" and delivered.data["fields"]["credits"] == 12345678901234567890.0
    assert dev.query_one("SELECT raw->>'other' FROM lead WHERE id = %s", answer.data["id"]) == "98765432109876543210"
    answer = client.ingest(json.dumps(lt.lead())[:-1] + ', "age": 17.99999999999999999999}')
    assert answer.status == 400 and answer.json()["field_errors"][0]["code"] == "out_of_range"


def test_limits_on_size_and_number(client):
    custom = {f"custom_{n}": "x" for n in range(200)}
    lead = lt.lead(age=30)
    fits = {**lead, **dict(list(custom.items())[:200 - len(lead)])}
    assert len(fits) == 200 and client.ingest(fits).status == 201
    answer = client.ingest({**lt.lead(age=30), **custom})
    assert answer.status == 400 and [error["code"] for error in answer.json()["field_errors"]] == ["out_of_range"]
    assert client.ingest(lt.lead(age=30, comment="é" * 2048)).status == 201
    answer = client.ingest(lt.lead(age=30, comment="é" * 2048 + "x"))
    assert answer.json()["field_errors"] == [{"field": "comment", "code": "too_long", "message": "must be at most 4096 bytes long"}]


def test_the_catalog_follows_apply(dev, client):
    """A changed option holds when apply has returned; a wrong one changes nothing."""
    changed = [{**field, "min": 21} if field["name"] == "age" else field for field in FIELDS]
    try:
        assert dev.apply(lt.document(campaigns=[lt.campaign(fields=changed)])).returncode == 0
        answer = client.ingest(lt.lead(age=20))
        assert answer.status == 400 and answer.json()["field_errors"][0]["message"] == "must be at least 21"
        wrong = [{**field, "pattern": "("} if field["name"] == "vin" else field for field in FIELDS]
        done = dev.apply(lt.document(campaigns=[lt.campaign(fields=wrong)]), check=False)
        assert done.returncode == 1 and done.stderr.startswith("/campaigns/0/fields/6/pattern: ")
        assert client.ingest(lt.lead(age=20)).status == 400
    finally:
        dev.apply(dev.configuration)
