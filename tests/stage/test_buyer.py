"""leadline-buyer, on which the demonstration, the pipeline's tests and the bench rely: does it tell right webhooks from wrong ones?"""
import base64
import hashlib
import hmac
import json
import re
import signal
import subprocess
import time

import pytest

from leadline_testing import SECRET, Client, end, eventually, program, spawn

SIGNATURE = "webhook-signature"
BODY = json.dumps({"type": "lead.accepted", "data": {"id": "0193", "buyer_id": "buyer_abc", "price": "25.00", "is_test": False}})


@pytest.fixture
def start(tmp_path):
    """Starts it with these options. Gives a client, and a function that ends it and returns all that it printed."""
    running = []

    def start_one(*args):
        path = tmp_path / "output"
        with open(path, "wb") as output:
            process = spawn([program("leadline-buyer"), *args], stdout=output)
        running.append(process)
        port = eventually(lambda: re.search(r"^listening 127\.0\.0\.1:(\d+)$", path.read_text(), re.M), 10).group(1)

        def finish():
            assert end(process, signal.SIGTERM, 10) == 0
            return path.read_text()
        return Client(int(port)), finish

    yield start_one
    for process in running:
        end(process, signal.SIGKILL)


def headers(body=BODY, at=None, secret=SECRET, id="msg_1"):
    at = str(int(at if at is not None else time.time()))
    key = base64.b64decode(secret[len("whsec_"):])
    mac = hmac.new(key, f"{id}.{at}.{body}".encode(), hashlib.sha256).digest()
    return {"webhook-id": id, "webhook-timestamp": at, SIGNATURE: "v1," + base64.b64encode(mac).decode()}


OTHER = "whsec_" + base64.b64encode(b"another secret of its own length").decode()


@pytest.mark.parametrize("claim, change, status", [
    ("right", {}, 200),
    ("one of several is right", {SIGNATURE: lambda: f"v1,AAAA {headers(secret=OTHER)[SIGNATURE]} {headers()[SIGNATURE]} v1a,BBBB"}, 200),
    ("another secret's", {SIGNATURE: lambda: headers(secret=OTHER)[SIGNATURE]}, 401),
    ("of another body", {SIGNATURE: lambda: headers(body=BODY + " ")[SIGNATURE]}, 401),
    ("of another id", {"webhook-id": "msg_2"}, 401),
    ("six minutes old", -360, 401),
    ("six minutes early", 360, 401),
    ("four minutes old", -240, 200),
    ("no timestamp", {"webhook-timestamp": "now"}, 401),
    ("no signature", {SIGNATURE: ""}, 401),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_signature_is(start, claim, change, status):
    client, finish = start("--port", "0", "--secret", SECRET)
    if isinstance(change, int):
        sent = headers(at=time.time() + change)
    else:
        sent = {**headers(), **{name: value() if callable(value) else value for name, value in change.items()}}
    assert client.request("POST", "/", BODY, sent).status == status
    assert f"requests=1 accepted={int(status == 200)} failed={int(status != 200)} unsigned={int(status != 200)}" in finish()


def test_secrets_may_overlap(start):
    client, _ = start("--port", "0", "--secret", OTHER, "--secret", SECRET)
    assert client.request("POST", "/", BODY, headers()).status == 200


def test_it_fails_first_then_answers_as_told_and_counts(start):
    client, finish = start("--port", "0", "--fail-first", "2", "--answer", "202")
    assert [client.request("POST", "/", BODY).status for _ in range(4)] == [503, 503, 202, 202]
    assert "requests=4 accepted=2 failed=2 unsigned=0" in finish()


@pytest.mark.parametrize("args, path, status, price", [
    ([], "/ping", 200, "10.00"), (["--bid", "31.50"], "/ping", 200, "31.50"), (["--bid", "31.50"], "/ping/7", 200, "7"),
    (["--bid", "0"], "/ping", 204, None), ([], "/ping/0.00", 204, None), (["--answer", "500"], "/ping", 500, None),
    (["--secret", SECRET], "/ping", 401, None),
])
def test_it_bids_when_it_is_asked(start, args, path, status, price):
    client, finish = start("--port", "0", *args)
    answer = client.request("POST", path, "{}")
    assert answer.status == status
    if price is not None:
        assert answer.json() == {"bid_price": price}
    assert "requests=1 " in (told := finish()) and "bids=1" in told


@pytest.mark.parametrize("path", ["/", "/pings", "/ping/", "/ping/x", "/ping/1.5", "/ping/1.500", "/leads/ping"])
def test_other_paths_are_webhooks(start, path):
    client, finish = start("--port", "0")
    assert client.request("POST", path, BODY).json() == {"result": "accepted"}
    assert "bids=0" in finish()


def test_it_bids_later(start):
    client, _ = start("--port", "0", "--bid-delay-ms", "300")
    began = time.monotonic()
    assert client.request("POST", "/leads", BODY).status == 200
    assert client.request("POST", "/ping/5.00", BODY).json() == {"bid_price": "5.00"}
    assert 0.3 <= time.monotonic() - began < 5


def test_it_answers_later(start):
    client, _ = start("--port", "0", "--delay-ms", "300")
    began = time.monotonic()
    assert client.request("POST", "/", BODY).status == 200
    assert 0.3 <= time.monotonic() - began < 2


def test_a_client_that_does_not_wait_for_a_late_answer_does_no_harm(start):
    client, finish = start("--port", "0", "--delay-ms", "300")
    client.timeout = 0.1
    with pytest.raises(OSError):
        client.request("POST", "/", BODY)
    time.sleep(0.4)  # the answer's time comes, and nobody is there
    client.timeout = 5
    assert client.request("POST", "/", BODY).status == 200
    assert "requests=2" in finish()


def test_it_shows_leads_but_nobody(start):
    client, finish = start("--port", "0", "--secret", SECRET, "--print")
    body = json.dumps({"data": {"id": "0193", "buyer_id": "buyer_abc", "price": "25.00", "is_test": True,
                                "fields": {"email": "john@example.com"}}})
    client.request("POST", "/", body, headers(body))
    client.request("POST", "/", "{", headers("{"))
    printed = finish()
    assert "demo buyer: lead 0193 for buyer_abc at 25.00 (test), signature ok\n" in printed
    assert "demo buyer: a body that is not JSON, signature ok\n" in printed
    assert "john" not in printed


def test_a_constant(start):
    client, _ = start("--port", "0", "--constant", "--answer", "201")
    answers = {client.request("POST", f"/{n}", BODY).body for n in range(3)}
    assert len(answers) == 1 and json.loads(answers.pop())["data"]["status"] == "ACCEPTED"


@pytest.mark.parametrize("args, said", [
    (["--secret", "abc"], "a secret begins with whsec_"),
    (["--secret", "whsec_?"], "a secret is base64"),
    (["--port", "x"], "--port is a number from 0 to 65535"),
    (["what"], "what is what?"),
])
def test_wrong_usage_is_told(args, said):
    done = subprocess.run([program("leadline-buyer"), *args], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and said in done.stderr
