"""
A buyer's own format: templates, methods, headers and response rules, through a real dispatcher to a played buyer; and
`leadctl delivery preview`, which shows the same request.
"""
import json
import subprocess
import urllib.parse

import pytest

import leadline_testing as testing
from leadline_testing import Buyer, SECRET, campaign, contract, document, eventually, leadctl, signature_is_right
from test_dispatcher import FIELDS, endpoint, router, start  # noqa: F401: fixtures

CUSTOM = [{"name": "age", "type": "number"}, {"name": "income", "type": "number"}, {"name": "owner", "type": "boolean"},
          {"name": "smoker", "type": "boolean"}, {"name": "born", "type": "date"}]
TEMPLATE = {"lead": {"phone": "{{digits10 phone}}", "name": "{{upper full_name}}", "age": "{{age}}", "text": "{{text age}} years", "gone": "{{state}}",
                     "flags": ["{{owner}}", "{{smoker}}", "{{zip_code}}"]},
            "ids": ["{{id}}", "{{delivery_id}}", "{{campaign_id}}", "{{buyer_id}}"], "price": "{{number price}}", "version": 2.5, "test": "{{is_test}}"}


def formatted(url, fields=None, **delivery):
    """A configuration whose buyer's delivery has these keys, too."""
    made = document(url, campaigns=[campaign(fields=CUSTOM if fields is None else fields)])
    made["buyers"][0]["delivery"].update(delivery)
    return made


def attempt(router, sold):
    """What was recorded of the latest attempt: verdict, price, reference, redirect URL."""
    return testing.query(router.connection, "SELECT verdict, price_cents, reference, redirect_url FROM attempt WHERE lead_id = %s"
                         " AND delivery_id = %s ORDER BY attempt DESC LIMIT 1", sold.lead_id, sold.id)[0]


def templated(sold):
    return {"lead": {"phone": "5551234567", "name": "ZOË O'NEIL \"Z\"", "age": 42, "text": "42 years", "flags": [True, False]},
            "ids": [sold.lead_id, sold.id, "campaign_abc123", "buyer_abc"], "price": 25, "version": 2.5, "test": False}


# What a buyer gets ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_template_with_headers(database, router, start, endpoint, method):  # noqa: F811
    database.apply(formatted(endpoint.url, method=method, template=TEMPLATE,
                             headers={"x-token": "abc", "X-Lead": "{{campaign_id}}/{{age}}", "x-gone": "{{state}}"}))
    sold = router.hand_over(start())[0]
    request = endpoint.wait(1)[0]
    assert request.method == method and request.path == "/leads"
    assert request.json() == templated(sold)
    assert request.headers["content-type"] == "application/json"
    assert (request.headers["x-token"], request.headers["x-lead"]) == ("abc", "campaign_abc123/42") and "x-gone" not in request.headers
    assert request.webhook_id == sold.id and request.is_signed(SECRET)
    router.wait_state(sold, "DELIVERED")


def test_a_form(database, router, start, endpoint):  # noqa: F811
    database.apply(formatted(endpoint.url, format="form", template={"Name": "{{full_name}}", "a b": "{{age}}&{{owner}}", "st": "{{state}}"}))
    sold = router.hand_over(start())[0]
    request = endpoint.wait(1)[0]
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert dict(urllib.parse.parse_qsl(request.body.decode(), strict_parsing=True)) == {"Name": "Zoë O'Neil \"Z\"", "a b": "42&true"}
    assert request.is_signed(SECRET)
    router.wait_state(sold, "DELIVERED")


def test_the_usual_form(database, router, start, endpoint):  # noqa: F811
    database.apply(formatted(endpoint.url, format="form"))
    sold = router.hand_over(start())[0]
    form = dict(urllib.parse.parse_qsl(endpoint.wait(1)[0].body.decode(), strict_parsing=True))
    assert (form.pop("id"), form.pop("price"), form.pop("is_test"), form.pop("campaign_id"), form.pop("buyer_id")) == \
        (sold.lead_id, "25.00", "false", "campaign_abc123", "buyer_abc")
    assert form.pop("timestamp").startswith(sold.sold_at.strftime("%Y-%m-%dT%H:%M:%S"))
    assert form == {name: json.dumps(value) if not isinstance(value, str) else value for name, value in FIELDS.items()}


