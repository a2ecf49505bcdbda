"""The posting spec (SPEC 2): a supplier's developer who follows it gets a lead in."""
import html.parser
import json
import shlex
import subprocess

import pytest

import leadline_testing as lt
from test_answers_fit import fits

FIELDS = [
    {"name": "first_name", "transform": ["trim", "title"], "max_length": 3},
    {"name": "last_name", "required": False},
    {"name": "email", "pattern": "[.]org$"},
    {"name": "phone", "strict": True},
    {"name": "state", "values": ["california", "TX"], "required": True},
    {"name": "zip_code", "required": True, "pattern": "^9"},
    {"name": "age", "type": "number", "required": True, "min": 18.5, "max": "120"},
    {"name": "big", "type": "number", "required": True, "min": "12345678901234567890.123456789"},
    {"name": "moved", "type": "date", "required": True, "min": "2031-02-03", "max": "12/31/2031"},
    {"name": "income", "type": "number", "required": True, "transform": "digits", "min": 1000},
    {"name": "code", "required": True, "pattern": "^[A-Z]{3}$"},
    {"name": "long", "required": True, "min_length": 300},
    {"name": "site", "type": "url", "required": True, "min_length": 60},
    {"name": "roof", "type": "list", "required": True, "values": ["tile's", "<metal> & \"more\""]},
    {"name": "consent", "type": "boolean", "required": True, "values": [False]},
    {"name": "credits", "type": "number", "required": True, "default": 7},
    {"name": "either", "pattern": "^(?!x)zq+$"},
]
HARD = [{"name": "vin", "required": True, "pattern": "^(?!x)zq+$"}, {"name": "age", "type": "number"}]
FILTER_FIELDS = [{"name": "age", "type": "number", "required": True}, {"name": "moved", "type": "date"}, {"name": "roof", "type": "list", "values": ["tile", "Metal"]},
                 {"name": "grade", "values": ["A", "B", "C"]}, {"name": "owner", "type": "boolean", "required": True}, {"name": "site", "type": "url"}, {"name": "note"},
                 {"name": "fixed", "required": True, "default": "here"}]
OPEN = {"days": ["MON"], "hours": [["00:00", "24:00"]]}


def rule(field, op, *value):
    return {"field": field, "op": op, **({"value": value[0]} if value else {})}


FILTERS = {
    "one state": rule("state", "IN", ["FL", "NY"]),
    "not the usual": {"all": [rule("state", "NOT IN", ["TX", "CA"]), rule("zip_code", "!=", "75201"), rule("first_name", "!=", "john")]},
    "numbers": {"all": [rule("age", ">", 64.5), rule("age", "<", 67), rule("age", "!=", 65.5)]},
    "at least": rule("age", ">=", 50000.25),
    "between": rule("age", "BETWEEN", [18, 25]),
    "a part of a phone": rule("phone", "STARTS WITH", "+1786"),
    "a part of a zip": rule("zip_code", "STARTS WITH", "331"),
    "parts of an e-mail": rule("email", "CONTAINS", "@gmail.com"),
    "a part of an address": rule("site", "CONTAINS", "landing"),
    "text": rule("note", "CONTAINS", "Roof"),
    "a pattern": rule("zip_code", "MATCHES", "^9"),
    "lately": {"all": [rule("moved", ">= DAYS AGO", 30), rule("moved", "<= DAYS AGO", 3)]},
    "long ago": rule("moved", "<= DAYS AGO", 20000),
    "nothing": {"all": [rule("moved", "IS EMPTY"), rule("source", "IS EMPTY"), rule("note", "IS NOT EMPTY")]},
    "none of its values": rule("grade", "NOT IN", ["a", "b", "c"]),
    "the other": {"all": [rule("roof", "!=", "tile"), rule("owner", "==", False), rule("grade", ">=", "C")]},
    "either": {"any": [rule("age", "<", 0), {"all": [rule("state", "==", "wy"), {"any": [rule("age", "==", 7), rule("roof", "==", "metal")]}]}]},
    "not the default": rule("fixed", "!=", "here"),
    "a day": {"all": [{**rule("state", "==", "FL"), "schedule": OPEN}, rule("age", ">", 90)]},
}
IMPOSSIBLE = {"never": {"all": [rule("age", ">", 10), rule("age", "<", 5)]}, "not empty": rule("first_name", "IS EMPTY"),
              "odd": {"all": [rule("note", "MATCHES", "^(?!x)zq+$") for _ in range(50)]}}
