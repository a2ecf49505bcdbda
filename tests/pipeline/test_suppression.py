"""Suppression lists end to end: refused leads, buyers passed over, and entries that hold for the next lead."""
import hashlib
import json
import os

import pytest

import leadline_testing as lt

LISTS = [{"id": "dnc", "name": "National DNC"}, {"id": "abc_customers"}, {"id": "texans"}]


def configuration(url):
    return lt.document(
        suppression_lists=LISTS,
        buyers=[lt.buyer(url=url, suppression_lists=["abc_customers"]), lt.buyer("buyer_def", url=url)],
        campaigns=[
            lt.campaign(suppression_lists=["dnc"], contracts=[
                lt.contract(priority=1), lt.contract("buyer_def", price="20.00", priority=2, suppression_lists=["texans"])]),
            lt.campaign("free", contracts=[lt.contract("buyer_def")])])


@pytest.fixture(scope="module")
def dev():
    with lt.Buyer() as buyer, lt.Dev(configuration(buyer.url), routers=2, validators=2) as running:
        yield running


@pytest.fixture
def client(dev):
    return dev.client()


def suppress(dev, *args):
    return dev.leadctl("suppress", *args)


def test_a_suppressed_lead_is_refused_and_recorded(dev, client):
    lead = lt.lead(email="Suppressed.One@Example.com")
    suppress(dev, "add", "dnc", hashlib.md5(b"suppressed.one@example.com").hexdigest())
    answer = client.ingest(lead)
    body = answer.json()
    assert answer.status == 422 and body["error"] == "suppressed" and body["data"]["status"] == "REJECTED"
    assert body["filter_errors"] == [{"field": "email", "operator": "NOT ON LIST", "message": "is on suppression list dnc"}]
    shown = dev.show(body["data"]["id"])
    assert shown["status"] == "REJECTED" and shown["sales"] == []
    assert shown["reasons"] == [{"code": "suppressed", "field": "email", "message": "is on suppression list dnc"}]
    assert client.ingest({**lead, "flo_campaign_id": "free"}).status == 201, "the list is not that campaign's"


@pytest.mark.parametrize("column", ["phone", "email"])
@pytest.mark.parametrize("form", ["plain", "md5", "sha256"])
def test_every_kind_of_entry_is_found_by_itself(dev, client, tmp_path, column, form):
    """Leads are looked up only by what the lists have: one kind, imported, then added."""
    for number, command in enumerate(("import", "add")):
        suppress(dev, "remove", "dnc", "--all")
        assert dev.query_one("SELECT max(kinds) FROM suppression_list WHERE is_live") == 0
        person = {"phone": f"55574{number}{len(form)}{len(column)}01", "email": f"kind.{form}.{column}.{number}@example.com"}
        assert client.ingest(lt.lead(**person)).status == 201
        value = person[column] if form == "plain" else getattr(hashlib, form)(person[column].encode()).hexdigest()
        path = tmp_path / "list.csv"
        path.write_text(f"{column}\n{value}\n")
        suppress(dev, command, "dnc", path if command == "import" else value)
        kinds = {"phone": {"md5": 1, "sha256": 2, "plain": 2}, "email": {"md5": 4, "sha256": 8, "plain": 8}}[column][form]
        if command == "add" and form != "plain":
            kinds = {"md5": 5, "sha256": 10}[form]  # a hash by itself may be of either
        assert dev.query_one("SELECT max(kinds) FROM suppression_list WHERE is_live") == kinds
        assert client.ingest(lt.lead(**person)).status == 422
        assert client.ingest(lt.lead()).status == 201
    suppress(dev, "remove", "dnc", "--all")


def test_an_added_entry_holds_for_the_next_lead(dev, client):
    for _ in range(10):
        lead = lt.lead()
        assert client.ingest(lead).status == 201
        suppress(dev, "add", "dnc", lead["phone"])
        assert client.ingest(lt.lead(phone=lead["phone"])).status == 422
        suppress(dev, "remove", "dnc", lead["phone"])
        assert client.ingest(lt.lead(phone=lead["phone"])).status == 201


def test_buyers_are_passed_over_and_the_trail_says_why(dev, client):
    lead = lt.lead()
    suppress(dev, "add", "abc_customers", lead["phone"])
    answer = client.ingest(lead)
    assert answer.status == 201 and answer.data["buyer_id"] == "buyer_def"
    trail = {step["contract_id"]: step for step in dev.show(answer.data["id"])["trail"] if step["step"] == "sale"}
    assert (trail["buyer_abc"]["decision"], trail["buyer_abc"]["reason"], trail["buyer_abc"]["detail"]) == \
        ("passed_over", "suppressed", "abc_customers")
    assert trail["buyer_def"]["decision"] == "sold"

    lead = lt.lead()
    suppress(dev, "add", "texans", hashlib.sha256(lead["email"].encode()).hexdigest())
    assert client.ingest(lead).data["buyer_id"] == "buyer_abc"
    suppress(dev, "add", "abc_customers", lead["phone"])
    answer = client.ingest(lead)
    assert answer.status == 200 and answer.data["status"] == "UNMATCHED" and answer.data["buyer_id"] is None
    assert [step["detail"] for step in dev.show(answer.data["id"])["trail"]] == ["abc_customers", "texans"]


def test_a_new_document_holds_for_the_next_lead(dev, client):
    lead = lt.lead()
    suppress(dev, "add", "texans", lead["phone"])
    assert client.ingest(lead).status == 201
    document = json.loads(dev.leadctl("export").stdout)
    try:
        changed = json.loads(json.dumps(document))
        changed["campaigns"][0]["suppression_lists"] = ["dnc", "texans"]
        assert changed["campaigns"][0]["id"] == "campaign_abc123"
        dev.apply(changed)
        assert client.ingest(lead).error == "suppressed"
    finally:
        dev.apply(document)
    assert client.ingest(lead).status == 201


def test_an_import_holds_for_the_next_lead_while_traffic_flows(dev, client):
    leads = [lt.lead() for _ in range(40)]
    path = os.path.join(lt.temp_folder(), "list.csv")
    with open(path, "w") as file:
        file.write("phone,email\n" + "".join(f"{n:032x},\n" for n in range(20_000)) + "".join(f",{lead['email'].upper()}\n" for lead in leads[::2]))
    suppress(dev, "import", "dnc", path)
    assert [client.ingest(lead).status for lead in leads] == [422, 201] * 20


def test_without_the_database_nobody_is_let_through(dev, client):
    lead = lt.lead()
    suppress(dev, "add", "dnc", lead["phone"])
    assert client.ingest(lead).status == 422
    dev.kill_and_wait("postgres-1", seconds=30)

    def answered():
        answer = client.ingest(lt.lead(phone=lead["phone"]))
        assert answer.status in (422, 503), answer
        return answer.status == 422
    lt.eventually(answered, 30)