def test_get_sends_the_form_in_the_url(database, router, start, endpoint):  # noqa: F811
    database.apply(formatted(endpoint.url + "?key=1", method="GET", template={"p": "{{digits10 phone}}", "n": "{{last_name}}"}))
    sold = router.hand_over(start())[0]
    request = endpoint.wait(1)[0]
    path, query = request.path.split("?")
    assert request.method == "GET" and path == "/leads" and request.body == b"" and "content-type" not in request.headers
    assert urllib.parse.parse_qs(query, strict_parsing=True) == {"key": ["1"], "p": ["5551234567"], "n": ["O'Neil \"Z\""]}
    assert signature_is_right(SECRET, request.headers, b"")
    router.wait_state(sold, "DELIVERED")


@pytest.mark.parametrize("shape", [{"template": TEMPLATE}, {"format": "form"}, {"method": "GET"}, {}])
def test_every_attempt_has_the_same_bytes(database, router, start, endpoint, shape):  # noqa: F811
    """The first comes from a frame, the second from the database, the third from another process."""
    endpoint.answer = [500, 500, 200]
    database.apply(formatted(endpoint.url, headers={"x-income": "{{income}}"}, **shape))
    one = start()
    sold = router.hand_over(one, fields={**FIELDS, "income": 0.1, "b": "2", "a": "1"})[0]
    router.wait_attempt(sold, 1)
    router.make_due(sold)
    router.wait_attempt(sold, 2)
    one.stop()
    router.make_due(sold)
    start("dispatcher-2")
    router.wait_state(sold, "DELIVERED")
    requests = endpoint.wait(3)
    assert len({(request.body, request.path, request.method, request.webhook_id, request.headers["x-income"]) for request in requests}) == 1
    assert requests[0].headers["x-income"] == "0.1"


def test_a_new_template_holds_for_what_is_taken_again(database, router, start, endpoint):  # noqa: F811
    endpoint.answer = [500, 200]
    database.apply(formatted(endpoint.url, template={"v": 1}))
    one = start()
    sold = router.hand_over(one)[0]
    router.wait_attempt(sold, 1)
    database.apply(formatted(endpoint.url, method="PUT", template={"v": 2}))
    eventually(lambda: one.metric("leadline_catalog_version") >= 2, message=one.log)
    router.make_due(sold)
    router.wait_state(sold, "DELIVERED")
    first, second = endpoint.wait(2)
    assert (first.method, first.json()) == ("POST", {"v": 1}) and (second.method, second.json()) == ("PUT", {"v": 2})
    assert first.webhook_id == second.webhook_id == sold.id


# What the answers mean ------------------------------------------------------------------------------------------------

RULES = [
    {"status": "200-299", "pointer": "/result", "equals": "dup", "outcome": "DUPLICATE", "reference": "/of"},
    {"status": "200-299", "contains": "error", "outcome": "REJECTED"},
    {"status": ["409", 422], "outcome": "DUPLICATE"},
    {"status": 200, "pointer": "/wait", "equals": True, "outcome": "RETRY"},
    {"status": 200, "matches": "^OK [0-9]+$", "outcome": "ACCEPTED"},
    {"status": "500-599", "pointer": "/done", "outcome": "ACCEPTED"},
    {"status": "200-299", "pointer": "/id", "outcome": "ACCEPTED", "price": "/price", "reference": "/id", "redirect_url": "/url"},
    {"status": "200-299", "outcome": "REJECTED"},
]