PATH = "/api/v1/spec?flo_campaign_id="


@pytest.fixture(scope="module")
def dev():
    slow = lt.supplier("slow", key="slow_key", rate_limits={"lookup": {"per_second": 1, "burst": 0}})
    document = lt.document(
        suppliers=[lt.supplier(), lt.supplier("other", key="other_key"), slow, lt.supplier("far", key="far_key", allowed_ips=["203.0.113.0/24"])],
        campaigns=[lt.campaign(fields=FIELDS, duplicates=[{"fields": ["phone"], "window_days": 30}], sources=[lt.source(), lt.source("slow")]),
                   lt.campaign("plain", sources=[lt.source(), lt.source("other", answer="full")]), lt.campaign("hard", fields=HARD),
                   lt.campaign("received", sources=[lt.source(answer="received")]), lt.campaign("paused", status="PAUSED"),
                   *[lt.campaign(name.replace(" ", "_"), fields=FILTER_FIELDS, inbound_filters=filter if "field" not in filter else {"all": [filter]})
                     for name, filter in {**FILTERS, **IMPOSSIBLE}.items()]])
    with lt.Dev(document) as running:
        yield running


def spec(client, campaign="campaign_abc123", **headers):
    answer = fits(client.get(PATH + campaign, **headers), "/spec", "get")
    assert answer.status == 200 and answer.headers["vary"] == "Accept"
    return answer.data


