"""Filters, price rules and schedules in the configuration document: every error at its place, what is right comes back as it went in."""
import json

import pytest

import leadline_testing as testing
from leadline_testing import buyer, campaign, contract, document, leadctl

FIELDS = [{"name": "age", "type": "number"}, {"name": "moved", "type": "date"}, {"name": "owner", "type": "boolean"},
          {"name": "roof", "type": "list", "values": ["tile", "metal"]}]


def rule(field, op, *value, **more):
    return {"field": field, "op": op, **({"value": value[0]} if value else {}), **more}


def nested(levels, inner):
    for level in range(levels):
        inner = {"any" if level % 2 else "all": [inner]}
    return inner


def complaints(database, changed):
    done = testing.apply(changed, "--dsn", database.dsn(), check=False)
    assert done.returncode == 1 and done.stdout == ""
    lines = [line.split(": ", 1) for line in done.stderr.splitlines()]
    found = dict(lines)
    assert len(found) == len(lines), "a place was complained about twice:\n" + done.stderr
    return found


def of(**more):
    return document(campaigns=[campaign(fields=FIELDS, **more)])


def test_what_is_right_comes_back(database):
    filters = {"all": [rule("state", "IN", ["TX", "California"]), {"any": [rule("age", ">=", 21.5), rule("age", "IS EMPTY")]},
                       rule("moved", ">= DAYS AGO", 30), rule("email", "MATCHES", "@example[.]com$"), rule("owner", "==", True),
                       rule("roof", "NOT IN", ["TILE"]), rule("age", "BETWEEN", [18, 65.25]), rule("phone", "STARTS WITH", "+1"),
                       rule("age", "!=", 0.1, schedule={"days": ["MON"], "hours": [["22:00", "06:00"], ["09:00", "24:00"]]})]}
    rules = [{"filter": rule("age", ">=", 50), "price": "30.00"}, {"filter": nested(8, rule("state", "==", "TX")), "price": "27.50"}, {"filter": {}, "price": "26"}]
    right = of(inbound_filters=filters, contracts=[contract(filters=filters, price_rules=rules, schedule={"days": ["MON", "SUN"], "hours": [["09:00", "17:00"]]})])
    testing.apply(right, "--dsn", database.dsn())
    exported = json.loads(leadctl("export", "--dsn", database.dsn()).stdout)
    stored = exported["campaigns"][0]
    assert stored["inbound_filters"] == filters and stored["contracts"][0]["filters"] == filters
    assert stored["contracts"][0]["price_rules"] == rules
    assert stored["contracts"][0]["schedule"] == {"days": ["MON", "SUN"], "hours": [["09:00", "17:00"]]}
    assert "nothing changed" in testing.apply(exported, "--dsn", database.dsn()).stdout


def test_values_of_a_list_may_be_numbers_and_booleans(database):
    sizes = {"name": "size", "type": "list", "values": ["small", 3, 2.5, True]}
    filters = {"all": [rule("size", "IN", ["3", 2.5, "SMALL", True]), rule("size", "!=", 3)]}
    testing.apply(document(campaigns=[campaign(fields=[sizes], inbound_filters=filters)]), "--dsn", database.dsn())
    wrong = document(campaigns=[campaign(fields=[sizes], inbound_filters=rule("size", "IN", [3, 4, "false"]))])
    assert sorted(complaints(database, wrong)) == ["/campaigns/0/inbound_filters/value/1", "/campaigns/0/inbound_filters/value/2"]


def test_every_error_has_its_place_and_nothing_changes(database):
    testing.apply(of(), "--dsn", database.dsn())
    inbound = {"all": [rule("shoe_size", "==", 1), rule("age", "~", 1), rule("age", ">=", "old"), rule("state", "IN", "TX"), rule("age", "BETWEEN", [9, 3]),
                       rule("email", "MATCHES", "(("), rule("moved", ">= DAYS AGO", 1.5), rule("age", "<= DAYS AGO", 3), rule("state", "IN", ["TX", "Bavaria"]),
                       rule("state", "IS EMPTY", "x"), rule("age", "=="), {"field": "age"}, {"op": "=="}, rule("age", "==", 1, extra=1),
                       {"any": []}, {"all": [], "any": [rule("age", "==", 1)]}, rule("flo_supplier_id", "==", "x"), rule("owner", ">", True), rule("roof", "==", "straw"),
                       rule("age", "==", None), "x"]}
    contract_ = contract(filters=nested(9, rule("age", "==", 1)), schedule={"days": ["MON", "Monday"], "hours": [["9:00", "17:00"], ["10:00", "10:00"]]},
                         price_rules=[{"filter": rule("age", "==", "x"), "price": "1"}, {"filter": [], "price": "x"}, {"price": "1.00"}])
    at, ours = "/campaigns/0/inbound_filters/all/", "/campaigns/0/contracts/0/"
    found = complaints(database, of(inbound_filters=inbound, contracts=[contract_]))
    assert set(found) == {at + place for place in (
        "0/field", "1/op", "2/value", "3/value", "4/value", "5/value", "6/value", "7/op", "8/value/1", "9/value", "10/value", "11/op", "12/field",
        "13/extra", "14/any", "15", "16/field", "17/op", "18/value", "19/value", "20")} | {ours + place for place in (
            "filters" + "/all/0/any/0" * 4 + "/all", "schedule/days/1", "schedule/hours/0/0", "schedule/hours/1/1", "price_rules/0/filter/value",
            "price_rules/1/filter", "price_rules/1/price", "price_rules/2/filter")}
    assert "the campaign defines no such field" in found[at + "0/field"] and "must be one of ==" in found[at + "1/op"]
    assert "at position 2" in found[at + "5/value"] and "nested deeper than 8 levels" in found[ours + "filters" + "/all/0/any/0" * 4 + "/all"]
    assert database.query_one("SELECT catalog_version FROM installation") == 1


@pytest.mark.parametrize("filters", [{}, {"all": []}, {"schedule": {"days": ["MON"]}}])
def test_filters_that_everybody_passes(database, filters):
    testing.apply(of(inbound_filters=filters, contracts=[contract(filters=filters)]), "--dsn", database.dsn())


def test_a_changed_type_is_checked_against_the_filters(database):
    testing.apply(of(inbound_filters=rule("moved", ">= DAYS AGO", 3)), "--dsn", database.dsn())
    changed = of(inbound_filters=rule("moved", ">= DAYS AGO", 3))
    changed["campaigns"][0]["fields"][1]["type"] = "string"
    assert complaints(database, changed) == {"/campaigns/0/inbound_filters/op": "is for fields of type date"}
    changed["campaigns"][0]["fields"].pop(1)
    assert complaints(database, changed) == {"/campaigns/0/inbound_filters/field": "the campaign defines no such field"}


def test_a_system_field_of_another_type(database):
    changed = document(campaigns=[campaign(fields=[{"name": "source", "type": "number"}], inbound_filters=rule("source", ">", "x"))], buyers=[buyer()])
    assert set(complaints(database, changed)) == {"/campaigns/0/inbound_filters/value"}
