"""The API's description agrees with itself and with the tables in proto/."""

import datetime
import pathlib
import re
import uuid

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
API = yaml.safe_load((ROOT / "proto/openapi.yaml").read_text())
METHODS = {"get", "post", "put", "delete", "patch", "head", "options", "trace"}


def resolve(node):
    """The node itself, or what its $ref points at."""
    while isinstance(node, dict) and "$ref" in node:
        target = API
        assert node["$ref"].startswith("#/"), node["$ref"]
        for part in node["$ref"][2:].split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


# A small checker of JSON Schema 2020-12: what this document uses, and an error for what it does not know -----------

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


def check_format(value, word):
    if word == "uuid":
        return str(uuid.UUID(value)) == value
    if word == "date-time":
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).tzinfo is not None
    raise AssertionError(f"format {word} is not known to this checker")


def faults(value, schema, at=""):
    """What is wrong with the value, as a list of sentences; and the set of its keys that the schema speaks of."""
    wrong, seen = [], set()

    def say(text):
        wrong.append(f"{at or '/'}: {text}")

    def go(sub):
        more, keys = faults(value, sub, at)
        wrong.extend(more)
        seen.update(keys)

    for key, arg in schema.items():
        if key == "$ref":
            go(resolve(schema))
        elif key == "allOf":
            for sub in arg:
                go(sub)
        elif key == "oneOf":
            tries = [faults(value, sub, at) for sub in arg]
            fits = [keys for more, keys in tries if not more]
            if len(fits) != 1:
                say(f"{len(fits)} of oneOf hold instead of one: {[more for more, _ in tries]}")
            for keys in fits:
                seen.update(keys)
        elif key == "type":
            if not any(TYPES[word](value) for word in ([arg] if isinstance(arg, str) else arg)):
                say(f"is not {arg}")
        elif key == "const":
            if value != arg or type(value) is not type(arg):
                say(f"is not {arg!r}")
        elif key == "enum":
            if value not in arg:
                say(f"is none of {arg}")
        elif key == "pattern":
            if isinstance(value, str) and not re.search(arg, value):
                say(f"does not match {arg}")
        elif key == "format":
            try:
                fits = not isinstance(value, str) or check_format(value, arg)
            except ValueError:
                fits = False
            if not fits:
                say(f"is no {arg}")
        elif key in ("minLength", "maxLength"):
            if isinstance(value, str) and (len(value) < arg if key == "minLength" else len(value) > arg):
                say(f"{key} {arg}")
        elif key in ("minItems", "maxItems"):
            if isinstance(value, list) and (len(value) < arg if key == "minItems" else len(value) > arg):
                say(f"{key} {arg}")
        elif key == "maxProperties":
            if isinstance(value, dict) and len(value) > arg:
                say(f"{key} {arg}")
        elif key in ("minimum", "maximum"):
            if TYPES["number"](value) and (value < arg if key == "minimum" else value > arg):
                say(f"{key} {arg}")
        elif key == "required":
            for name in arg:
                if isinstance(value, dict) and name not in value:
                    say(f"lacks {name}")
        elif key == "properties":
            for name, sub in arg.items():
                if isinstance(value, dict) and name in value:
                    seen.add(name)
                    wrong.extend(faults(value[name], sub, f"{at}/{name}")[0])
        elif key == "items":
            for i, item in enumerate(value if isinstance(value, list) else []):
                wrong.extend(faults(item, arg, f"{at}/{i}")[0])
        elif key not in ("additionalProperties", "unevaluatedProperties", "description"):
            raise AssertionError(f"{key} is not known to this checker")

    if isinstance(value, dict):
        # additionalProperties sees its own schema's properties, unevaluatedProperties those of what it refers to as well
        for key, known in (("additionalProperties", set(schema.get("properties", {}))), ("unevaluatedProperties", seen)):
            for name in value if key in schema else ():
                if name in known:
                    continue
                seen.add(name)
                if schema[key] is False:
                    say(f"{name} is not expected")
                elif isinstance(schema[key], dict):
                    wrong.extend(faults(value[name], schema[key], f"{at}/{name}")[0])
    return wrong, seen


def key_order(schema):
    """The keys of an object in the order of its schema, and each one's schema (the last word wins)."""
    keys = {}
    schema = dict(schema)
    for sub in ([resolve(schema)] if "$ref" in schema else []) + schema.get("allOf", []):
        keys.update(key_order(sub))
    for name, sub in schema.get("properties", {}).items():
        keys[name] = sub
    return keys


def out_of_order(value, schema, at=""):
    """Places where the example's keys do not stand in the schema's order. oneOf is decided by which one holds."""
    for sub in resolve(schema).get("oneOf", []):
        if not faults(value, sub)[0]:
            return out_of_order(value, sub, at)
    schema = resolve(schema)
    if isinstance(value, list):
        return [bad for i, item in enumerate(value) for bad in out_of_order(item, schema.get("items", {}), f"{at}/{i}")]
    if not isinstance(value, dict):
        return []
    keys = key_order(schema)
    bad = [] if [k for k in keys if k in value] == [k for k in value if k in keys] else [f"{at or '/'}: {list(value)}"]
    for name, item in value.items():
        bad += out_of_order(item, keys.get(name, {}), f"{at}/{name}")
    return bad


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
        assert problem["title"] == title
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
