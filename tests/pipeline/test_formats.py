"""Buyers' own formats (SPEC 9), from the supplier's request to the buyer's answer; the operator's preview is what arrives."""
import json
import urllib.parse

import pytest

import leadline_testing as lt

FIELDS = [{"name": "age", "type": "number"}, {"name": "income", "type": "number"}, {"name": "owner", "type": "boolean"},
          {"name": "date_of_birth", "type": "date"}, {"name": "note"}]
JSON = {"template": {"lead": {"phone": "{{digits10 phone}}", "name": "{{first_name}} {{last_name}}", "age": "{{age}}", "income": "{{income}}",
                              "owner": "{{owner}}", "born": "{{date_mdy date_of_birth}}", "note": "{{note}}", "zip": "{{zip_code}}"},
                     "id": "{{id}}", "price": "{{price}}"},
        "headers": {"x-token": "abc", "x-income": "{{income}}"},
        "responses": [{"status": 200, "pointer": "/result", "equals": "dup", "outcome": "DUPLICATE"},
                      {"status": 200, "contains": "error", "outcome": "REJECTED"},
                      {"status": 200, "outcome": "ACCEPTED", "price": "/price", "reference": "/id", "redirect_url": "/url"}]}
FORM = {"method": "GET", "template": {"p": "{{digits10 phone}}", "i": "{{income}}", "who": "{{id}}"}}


@pytest.fixture(scope="module")
def buyers():
    with lt.Buyer() as one, lt.Buyer() as other:
        yield one, other


@pytest.fixture(scope="module")
def dev(buyers):
    made = lt.document(buyers=[lt.buyer("one", buyers[0].url), lt.buyer("other", buyers[1].url)],
                       campaigns=[lt.campaign(fields=FIELDS, max_sells=2, contracts=[lt.contract("one"), lt.contract("other", "20.00")])])
    made["buyers"][0]["delivery"].update(JSON)
    made["buyers"][1]["delivery"].update(FORM)
    with lt.Dev(made) as running:
        yield running


def sell(dev, **more):
    client = lt.Client(dev.port)
    answer = client.ingest(lt.lead(**{"first_name": "Zoë", "last_name": "O'Neil", "phone": "2145550100", "age": "42", "income": 0.1, "owner": "yes",
                                      "date_of_birth": "6/30/1985", "note": 'a "b" & c', **more}))
    client.close()
    assert answer.status == 201, answer.body
    return answer.data["id"]


def delivered(dev, lead_id, buyer_id, state):
    def found():
        return [one for one in dev.show(lead_id)["deliveries"] if one["buyer_id"] == buyer_id and one["state"] == state]
    return lt.eventually(found, 20, message=lambda: dev.show(lead_id)["deliveries"])[0]


def test_two_buyers_get_the_lead_each_in_its_own_way(dev, buyers):
    buyers[0].answer = (200, '{"id": "x-1", "price": "31.50", "url": "https://one.example/thanks"}')
    lead_id = sell(dev)
    first = delivered(dev, lead_id, "one", "DELIVERED")
    delivered(dev, lead_id, "other", "DELIVERED")
    posted, asked = buyers[0].requests[-1], buyers[1].requests[-1]
    assert posted.json() == {"lead": {"phone": "2145550100", "name": "Zoë O'Neil", "age": 42, "income": 0.1, "owner": True, "born": "06/30/1985",
                                      "note": 'a "b" & c'}, "id": lead_id, "price": "25.00"}
    assert (posted.headers["x-token"], posted.headers["x-income"]) == ("abc", "0.1") and posted.is_signed()
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(asked.path).query))
    assert asked.method == "GET" and asked.body == b"" and query == {"p": "2145550100", "i": "0.1", "who": lead_id} and asked.is_signed()
    attempt = first["attempts"][0]
    assert (attempt["price"], attempt["reference"], attempt["redirect_url"]) == ("31.50", "x-1", "https://one.example/thanks")
    assert [sale["price"] for sale in dev.show(lead_id)["sales"]] == ["25.00", "20.00"]
    for buyer_id, request in (("one", posted), ("other", asked)):
        shown = json.loads(dev.leadctl("delivery", "preview", buyer_id, lead_id, "--json").stdout)
        headers = {header["name"].lower(): header["value"] for header in shown["headers"]}
        assert (shown["method"], shown["body"].encode()) == (request.method, request.body)
        assert shown["url"].endswith(request.path) and headers["webhook-id"] == request.webhook_id


@pytest.mark.parametrize("answer, state", [('{"result": "dup"}', "DUPLICATE"), ("an error", "REJECTED")])
def test_a_refusal_ends_the_delivery(dev, buyers, answer, state):
    buyers[0].answer = (200, answer)
    lead_id = sell(dev)
    ended = delivered(dev, lead_id, "one", state)
    assert [attempt["verdict"] for attempt in ended["attempts"]] == [state] and ended["next_attempt_at"] is None
    delivered(dev, lead_id, "other", "DELIVERED")
    lt.eventually(lambda: [sale["state"] for sale in dev.show(lead_id)["sales"]] == ["REJECTED", "SOLD"], 20, message=lambda: dev.show(lead_id)["sales"])
    shown = dev.show(lead_id)
    assert (shown["status"], shown["price"], shown["cost"], shown["margin"]) == ("ACCEPTED", "45.00", "10.00", "10.00")