@pytest.mark.parametrize("answer, state, recorded", [
    ((200, '{"result": "dup", "of": 17}'), "DUPLICATE", ("DUPLICATE", None, "17", None)),
    ((200, "an ERROR occurred"), "REJECTED", ("REJECTED", None, None, None)),
    ((422, ""), "DUPLICATE", ("DUPLICATE", None, None, None)),
    ((200, '{"wait": true}'), "OPEN", ("RETRY", None, None, None)),
    ((200, "OK 123"), "DELIVERED", ("ACCEPTED", None, None, None)),
    ((500, '{"done": 1}'), "DELIVERED", ("ACCEPTED", None, None, None)),
    ((201, '{"id": "x-1", "price": 31.5, "url": "https://b.example/?a=1"}'), "DELIVERED", ("ACCEPTED", 3150, "x-1", "https://b.example/?a=1")),
    ((201, '{"id": "x-1", "price": "much", "url": "ftp://b.example/"}'), "DELIVERED", ("ACCEPTED", None, "x-1", None)),
    ((200, '{"id": "x-1", "fill": "' + "x" * 70000 + '"}'), "REJECTED", ("REJECTED", None, None, None)),  # cut, so it is no JSON
    ((200, b'{"result": "dup", "of": 17, "why": "d\xe9j\xe0 vu\x00"}'), "DUPLICATE", ("DUPLICATE", None, "17", None)),  # Latin-1
    ((200, b'{"result": "?", "of": 123456789012345678901, "result": "dup"}'), "DUPLICATE", ("DUPLICATE", None, "123456789012345678901", None)),
    ((200, b"\xff\x00\xfe"), "REJECTED", ("REJECTED", None, None, None)),
    ((200, "[" * 60000), "REJECTED", ("REJECTED", None, None, None)),
    ((503, "busy"), "OPEN", ("RETRY", None, None, None)),
    (None, "OPEN", ("RETRY", None, None, None)),
])
def test_rules_decide(database, router, start, endpoint, answer, state, recorded):  # noqa: F811
    endpoint.answer = answer
    database.apply(formatted(endpoint.url, responses=RULES))
    sold = router.hand_over(start())[0]
    router.wait_attempt(sold, 1)
    assert router.row(sold)[0] == state and attempt(router, sold) == recorded
    if state == "OPEN":
        assert 0 < router.row(sold)[2] < 10
    shown = json.loads(leadctl("lead", "show", sold.lead_id, "--json", "--dsn", database.dsn()).stdout)["deliveries"][0]
    price = None if recorded[1] is None else f"{recorded[1] / 100:.2f}"
    assert {key: shown["attempts"][0][key] for key in ("verdict", "price", "reference", "redirect_url")} == \
        {"verdict": recorded[0], "price": price, "reference": recorded[2], "redirect_url": recorded[3]}
    assert shown["state"] == state and len(endpoint.requests) == 1


def test_new_rules_hold_at_once(database, router, start, endpoint):  # noqa: F811
    endpoint.answer = (200, "no, thanks")
    database.apply(formatted(endpoint.url, responses=[{"contains": "thanks", "outcome": "RETRY"}]))
    one = start()
    sold = router.hand_over(one)[0]
    router.wait_attempt(sold, 1)
    database.apply(formatted(endpoint.url, responses=[{"contains": "thanks", "outcome": "REJECTED"}]))
    eventually(lambda: one.metric("leadline_catalog_version") >= 2, message=one.log)
    router.make_due(sold)
    router.wait_state(sold, "REJECTED")
    assert [row[2] for row in router.attempts(sold)] == ["RETRY", "REJECTED"]


# The document ---------------------------------------------------------------------------------------------------------

def refused(database, configuration):
    """{pointer: sentence} of a document that is refused."""
    done = testing.apply(configuration, "--dsn", database.dsn(), check=False)
    assert done.returncode == 1, done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("/")]
    return dict(line.split(": ", 1) for line in lines)