class Page(html.parser.HTMLParser):
    """The texts of a page: of each row of each table, and of every element with an id."""

    VOID = ("meta", "link", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.rows, self.tags = [], {}, {}, set()
        self.feed(text)
        assert self.open == [], "not every element is closed"

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        assert not any(name in ("src", "href") or name.startswith("on") for name, _ in attributes)
        if tag in self.VOID:
            return
        self.open.append((tag, dict(attributes).get("id")))
        if tag == "tr":
            self.rows.setdefault(next(id for name, id in reversed(self.open) if name == "table"), []).append([])
        elif tag in ("td", "th"):
            self.rows[next(id for name, id in reversed(self.open) if name == "table")][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, text):
        for tag, id in self.open:
            if id is not None:
                self.texts[id] = self.texts.get(id, "") + text
        if any(tag in ("td", "th") for tag, _ in self.open):
            self.rows[next(id for name, id in reversed(self.open) if name == "table")][-1][-1] += text


def page(client, campaign="campaign_abc123", accept="text/html"):
    answer = client.get(PATH + campaign, accept=accept)
    assert answer.status == 200 and answer.headers["content-type"] == "text/html; charset=utf-8", answer.body
    assert answer.headers["vary"] == "Accept" and "default-src 'none'" in answer.headers["content-security-policy"]
    assert "x-request-id" in answer.headers and answer.headers["ratelimit"].startswith('"lookup";')
    found = Page(answer.body.decode())
    assert not found.tags & {"script", "img", "link", "iframe"} and b"http://www.w3" not in answer.body
    return found


def test_the_fields_are_those_of_the_campaign(client):
    data = spec(client)
    assert (data["campaign_id"], data["supplier_id"], data["url"], data["method"]) == ("campaign_abc123", "supplier_xyz789", "/api/v1/ingest", "POST")
    fields = {field["name"]: {key: value for key, value in field.items() if key not in ("name", "description")} for field in data["fields"]}
    assert len(fields) == len(data["fields"]) and "flo_ping_id" not in fields
    assert fields["flo_campaign_id"] == {"type": "string", "required": True}
    assert fields["last_name"] == {"type": "string", "required": False}
    assert fields["first_name"] == {"type": "string", "required": True, "transform": ["trim", "title"], "max_length": 3}
    assert fields["state"] == {"type": "state", "required": True, "values": ["CA", "TX"]}
    assert fields["age"] == {"type": "number", "required": True, "min": 18.5, "max": 120}
    assert fields["big"] == {"type": "number", "required": True, "min": "12345678901234567890.123456789"}
    assert fields["moved"] == {"type": "date", "required": True, "min": "2031-02-03", "max": "2031-12-31"}
    assert fields["code"] == {"type": "string", "required": True, "pattern": "^[A-Z]{3}$"}
    assert fields["long"] == {"type": "string", "required": True, "min_length": 300}
    assert fields["consent"] == {"type": "boolean", "required": True, "values": [False]}
    assert fields["credits"] == {"type": "number", "required": False, "default": 7}  # its default stands in
    assert all(field["description"] for field in data["fields"])


@pytest.mark.parametrize("campaign", ["campaign_abc123", "plain"])
def test_the_example_is_sold_as_it_stands_and_again(dev, client, campaign):
    data = spec(client, campaign)
    assert data["placeholders"] == []
    assert {field["name"] for field in data["fields"] if field["required"]} <= set(data["example"])
    for _ in range(2):  # a test lead is nobody's duplicate
        answer = client.ingest(data["example"])
        assert answer.status == 201, answer.body
    shape = next(answer for answer in data["answers"] if answer["status"] == 201)["body"]
    assert list(answer.data) == list(shape["data"]) and answer.data["campaign_id"] == shape["data"]["campaign_id"]


@pytest.mark.parametrize("campaign", ["campaign_abc123", "plain"])
def test_the_page_says_the_same_and_its_curl_works(dev, client, campaign):
    data, shown = spec(client, campaign), page(client, campaign)
    rows = shown.rows["fields"][1:]
    assert [row[0] for row in rows] == [field["name"] for field in data["fields"]]
    for field, (_, kind, need, text) in zip(data["fields"], rows):
        assert kind == field["type"] and need == ("required" if field["required"] else "optional")
        for key in ("description", "pattern", "min", "max", "min_length", "max_length"):
            assert str(field.get(key, "")) in text, (field, text)
        assert all((value if isinstance(value, str) else json.dumps(value)) in text for value in field.get("values", []) + field.get("transform", []))
    assert [(int(row[0]), json.loads(row[1][row[1].index("{"):])) for row in shown.rows["answers"][1:]] == [
        (answer["status"], answer["body"]) for answer in data["answers"]]
    words = shlex.split(shown.texts["curl"].replace("\\\n", ""))  # shlex keeps the end of a line that goes on
    url = f"http://127.0.0.1:{dev.port}/api/v1/ingest"
    assert words[:5] == ["curl", "-i", "-X", "POST", url] and words[-2] == "--data-raw"
    assert json.loads(words[-1]) == data["example"]
    done = subprocess.run(["sh", "-c", shown.texts["curl"].replace("YOUR_API_KEY", lt.API_KEY)], capture_output=True, timeout=30, check=True)
    assert b" 201 " in done.stdout.splitlines()[0], done.stdout


def test_what_cannot_be_made_up_is_marked(client):
    data, shown = spec(client, "hard"), page(client, "hard")
    assert data["placeholders"] == ["vin"] and data["example"]["vin"] == "REPLACE_ME"
    assert "vin" in shown.texts["placeholders"] and "REPLACE_ME" in shown.texts["curl"]
    assert client.ingest(data["example"]).json()["field_errors"][0]["field"] == "vin"
    assert client.ingest({**data["example"], "vin": "zqq"}).status == 201
    assert "placeholders" not in page(client).texts
    assert "either" not in spec(client)["example"]  # optional: simply left out


def test_the_source_decides_what_answers_tell(dev, client):
    assert [answer["body"]["data"]["status"] for answer in spec(client, "received")["answers"] if answer["status"] < 300] == ["RECEIVED"]
    other = lt.Client(dev.port, key="other_key")
    data = spec(other, "plain")
    assert data["supplier_id"] == data["example"]["flo_supplier_id"] == "other"
    sold = next(answer for answer in data["answers"] if answer["status"] == 201)["body"]["data"]
    assert list(other.ingest(data["example"]).data) == list(sold)
    other.close()


@pytest.mark.parametrize("accept, is_page", [
    (None, False), ("*/*", False), ("application/json", False), ("application/json, text/html;q=0.5", False), ("text/html;q=0", False),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True)])
