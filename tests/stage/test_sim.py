"""tests/buyer/sim.py: the buyer test kit, as a program and as a module; and its check of signatures against the official vector."""
import http.client
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

import leadline_testing as testing
from leadline_testing import ROOT, eventually

sys.path.insert(0, os.path.join(ROOT, "tests", "buyer"))
import sim  # noqa: E402

# The vector of the Standard Webhooks specification's own libraries.
VECTOR = {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "body": b'{"test": 2432232314}', "at": 1614265330,
          "headers": {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
                      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}}


@pytest.fixture(scope="module")
def kit():
    with sim.Sim() as made:
        yield made


def post(port, target, body=b"{}", headers=None, timeout=10):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", target, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


# Signatures -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("claim, change, is_right", [
    ("the official vector", {}, True),
    ("several secrets", {"secrets": ["whsec_AAAA", VECTOR["secret"]]}, True),
    ("several signatures", {"signature": "v1,AAAA v1a,x " + VECTOR["headers"]["webhook-signature"]}, True),
    ("within five minutes", {"now": VECTOR["at"] + 299}, True),
    ("of long ago", {"now": VECTOR["at"] + 301}, False),
    ("of the future", {"now": VECTOR["at"] - 301}, False),
    ("another secret", {"secrets": ["whsec_AAAA"]}, False),
    ("another body", {"body": b'{"test": 2432232315}'}, False),
    ("no signature", {"signature": ""}, False),
    ("another version", {"signature": VECTOR["headers"]["webhook-signature"].replace("v1,", "v2,")}, False),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_signature_is(claim, change, is_right):
    headers = dict(VECTOR["headers"])
    if "signature" in change:
        headers["webhook-signature"] = change["signature"]
    fault = sim.signature_fault(change.get("secrets", [VECTOR["secret"]]), headers, change.get("body", VECTOR["body"]),
                                change.get("now", VECTOR["at"]))
    assert (fault is None) == is_right, fault


# Behaviours -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("target, status, content", [
    ("/accept", 200, rb'"result":"accepted"'), ("/accept/deeper?x=1", 200, rb"accepted"), ("/elsewhere", 200, rb"accepted"), ("/", 200, rb"accepted"),
    ("/refuse", 422, rb"refused"), ("/200-error", 200, rb'{"status":"error"'), ("/dup", 200, rb'"dup"'), ("/409", 409, rb""), ("/410", 410, rb""),
    ("/429", 429, rb""), ("/599", 599, rb""), ("/STATUS", 200, rb"accepted"), ("/late?ms=1", 200, rb"accepted"), ("/flaky?percent=0", 200, rb""),
    ("/flaky?percent=100", 500, rb""), ("/ping", 200, rb'\{"bid_price":"31.50"\}'), ("/ping?bid=12.25", 200, rb'\{"bid_price":"12.25"\}'),
    ("/ping?bid=12.25&number", 200, rb'\{"bid_price":12.25\}'), ("/ping?none", 204, rb"^$"), ("/ping?empty", 200, rb"^\{\}$"),
    ("/ping?malformed", 200, rb'^\{"bid_price":$')])
def test_it_answers(kit, target, status, content):
    answer = post(kit.port, target)
    assert answer[0] == status and re.search(content, answer[1])


def test_headers_of_answers(kit):
    assert post(kit.port, "/503?retry_after=120")[2]["retry-after"] == "120"
    assert "retry-after" not in post(kit.port, "/503")[2]
    assert post(kit.port, "/redirect")[0] == 302 and post(kit.port, "/redirect")[2]["location"] == "/accept"


