"""Rubbish at every door (SPEC 12): it is answered as written, and no process ends."""
import glob
import json
import os
import random
import socket
import time

import msgpack
import pytest
import zmq

import leadline_testing as lt
import traffic


@pytest.fixture(scope="module")
def dev():
    with lt.Dev(lt.document()) as running:
        yield running


@pytest.fixture(autouse=True)
def nobody_ends(dev):
    before = {name: dev.pid(name) for name in dev.names() + ["postgres-1"]}
    yield
    assert {name: dev.pid(name) for name in before} == before
    client = lt.Client(dev.port)
    assert client.ingest(lt.lead()).status == 201
    client.close()


def request(body, *headers):
    lines = ["POST /api/v1/ingest HTTP/1.1", "host: x", "x-api-key: " + lt.API_KEY, "content-type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_header_flood_and_slow_clients(dev):
    flood = request(b"", *[f"x-{i}: " + "y" * 200 for i in range(1000)])
    with socket.create_connection(("127.0.0.1", dev.port)) as slow_head, socket.create_connection(("127.0.0.1", dev.port)) as slow_body:
        slow_head.sendall(b"POST /api/v1/ingest HTTP/1.1\r\nhost: x\r\n")
        slow_body.sendall(request(b'{"flo_', "content-length: 500"))
        answer = lt.raw(dev.port, flood, seconds=5)
        assert answer == b"" or answer.split(b" ")[1] in (b"400", b"431")
        client = lt.Client(dev.port)
        began = time.monotonic()
        for _ in range(50):
            assert client.ingest(lt.lead()).status == 201
        assert time.monotonic() - began < 10
        client.close()
        for connection in (slow_head, slow_body):
            connection.settimeout(40)
            answer = connection.recv(65536)
            assert answer == b"" or answer.split(b" ")[1] == b"408"


def test_bytes_that_are_no_http(dev):
    rng = random.Random(7)
    for _ in range(50):
        lt.raw(dev.port, rng.randbytes(rng.randrange(1, 4000)) + b"\r\n\r\n", seconds=0.05)


def test_body_over_the_limit_by_length_and_in_chunks(dev):
    assert b" 413 " in lt.raw(dev.port, request(b"x" * 70000, "content-length: 70000"), seconds=5).split(b"\r\n")[0]
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    assert b" 413 " in lt.raw(dev.port, request(chunk * 20 + b"0\r\n\r\n", "transfer-encoding: chunked"), seconds=5).split(b"\r\n")[0]


def test_mutated_leads_get_an_answer_each(dev):
    rng = random.Random(11)
    client = lt.Client(dev.port)
    for _ in range(300):
        body = bytearray(json.dumps(lt.lead(note="é" * 5, n=1.5)).encode())
        for _ in range(rng.randrange(1, 4)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        answer = client.post("/api/v1/ingest", bytes(body))
        assert answer.status in (200, 201, 400, 403, 404), (answer.status, bytes(body))
    client.close()


def test_frames_that_are_none(dev):
    context = zmq.Context()
    rng = random.Random(13)
    good = [2, 1, "stranger", int(time.time() * 1000), []]
    messages = [b"", b"\xc1", rng.randbytes(1000), msgpack.packb({"a": 1}), msgpack.packb([99, 1, "stranger", 0, []]),
                msgpack.packb([2, 77, "stranger", 0, []]), msgpack.packb([2, 1, "stranger", 0, [{1: b"short"}]]),
                msgpack.packb([2, 2, "stranger", 0, [{1: 5}]]), msgpack.packb([2, 3, "stranger", 0, [[]]]), msgpack.packb(good)[:-1],
                msgpack.packb(good) + b"x", b"\xdd\xff\xff\xff\xff", b"\x91" * 5000, b"x" * (2 << 20)]
    for path in glob.glob(os.path.join(dev.dir, "run", "*.sock")):
        socket_ = context.socket(zmq.PUSH)
        socket_.linger = 2000
        socket_.connect("ipc://" + path)
        for message in messages + [rng.randbytes(rng.randrange(300)) for _ in range(50)]:
            socket_.send(message)
        socket_.send_multipart([msgpack.packb(good), b"second part"])
        socket_.close()
    context.term()
    for name in dev.names():
        if name.split("-")[0] in ("gateway", "validator", "router", "dispatcher"):
            lt.eventually(lambda: "event=frame.refused" in dev.log(name), 10, message=f"{name} says nothing of its rubbish")


def test_a_poison_lead_costs_only_itself(dev):
    """The database refuses one lead of many: it alone is answered with an error."""
    dev.query("ALTER TABLE lead ADD CONSTRAINT no_poison CHECK (fields->>'first_name' IS DISTINCT FROM 'Poison')")
    try:
        leads = [lt.lead() for _ in range(199)]
        leads.insert(77, lt.lead(first_name="Poison"))
        sent = traffic.Traffic(dev.port, leads, connections=100).wait()
        assert traffic.statuses(sent) == {(201, "ACCEPTED"): 199, (500, "internal_error"): 1}
        assert next(one for one in sent if one.status == 500).lead["first_name"] == "Poison"
        assert max(one.took for one in sent) < 5
    finally:
        dev.query("ALTER TABLE lead DROP CONSTRAINT no_poison")


def test_nothing_personal_in_the_logs(dev):
    client = lt.Client(dev.port)
    secret = lt.lead(first_name="Rumpelstilzchen", phone="5559998877", email="rumpel@forest.example")
    client.ingest(secret)
    client.ingest({**secret, "phone": "Rumpelstilzchen"})
    client.post("/api/v1/ingest", json.dumps(secret)[:-1])
    client.close()
    logs = "".join(open(path, errors="replace").read() for path in glob.glob(os.path.join(dev.dir, "log", "*")))
    for word in ("Rumpelstilzchen", "5559998877", "rumpel@", lt.API_KEY):
        assert word not in logs
