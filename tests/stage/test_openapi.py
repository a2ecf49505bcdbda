"""The API's description agrees with itself and with the tables in proto/."""

import re

import pytest

from openapi import API, ROOT, faults, out_of_order, resolve

METHODS = {"get", "post", "put", "delete", "patch", "head", "options", "trace"}


def test_the_checker_finds_faults():
    accepted = API["components"]["schemas"]["Accepted"]
    good = API["components"]["examples"]["Accepted"]["value"]
    assert faults(good, accepted)[0] == []
    data = good["data"]
    for wrong in (
        {},
        {"data": None},
        {"data": {**data, "status": "UNMATCHED"}},
        {"data": {**data, "extra": 1}},
        {"data": {**data, "is_test": False}},
        {"data": {**data, "id": "0193"}},
        {"data": {k: v for k, v in data.items() if k != "buyer_id"}},
    ):
        assert faults(wrong, accepted)[0], wrong
    problem = API["components"]["examples"]["RateLimited"]["value"]
    schema = API["components"]["schemas"]["RateLimited"]
    assert faults(problem, schema)[0] == []
    assert faults({**problem, "extra": 1}, schema)[0]
    assert faults({**problem, "retry_after": 0}, schema)[0]
    assert faults({k: v for k, v in problem.items() if k != "title"}, schema)[0]
    turned = dict(reversed(list(problem.items())))
    assert faults(turned, schema)[0] == [] and out_of_order(turned, schema) and not out_of_order(problem, schema)


# The document ------------------------------------------------------------------------------------------------------


def operations():
    for path, item in API["paths"].items():
        for method, operation in item.items():
            assert method in METHODS, (path, method)
            yield path, method, operation


def bodies():
    """Every body with examples: (where, schema, name of the example, its value)."""
    for path, method, operation in operations():
        places = [(f"{method} {path}", operation.get("requestBody"))]
        places += [(f"{method} {path} {status}", response) for status, response in operation["responses"].items()]
        for where, place in places:
            for media, content in (resolve(place) or {}).get("content", {}).items():
                for name, example in content.get("examples", {}).items():
                    yield pytest.param(content["schema"], resolve(example)["value"], id=f"{where} {media} {name}")


@pytest.mark.parametrize("schema, value", bodies())
def test_examples_fit_their_schema(schema, value):
    assert faults(value, schema)[0] == []
    assert out_of_order(value, schema) == []


def test_every_body_has_an_example():
    for path, method, operation in operations():
        for status, response in operation["responses"].items():
            for media, content in resolve(response)["content"].items():
                assert media == "application/yaml" or content.get("examples"), (path, method, status, media)


def test_no_reference_hangs_and_nothing_is_left_over():
    text = (ROOT / "proto/openapi.yaml").read_text()
    used = set(re.findall(r"#/components/[A-Za-z]+/[A-Za-z]+", text))
    for ref in used:
        resolve({"$ref": ref})
    for kind in ("schemas", "examples", "responses", "headers", "parameters"):
        for name in API["components"][kind]:
            assert f"#/components/{kind}/{name}" in used, f"{kind}/{name} is used nowhere"


def test_parameters_of_a_path_are_declared():
    for path, _, operation in operations():
        declared = {resolve(p)["name"] for p in operation.get("parameters", []) if resolve(p)["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path))


def reasons():
    rows = re.findall(r'^REASON\((\w+),\s*"(\w*)",\s*(\d+),\s*(\w+),\s*"([^"]*)",\s*"([^"]*)"\)',
                      (ROOT / "proto/reason.def").read_text(), re.M)
    assert len(rows) > 20
    return [pytest.param(word, int(status), recorded == "RECORDED", title, id=word) for _, word, status, recorded, title, _ in rows
            if int(status) >= 400]


def problems_of(operation, status):
    response = resolve(operation["responses"].get(str(status), {}))
    for content in response.get("content", {}).values():
        for example in content.get("examples", {}).values():
            yield resolve(example)["value"]


@pytest.mark.parametrize("word, status, is_recorded, title", reasons())
def test_ingest_documents_every_reason(word, status, is_recorded, title):
    found = [p for p in problems_of(API["paths"]["/ingest"]["post"], status) if p["error"] == word]
    assert found, f"no example of {word} under status {status}"
    for problem in found:
        assert problem["status"] == status
        assert problem["title"] == title and problem["type"] == "urn:leadline:error:" + word
        assert ("data" in problem) == is_recorded


def test_no_example_invents_a_reason():
    known = {param.values[0] for param in reasons()}
    for example in API["components"]["examples"].values():
        value = example["value"]
        if "error" in value:
            assert value["error"] in known


def test_states_are_those_of_the_table():
    states = re.findall(r"^LEAD_STATE\((\w+),", (ROOT / "proto/lead_state.def").read_text(), re.M)
    assert API["components"]["schemas"]["LeadStatus"]["properties"]["status"]["enum"] == states


def test_system_fields_are_those_of_the_table():
    fields = re.findall(r"^SYSTEM_FIELD\((\w+),", (ROOT / "proto/system_field.def").read_text(), re.M)
    assert sorted(API["components"]["schemas"]["Lead"]["properties"]) == sorted(fields)


def test_errors_are_described_for_both_media_types():
    for path, method, operation in operations():
        for status, response in operation["responses"].items():
            content = resolve(response)["content"]
            if int(status) >= 400:
                assert content["application/problem+json"] == content["application/json"], (path, method, status)
            assert "x-request-id" in resolve(response)["headers"]


def test_the_key_is_needed_everywhere_but_for_the_description():
    assert API["security"] == [{"supplierKey": []}]
    scheme = API["components"]["securitySchemes"]["supplierKey"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "x-api-key")
    assert [path for path, _, operation in operations() if operation.get("security") == []] == ["/openapi.yaml"]