def raw(port, target):
    """What comes back until the other side closes, and how that ended."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"POST {target} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}".encode())
        received = b""
        try:
            while more := connection.recv(65536):
                received += more
                if len(received) > 2_000_000:
                    return received, "endless"
        except ConnectionResetError:
            return received, "reset"
        return received, "closed"


@pytest.mark.parametrize("target, end, content", [
    ("/close", "closed", rb"^$"), ("/reset", "reset", rb"^$"), ("/flood", "endless", rb"^HTTP/1.1 200 "),
    ("/wrong-length", "closed", rb"content-length: 1000\r\n\r\n0123456789$"), ("/garbage", "closed", rb"^\x00\x01")])
def test_it_misbehaves(kit, target, end, content):
    received, how = raw(kit.port, target)
    assert how == end and re.search(content, received)


def test_big_headers(kit):
    with socket.create_connection(("127.0.0.1", kit.port), timeout=10) as connection:
        connection.sendall(b"POST /big-headers HTTP/1.1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
    assert received.index(b"\r\n\r\n") > 1_000_000


def test_hanging_and_dripping_ones_are_released():
    with sim.Sim() as kit:
        connections = [socket.create_connection(("127.0.0.1", kit.port), timeout=10) for _ in range(2)]
        for connection, target in zip(connections, ("hang", "slow?every_ms=5")):
            connection.sendall(f"POST /{target} HTTP/1.1\r\ncontent-length: 0\r\n\r\n".encode())
        eventually(lambda: kit.busy("hang") == 1 and kit.busy("slow") == 1)
        received = b""
        while not received.endswith(b"..."):
            received += connections[1].recv(1000)
        kit.release()
        assert connections[0].recv(1000) == b""
        while connections[1].recv(1000):
            pass
        eventually(lambda: kit.busy("hang") == kit.busy("slow") == 0)
        for connection in connections:
            connection.close()


def test_it_keeps_requests_and_connections(kit):
    before = len(kit.requests)
    connection = http.client.HTTPConnection("127.0.0.1", kit.port, timeout=10)
    connection.request("PUT", "/refuse?a=1", b'{"data":{"id":"x"}}', {"X-Token": "t"})
    connection.getresponse().read()
    kept = connection.sock
    connection.request("POST", "/accept", iter([b"chu", b"nked"]), {"transfer-encoding": "chunked"}, encode_chunked=True)
    assert connection.getresponse().status == 200 and connection.sock is kept
    connection.close()
    first, second = kit.requests[before:]
    assert (first.method, first.path, first.query, first.headers["x-token"], first.data) == ("PUT", "/refuse", {"a": "1"}, "t", {"id": "x"})
    assert second.body == b"chunked" and kit.of("refuse")[-1] == first


def test_rubbish_ends_only_its_own_connection(kit):
    for rubbish in (b"\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", b"\xff" * 300_000,
                    b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"):
        with socket.create_connection(("127.0.0.1", kit.port), timeout=10) as connection:
            try:
                connection.sendall(rubbish)
                assert connection.recv(1000) == b""
            except (ConnectionResetError, BrokenPipeError):
                pass
    assert post(kit.port, "/accept")[0] == 200


# The program ----------------------------------------------------------------------------------------------------------

def test_the_program_prints_what_came_and_checks_signatures():
    process = testing.spawn([sys.executable, os.path.join(ROOT, "tests", "buyer", "sim.py"), "--port", "0", "--secret", testing.SECRET],
                            stdout=subprocess.PIPE, text=True)
    try:
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        assert post(port, "/accept", b'{"data":{"name":"Zo\xc3\xab"}}\x1b[31m', {"X-Token": "secret token"})[0] == 401
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=10)
    assert "POST /accept" in output and "x-token: secret token" in output and '{"data":{"name":"Zoë"}}\\x1b[31m' in output
    assert "signature: missing" in output and "answer: 401" in output and "requests=1 /accept=1" in output
    assert process.returncode == 0


@pytest.mark.parametrize("args", [["--secret", "abc"], ["--secret", "whsec_?"], ["--mode", "nonsense"], ["--port", "99999"], ["what"]])
def test_wrong_usage_is_told(args):
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "buyer", "sim.py"), *args], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and "sim.py:" in done.stderr


def test_help_lists_all_behaviours():
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "buyer", "sim.py"), "--help"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0 and all(f"/{name} " in done.stdout for name in sim.BEHAVIOURS)