@pytest.mark.parametrize("delivery, pointers", [
    ({"template": {"a": ["{{agee}}"], "b": "{{shout age}}", "c": "{{age"}}, ["template/a/0", "template/b", "template/c"]),
    ({"template": {"a": "{{year age}}", "b": "{{year born}}"}}, ["template/a"]),
    ({"template": "{{flo_campaign_id}}"}, ["template"]),
    ({"format": "form", "template": {"a": {"b": 1}, "c": []}}, ["template/a", "template/c"]),
    ({"format": "form", "template": ["{{age}}"]}, ["template"]),
    ({"method": "GET", "format": "json"}, ["format"]),
    ({"method": "DELETE"}, ["method"]),
    ({"format": "xml"}, ["format"]),
    ({"headers": {"webhook-id": "x", "Content-Length": "1", "a b": "x", "x-a": "{{nope}}", "x-b": 5, "x-c": "a\nb"}},
     ["headers/webhook-id", "headers/Content-Length", "headers/a b", "headers/x-a", "headers/x-b", "headers/x-c"]),
    ({"responses": [{"status": 200}]}, ["responses/0/outcome"]),
    ({"responses": [{"outcome": "MAYBE"}, {"outcome": "RETRY", "statuses": 1}]}, ["responses/0/outcome", "responses/1/statuses"]),
    ({"responses": [{"outcome": "RETRY", "status": "2xx"}, {"outcome": "RETRY", "status": [200, True]}]}, ["responses/0/status", "responses/1/status/1"]),
    ({"responses": [{"outcome": "RETRY", "pointer": "x", "price": "y"}, {"outcome": "RETRY", "equals": 1}]},
     ["responses/0/pointer", "responses/0/price", "responses/1/equals"]),
    ({"responses": [{"outcome": "RETRY", "matches": "("}, {"outcome": "RETRY", "contains": ""}]}, ["responses/0/matches", "responses/1/contains"]),
])
def test_errors_are_told_at_their_place(database, delivery, pointers):
    wrong = refused(database, formatted("https://buyer.example/", **delivery))
    assert set(wrong) == {"/buyers/0/delivery/" + pointer for pointer in pointers}, wrong


def test_a_field_of_one_of_the_campaigns_is_enough(database):
    other = campaign(id="other", fields=[{"name": "roof"}, {"name": "age", "type": "date"}], sources=[], contracts=[contract()])
    foreign = campaign(id="foreign", fields=[{"name": "boat"}], sources=[], contracts=[])
    made = formatted("https://buyer.example/", template=["{{roof}}", "{{age}}", "{{year age}}"])
    made["campaigns"] += [other, foreign]
    database.apply(made)
    made["buyers"][0]["delivery"]["template"].append("{{boat}}")
    assert set(refused(database, made)) == {"/buyers/0/delivery/template/3"}
    for each in made["campaigns"]:
        each["contracts"] = []
    database.apply(made)  # a buyer without contracts gets nothing yet


def test_the_document_goes_round(database):
    made = formatted("https://buyer.example/", method="PUT", format="json", headers={"x-token": "{{id}}"}, template=TEMPLATE, responses=RULES)
    database.apply(made)
    exported = json.loads(leadctl("export", "--dsn", database.dsn()).stdout)
    assert exported["buyers"][0]["delivery"] == made["buyers"][0]["delivery"]
    assert testing.apply(exported, "--dsn", database.dsn()).stdout == "nothing changed: version 1\n"


# The preview ----------------------------------------------------------------------------------------------------------

def preview(database, *args, check=True):
    return leadctl("delivery", "preview", *args, "--dsn", database.dsn(), check=check)


def changing(name):
    return name in ("webhook-timestamp", "webhook-signature")