def test_the_client_decides_the_form(client, accept, is_page):
    answer = client.get(PATH + "plain", accept=accept)
    assert answer.headers["content-type"].startswith("text/html" if is_page else "application/json")


@pytest.mark.parametrize("path, key, status, error", [
    (PATH + "plain", None, 401, "unauthorized"), (PATH + "plain", "nobody's", 401, "unauthorized"), (PATH + "plain", "far_key", 403, "forbidden"),
    (PATH + "hard", "other_key", 403, "forbidden"), (PATH + "nowhere", lt.API_KEY, 404, "campaign_not_found"),
    (PATH, lt.API_KEY, 400, "validation_failed"), ("/api/v1/spec", lt.API_KEY, 400, "validation_failed"),
    ("/api/v1/spec?flo_campaign_id=%zz", lt.API_KEY, 400, "bad_request"), (PATH + "paused", lt.API_KEY, 200, None)])
@pytest.mark.parametrize("accept", ["application/problem+json", "text/html"])
def test_errors(client, path, key, status, error, accept):
    answer = client.get(path, x_api_key=key, accept=accept)
    assert answer.status == status
    if status != 200:
        assert fits(answer, "/spec", "get").error == error
        assert answer.headers["content-type"] == ("application/json" if accept == "text/html" else accept)
    if error == "validation_failed":
        assert answer.json()["field_errors"] == [{"field": "flo_campaign_id", "code": "required", "message": "is required"}]


def test_head_and_other_methods(client):
    for accept in ("application/json", "text/html"):
        whole = client.get(PATH + "plain", accept=accept)
        head = client.request("HEAD", PATH + "plain", None, {"x-api-key": lt.API_KEY, "accept": accept})
        assert (head.status, head.body) == (200, b"") and head.headers["content-length"] == str(len(whole.body))
    assert fits(client.request("POST", "/api/v1/spec", b""), "/spec", "get").headers["allow"] == "GET, HEAD"


def test_it_shares_the_limit_of_look_ups(dev):
    slow = lt.Client(dev.port, key="slow_key")
    answers = [fits(slow.get(PATH + "campaign_abc123"), "/spec", "get") for _ in range(3)]
    assert answers[-1].status == 429 and answers[-1].headers["ratelimit"].startswith('"lookup')
    slow.close()


def test_a_spec_follows_apply(dev, client):
    try:
        dev.apply(lt.document(campaigns=[lt.campaign("plain", fields=[{"name": "age", "type": "number", "required": True, "min": 90}])]))
        lt.eventually(lambda: client.get(PATH + "campaign_abc123").error == "campaign_not_found")
        data = spec(client, "plain")
        assert {"name": "age", "required": True, "min": 90}.items() <= data["fields"][-1].items() and data["example"]["age"] >= 90
    finally:
        dev.apply(dev.configuration)


@pytest.mark.parametrize("name", FILTERS)
def test_an_example_passes_the_filter(client, name):
    data = spec(client, name.replace(" ", "_"))
    assert data["placeholders"] == [] and data["example"]["state"].isupper()
    answer = client.post(data["url"], data["example"])
    assert answer.status == 201, (data["example"], answer.body)


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_of_a_filter_that_no_example_passes_the_rest_is_told(client, name):
    data = spec(client, name.replace(" ", "_"))
    assert client.post(data["url"], data["example"]).error == "filtered"
