"""
openapi - reads proto/openapi.yaml, and checks bodies against its schemas.

The checker knows of JSON Schema 2020-12 what the document uses, and fails on a word that it does not know.
"""
import datetime
import pathlib
import re
import uuid

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
API = yaml.safe_load((ROOT / "proto/openapi.yaml").read_text())


def resolve(node):
    """The node itself, or what its $ref points at."""
    while isinstance(node, dict) and "$ref" in node:
        target = API
        assert node["$ref"].startswith("#/"), node["$ref"]
        for part in node["$ref"][2:].split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


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
    if word == "uri":
        return re.fullmatch(r"[a-z][a-z0-9+.-]*:[!-~]+", value) is not None
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