@pytest.mark.parametrize("shape", [
    {}, {"template": TEMPLATE, "headers": {"X-Token": "{{age}}"}, "method": "PUT"}, {"format": "form"}, {"method": "GET", "template": {"n": "{{last_name}}"}},
])
def test_the_preview_is_what_the_buyer_gets(database, router, start, endpoint, shape):  # noqa: F811
    made = formatted(endpoint.url, legacy_signature=True, **shape)
    contract_id = made["campaigns"][0]["contracts"][0].get("id", "buyer_abc")
    database.apply(made)
    sold = router.hand_over(start())[0]
    testing.query(router.connection, "UPDATE sale SET contract_id = %s", contract_id)
    request = endpoint.wait(1)[0]
    shown = json.loads(preview(database, contract_id, sold.lead_id, "--json").stdout)
    headers = {header["name"].lower(): header["value"] for header in shown["headers"]}
    assert shown["is_example"] is False and shown["buyer_id"] == "buyer_abc" and shown["campaign_id"] == "campaign_abc123"
    assert shown["method"] == request.method and shown["url"] == endpoint.url.replace("/leads", "") + request.path
    assert shown["body"].encode() == request.body
    got = {name: value for name, value in request.headers.items() if name not in ("host", "accept", "user-agent", "content-length")}
    assert set(got) == set(headers)
    assert {name: value for name, value in got.items() if not changing(name)} == {name: value for name, value in headers.items() if not changing(name)}
    assert signature_is_right(SECRET, headers, request.body)
    text = preview(database, contract_id, sold.lead_id).stdout
    assert text.splitlines()[0] == f"{shown['method']} {shown['url']}"
    assert f"webhook-id: {sold.id}\n" in text and SECRET not in text and SECRET[len("whsec_"):] not in text
    assert shown["body"] == "" or text.endswith("\n\n" + shown["body"] + "\n")


def test_the_preview_of_an_example(database):
    database.apply(formatted("https://buyer.example/in", template={"all": "{{full_name}} {{phone}} {{email}}", "age": "{{age}}", "born": "{{date_mdy born}}",
                                                                 "owner": "{{owner}}", "zip": "{{zip_code}}", "price": "{{price}}"}))
    shown = json.loads(preview(database, "buyer_abc", "--json").stdout)
    body = json.loads(shown["body"])
    assert shown["is_example"] is True and shown["url"] == "https://buyer.example/in" and shown["method"] == "POST"
    assert set(body) == {"all", "age", "born", "owner", "zip", "price"}
    assert body["price"] == "25.00" and isinstance(body["age"], int) and body["owner"] in (True, False) and body["born"].count("/") == 2
    assert "@example" in body["all"] and "+1" in body["all"]


def test_what_cannot_be_previewed(database, router):  # noqa: F811
    made = formatted("https://buyer.example/")
    made["campaigns"].append(campaign(id="other", sources=[], contracts=[contract(), contract(id="bare", buyer_id="silent")]))
    made["buyers"].append({"id": "silent"})
    database.apply(made)
    lead = router.sell()[0].lead_id
    for args, phrase in [
        (("nothing",), "there is no contract nothing"),
        (("buyer_abc",), "several campaigns have a contract buyer_abc: say which with --campaign"),
        (("buyer_abc", "--campaign", "nowhere"), "campaign nowhere has no contract buyer_abc"),
        (("bare",), "has no delivery"),
        (("buyer_abc", "01938e2a-0000-7000-8000-000000000001"), "there is no lead 01938e2a-0000-7000-8000-000000000001"),
        (("buyer_abc", lead, "--campaign", "other"), "is of campaign campaign_abc123"),
        (("bare", lead), "campaign campaign_abc123 has no contract bare"),
    ]:
        done = preview(database, *args, check=False)
        assert done.returncode == 1 and phrase in done.stderr and done.stdout == "", (args, done.stderr)
    assert preview(database, "buyer_abc", "--campaign", "other").stdout.startswith("POST https://buyer.example/\n")
    assert preview(database, "buyer_abc", lead).stdout.startswith("POST https://buyer.example/\n")
    for args in ((), ("buyer_abc", "x"), ("buyer_abc", lead, "more"), ("buyer_abc", "--what")):
        assert preview(database, *args, check=False).returncode == 2
    assert "LEAD" in subprocess.run([testing.program("leadctl"), "delivery", "preview", "--help"], capture_output=True, text=True).stdout
