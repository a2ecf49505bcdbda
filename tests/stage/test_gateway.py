"""
The gateway: one real process (or two that share a socket), a real PostgreSQL. The test plays the validators and routers behind
it: it registers in stage_instance, reads the leads' frames, and sends answers to the gateway's endpoint.
"""
import concurrent.futures
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
import uuid

import msgpack
import pytest
import zmq

import leadline_testing as testing
import played
from leadline_testing import API_KEY, Client, document, eventually, free_port, lead, raw, supplier

INGEST = "/api/v1/ingest"
NAMES = {1: "id", 2: "supplier_id", 3: "gateway", 4: "left_ms", 5: "request_id", 6: "raw", 7: "fields", 8: "is_resent",
         9: "least_version", 10: "idempotency_key", 11: "body_sha256", 12: "campaign_id", 18: "mode"}
UUID_PATTERN = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")

OTHER_KEY = "another_suppliers_key"
FENCED_KEY = "key_that_works_from_one_network_only"
SLOW_KEY = "key_of_a_slow_supplier"


def suppliers():
    slow = {"ingest": {"per_second": 1, "burst": 4}, "ping": {"per_second": 1, "burst": 1}, "lookup": {"per_second": 1, "burst": 0}}
    return [supplier(), supplier("supplier_other", OTHER_KEY), supplier("supplier_fenced", FENCED_KEY, allowed_ips=["198.51.100.0/24"]),
            {**supplier("supplier_slow", SLOW_KEY), "rate_limits": slow}]


def sold(item):
    """What a router answers when it has sold."""
    body = {"data": {"id": str(item["id"]), "status": "ACCEPTED", "buyer_id": "buyer_abc", "campaign_id": "campaign_abc123"}}
    return 201, json.dumps(body, separators=(",", ":"))


def silent(item):
    return None


class Validator:
    """
    A stage behind the gateway. `answer` is called with each lead (a dict by NAMES) and gives (status, body), (status, body, least_version)
    or None for silence.
    """

    def __init__(self, rig, name="validator-1", answer=sold):
        self.rig = rig
        self.name = name
        self.answer = answer
        self.leads = []
        self.times = []
        self.senders = []
        self.changed = threading.Condition()
        self.endpoint = f"ipc://{rig.folder}/{name}.sock"
        self.is_stopped = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.bound = threading.Event()
        self.thread.start()
        assert self.bound.wait(5)
        rig.register("validator", name, self.endpoint)

    def _run(self):
        pull = self.rig.context.socket(zmq.PULL)
        pull.setsockopt(zmq.LINGER, 0)
        pull.bind(self.endpoint)
        self.bound.set()
        gateways = {}
        while not self.is_stopped:
            if not pull.poll(50):
                continue
            major, kind, sender, _, items = msgpack.unpackb(pull.recv(), strict_map_key=False)
            assert (major, kind) == (2, 1)
            answers = {}
            for item in items:
                one = {NAMES[key]: value for key, value in item.items()}
                one["id"], one["request_id"] = uuid.UUID(bytes=one["id"]), uuid.UUID(bytes=one["request_id"])
                with self.changed:
                    self.leads.append(one)
                    self.times.append(time.monotonic())
                    self.senders.append(sender)
                    self.changed.notify_all()
                given = self.answer(one)
                if given is not None:
                    answer = {1: one["id"].bytes, 2: given[0], 3: given[1]}
                    if len(given) > 2:
                        answer[4] = given[2]
                    answers.setdefault(one["gateway"], []).append(answer)
            for gateway, list_ in answers.items():
                if gateway not in gateways:
                    gateways[gateway] = self.rig.context.socket(zmq.PUSH)
                    gateways[gateway].setsockopt(zmq.LINGER, 0)
                    gateways[gateway].setsockopt(zmq.SNDTIMEO, 5000)
                    gateways[gateway].connect(self.rig.endpoint(gateway))
                gateways[gateway].send(frame(2, list_))
        pull.close()
        for push in gateways.values():
            push.close()

    def wait(self, count, seconds=10):
        """Waits for so many leads, and returns all so far."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.leads) >= count, seconds), f"{len(self.leads)} leads, not {count}"
            return list(self.leads)

    def last(self):
        with self.changed:
            return self.leads[-1]

    def die(self):
        """Without a word: the connection is gone, the row stays."""
        self.is_stopped = True
        self.thread.join(5)
        assert not self.thread.is_alive()

    def leave(self):
        self.rig.database.query("DELETE FROM stage_instance WHERE name = %s", self.name)
        self.rig.database.query("NOTIFY leadline_stage")
        self.die()


def frame(kind, items, major=2):
    return played.frame(kind, items, "validator-1", major)


class Gateway(played.Observed):
    """The process under test."""

    def __init__(self, rig, name="gateway-1", socket_fd=None, **params):
        self.rig = rig
        self.name = name
        self.params = params
        self.socket_fd = socket_fd
        self.log_path = os.path.join(rig.folder, f"{name}.log")
        self.port = None

    def start(self, wait=True):
        self.admin = free_port()
        program = testing.program("leadline-gateway")
        args = [program, "--dsn", self.rig.database.dsn("leadline-gateway"), "--name", self.name, "--run-dir", self.rig.folder,
                "--admin", f"127.0.0.1:{self.admin}"]
        options = {}
        if self.socket_fd is None:
            self.port = free_port()
            if "listen" not in self.params:
                args += ["--listen", f"127.0.0.1:{self.port}"]
        else: # as systemd does: descriptor 3, and LISTEN_PID that of the process itself
            self.port = self.rig.shared.getsockname()[1]
            shell = f'exec 3<&{self.socket_fd}; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
            args = ["bash", "-c", shell, "bash", *args]
            options = {"pass_fds": [self.socket_fd]}
        environment = {**os.environ, **{f"LEADLINE_{name.upper()}": str(value) for name, value in self.params.items()}}
        with open(self.log_path, "ab") as log:
            self.process = testing.spawn(args, signal.SIGKILL, stdout=log, stderr=log, env=environment, **options)
        if wait:
            eventually(self.is_ready, 20, message=self.log)
            eventually(self.is_listening, 10, message=self.log)
        return self

    def is_listening(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" if "tls_cert" not in self.params else b"")
            return "tls_cert" in self.params or connection.recv(1) == b"H"

    def memory_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) * 1024

    def is_alive(self):
        return self.process.poll() is None

    def stop_at_once(self):
        """TERM, and again as soon as the first was heard."""
        before = self.log().count("event=stage.stopping")
        self.process.terminate()
        eventually(lambda: self.log().count("event=stage.stopping") > before or not self.is_alive())
        assert self.stop() == 0, self.log()

    def client(self, **options):
        return Client(self.port, **options)


class Rig:
    """A database with a configuration, and what is started around it; ends all of it."""

    def __init__(self, database):
        self.database = database
        self.folder = testing.temp_folder("leadline-gate-")
        self.context = zmq.Context()
        self.gateways = []
        self.validators = []
        self.shared = None
        database.apply(document(suppliers=suppliers()))

    def register(self, stage, name, endpoint):
        self.database.query("""INSERT INTO stage_instance (stage, name, endpoint, admin, version, host, pid, beat_at)
            VALUES (%s, %s, %s, 'unix:/nowhere', 'test', 'test', 1, now() + interval '1 hour')""", stage, name, endpoint)
        self.database.query("NOTIFY leadline_stage")

    def endpoint(self, gateway):
        return f"ipc://{self.folder}/{gateway}.sock"

    def validator(self, *args, **options):
        self.validators.append(Validator(self, *args, **options))
        return self.validators[-1]

    def gateway(self, name="gateway-1", wait=True, **params):
        self.gateways.append(Gateway(self, name, **params))
        return self.gateways[-1].start(wait)

    def share_socket(self):
        """One listening socket for several gateways. Returns its descriptor."""
        if self.shared is None:
            self.shared = socket.create_server(("127.0.0.1", 0), backlog=512)
            self.shared.setblocking(False)
        return self.shared.fileno()

    def push(self, gateway, message):
        push = self.context.socket(zmq.PUSH)
        push.setsockopt(zmq.SNDTIMEO, 5000)
        push.setsockopt(zmq.LINGER, 5000)
        push.connect(self.endpoint(gateway.name))
        push.send(message)
        push.close()

    def close(self):
        for gateway in self.gateways:
            if gateway.is_alive():
                gateway.stop_at_once()
        for validator in self.validators:
            validator.die()
        if self.shared is not None:
            self.shared.close()
        self.context.destroy(linger=0)


@pytest.fixture
def rig(database):
    made = Rig(database)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(postgres):
    """A rig, a validator that sells everything and a gateway, for the tests that leave them as they were."""
    made = Rig(postgres.fresh_database())
    made.validator()
    made.gateway(trusted_proxies="127.0.0.1")
    yield made
    made.close()
    made.database.drop()


@pytest.fixture
def gateway(shared):
    yield shared.gateways[0]
    assert shared.gateways[0].is_alive()


@pytest.fixture
def validator(shared):
    yield shared.validators[0]
    shared.validators[0].answer = sold


@pytest.fixture
def client(gateway):
    made = gateway.client()
    yield made
    made.close()


def check_problem(answer, status, error):
    """The one shape of every error."""
    body = answer.json()
    assert (answer.status, body["error"], body["status"]) == (status, error, status), answer
    assert list(body)[:6] == ["error", "message", "request_id", "type", "title", "status"]
    assert body["message"] and body["title"] and body["type"]
    assert answer.headers["x-request-id"] == body["request_id"]
    assert UUID_PATTERN.match(body["request_id"])
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.body)
    return body


# The way of a lead ------------------------------------------------------------------------------------------------------

def test_a_lead_goes_its_way_and_the_answer_comes_back_as_it_is(client, validator):
    body = lead(age=42, owner=True, note=None, empty="", nested={"a": 1}, weird="Zoë \"Z\"")
    answer = client.ingest(body)
    item = validator.last()
    assert answer.status == 201
    assert answer.body == sold(item)[1].encode()
    assert answer.headers["content-type"] == "application/json"
    assert UUID_PATTERN.match(str(item["id"]))
    assert abs(int.from_bytes(item["id"].bytes[:6], "big") / 1000 - time.time()) < 5
    assert answer.headers["x-request-id"] == str(item["request_id"]) != str(item["id"])
    assert item["supplier_id"] == "supplier_xyz789" and item["gateway"] == "gateway-1"
    assert item["left_ms"] == 5000
    assert json.loads(item["raw"]) == body
    fields = {name: (kind, text) for name, kind, text in item["fields"]}
    assert fields["phone"] == (0, body["phone"])
    assert fields["age"] == (1, "42")
    assert fields["owner"] == (2, "true")
    assert fields["nested"] == (3, "")
    assert fields["weird"] == (0, "Zoë \"Z\"")
    assert "note" not in fields and "empty" not in fields
    assert not {"is_resent", "least_version", "idempotency_key", "body_sha256", "campaign_id"} & set(item)


def test_a_ping_goes_its_way_without_what_would_be_stored(client, validator):
    body = lead(first_name=None, last_name=None, phone=None, email=None)
    answer = client.ping(body, idempotency_key="k")
    item = validator.last()
    assert answer.status == 201 and answer.body == sold(item)[1].encode()  # whatever a router says
    assert item["mode"] == 1 and item["raw"] == "{}" and {name: text for name, _, text in item["fields"]} == body
    assert item["left_ms"] == 5000 and not {"idempotency_key", "body_sha256"} & set(item)
    check_problem(client.ping("{"), 400, "invalid_json")
    check_problem(client.ping(body, content_type="text/plain"), 415, "unsupported_media_type")
    check_problem(client.ping(body, x_api_key="unknown"), 401, "unauthorized")
    assert client.get("/api/v1/ping").headers["allow"] == "POST"
    client.ingest(lead())
    assert "mode" not in validator.last() or validator.last()["mode"] == 0


def test_pings_have_a_bucket_of_their_own(client):
    answers = [client.ping(lead(), x_api_key=SLOW_KEY) for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 201, 429]
    assert answers[0].headers["ratelimit-policy"] == '"ping";q=1;w=1,"ping-burst";q=1;w=1'


@pytest.mark.parametrize("asked, campaign_, given", [
    ("700", {}, 700), (700, {}, 700), (" 700 ", {}, 700), (700.0, {}, 700), ("700.50", {}, 5000), ("99", {}, 5000), ("soon", {}, 5000), ("9" * 30, {}, 5000), (60000, {}, 5000), (None, {}, 5000),
    (None, {"deadline_ms": 1200}, 1200), (700, {"deadline_ms": 1200}, 700), (3000, {"deadline_ms": 1200}, 1200), (None, {"deadline_ms": 20000}, 20000),
], ids=str)
def test_how_long_a_supplier_waits(rig, asked, campaign_, given):
    one = rig.validator()
    rig.database.apply(document(suppliers=suppliers(), campaigns=[testing.campaign(**campaign_)]))
    client = rig.gateway().client()
    assert client.ingest(lead(flo_timeout_ms=asked)).status == 201 and client.ping(testing.ping(flo_timeout_ms=asked)).status == 201
    assert [item["left_ms"] for item in one.leads] == [given, given]


def test_the_supplier_shortens_its_own_wait(rig):
    rig.validator(answer=silent)
    client = rig.gateway().client()
    started = time.monotonic()
    check_problem(client.ping(testing.ping(flo_timeout_ms=300)), 503, "timeout")
    assert time.monotonic() - started < 2


def test_a_form_is_a_lead_too(client, validator):
    answer = client.post(INGEST, "flo_campaign_id=campaign_abc123&first_name=Jo+hn&email=john%40example.com&empty=",
                         content_type="application/x-www-form-urlencoded; charset=UTF-8")
    assert answer.status == 201
    item = validator.last()
    assert json.loads(item["raw"]) == {"flo_campaign_id": "campaign_abc123", "first_name": "Jo hn", "email": "john@example.com", "empty": ""}
    assert item["fields"] == [["flo_campaign_id", 0, "campaign_abc123"], ["first_name", 0, "Jo hn"], ["email", 0, "john@example.com"]]


def test_what_only_the_validator_may_judge_is_passed_on(client, validator):
    many = {f"field_{n}": n for n in range(300)}
    assert client.ingest(many).status == 201
    assert len(validator.last()["fields"]) == 300
    assert client.ingest({"n" * 100: "v" * 5000}).status == 201
    assert validator.last()["fields"] == [["n" * 100, 0, "v" * 5000]]
    assert client.ingest({}).status == 201
    assert validator.last()["fields"] == []


@pytest.mark.parametrize("status, body", [(200, '{"data":{"id":"x","status":"UNMATCHED","buyer_id":null}}'),
                                          (400, '{"error":"validation_failed","field_errors":[]}'),
                                          (403, '{"error":"source_paused"}'), (404, '{"error":"campaign_not_found"}'),
                                          (409, '{"error":"duplicate","data":{"status":"DUPLICATE"}}'),
                                          (422, '{"error":"suppressed","filter_errors":[]}')])
def test_every_answer_of_a_router_goes_through_byte_for_byte(client, validator, status, body):
    validator.answer = lambda item: (status, body)
    answer = client.ingest(lead())
    assert (answer.status, answer.body) == (status, body.encode())
    assert answer.headers["content-type"] == "application/json"
    accepted = client.ingest(lead(), accept="application/json, application/problem+json")
    assert (accepted.status, accepted.body) == (status, body.encode())
    assert accepted.headers["content-type"] == ("application/problem+json" if status >= 400 else "application/json")


def test_an_answer_without_a_body_is_written_by_the_gateway(client, validator):
    validator.answer = lambda item: (503, "")
    answer = client.ingest(lead())
    assert check_problem(answer, 503, "unavailable")["retry_after"] == 1
    assert answer.headers["retry-after"] == "1"
    validator.answer = lambda item: (500, "")
    answer = client.ingest(lead())
    check_problem(answer, 500, "internal_error")
    assert "retry-after" not in answer.headers
    validator.answer = lambda item: (99999, "{}")
    check_problem(client.ingest(lead()), 500, "internal_error")


def test_request_ids_differ_and_none_is_taken_from_outside(client):
    ids = {client.ingest(lead(), x_request_id="mine").headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20 and all(UUID_PATTERN.match(id) for id in ids)


def test_answers_that_nobody_waits_for_and_frames_that_are_none_do_no_harm(shared, gateway, client):
    before = gateway.metric("leadline_frames_refused_total")
    shared.push(gateway, frame(2, [{1: os.urandom(16), 2: 201, 3: "{}"}]))
    rubbish = [b"", b"\xc1", os.urandom(200), frame(1, []), frame(3, [{1: b"x"}]), frame(2, [{2: 201}]), frame(2, [{1: b"short", 2: 201, 3: "{}"}]),
               frame(2, [], major=9), msgpack.packb([2, 2]), msgpack.packb({"a": 1})]
    for message in rubbish:
        shared.push(gateway, message)
    eventually(lambda: gateway.metric("leadline_frames_refused_total") >= before + 7, message=lambda: gateway.log()[-3000:])
    assert client.ingest(lead()).status == 201


# Who may, what may come -------------------------------------------------------------------------------------------------

def test_a_key_is_needed(client):
    for key in (None, "", "unknown", API_KEY + "x", API_KEY[:-1]):
        check_problem(client.post(INGEST, lead(), x_api_key=key), 401, "unauthorized")
    check_problem(client.get("/api/v1/leads/lookup?phone=5551234567", x_api_key="unknown"), 401, "unauthorized")
    check_problem(client.get(f"/api/v1/leads/{uuid.uuid4()}", x_api_key=None), 401, "unauthorized")


def plain_request(method, target, *headers, body=b""):
    """The bytes of a request, after which the connection is closed."""
    return "\r\n".join([f"{method} {target} HTTP/1.1", "host: x", "connection: close", f"content-length: {len(body)}", *headers, "", ""]).encode() + body


def test_blanks_around_a_headers_value_are_none_of_it(gateway, validator):
    body = json.dumps(lead()).encode()
    headers = [f"x-api-key: \t {API_KEY} \t", "content-type:  application/json ", "content-encoding: identity ", "idempotency-key:  blank  "]
    assert raw(gateway.port, plain_request("POST", INGEST, *headers, body=body)).startswith(b"HTTP/1.1 201")
    spread = validator.last()
    assert raw(gateway.port, plain_request("POST", INGEST, *[header.replace(" ", "").replace("\t", "") for header in headers], body=body)).startswith(b"HTTP/1.1 201")
    assert validator.last()["idempotency_key"] == spread["idempotency_key"]


def test_a_key_that_comes_twice_is_none(gateway):
    media, key = "content-type: application/json", f"x-api-key: {API_KEY}"
    for other in (key, "x-api-key: unknown"):
        for headers in ([media, key, other], [media, other, key], [media, key, other, "idempotency-key: k"]):
            assert raw(gateway.port, plain_request("POST", INGEST, *headers, body=b"{}")).startswith(b"HTTP/1.1 401")


def test_what_is_asked_for_may_be_a_whole_address(gateway, validator):
    headers = ["content-type: application/json", f"x-api-key: {API_KEY}"]
    for target in ("http://leads.example" + INGEST, "https://leads.example:8443/api/v1/../v1/ingest?a=b"):
        assert raw(gateway.port, plain_request("POST", target, *headers, body=b"{}")).startswith(b"HTTP/1.1 201"), target
    answer = raw(gateway.port, plain_request("GET", "http://leads.example/api/v1/leads/lookup?phone=5550001111", *headers))
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b'{"data":[]}')
    for target in ("http://leads.example", "http://", "leads.example/api/v1/ingest", "*"):
        assert raw(gateway.port, plain_request("GET", target, *headers)).startswith(b"HTTP/1.1 404"), target


def test_paths_and_methods(client):
    for path in ("/", "/api/v1", "/api/v1/ingest/", "/api/v1/ping/", "/api/v1/leads", "/api/v1/leads/", "/api/v1/leads/a/b", "/api/v1/spec/",
                 "/api/v2/ingest", "/%00", "//"):
        check_problem(client.get(path), 404, "not_found")
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "HEAD"):
        answer = client.request(method, INGEST, None, {"x-api-key": API_KEY})
        assert answer.status == 405 and answer.headers["allow"] == "POST"
    for path in ("/api/v1/leads/lookup", f"/api/v1/leads/{uuid.uuid4()}", "/api/v1/openapi.yaml"):
        answer = client.post(path, {})
        check_problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD"


def test_other_media_types_are_refused(client):
    for media in ("text/plain", "application/xml", "multipart/form-data; boundary=x", None):
        check_problem(client.post(INGEST, lead(), content_type=media), 415, "unsupported_media_type")
    check_problem(client.ingest(lead(), content_encoding="gzip"), 415, "unsupported_media_type")


def test_a_body_may_have_64_kib(client, gateway):
    padding = 65536 - len(json.dumps({"note": ""}))
    assert client.ingest({"note": "x" * padding}).status == 201
    check_problem(client.ingest({"note": "x" * (padding + 1)}), 413, "payload_too_large")
    for size in (70_000, 1_000_000, 20_000_000):
        answer = gateway.client().ingest({"note": "x" * size})
        check_problem(answer, 413, "payload_too_large")
        assert answer.headers["connection"] == "close"
    chunks = (b"x" * 10_000 for _ in range(200))
    answer = gateway.client().request("POST", INGEST, chunks, {"x-api-key": API_KEY, "content-type": "application/json"})
    check_problem(answer, 413, "payload_too_large")
    answer = gateway.client().request("POST", INGEST, (b"{}" for _ in range(1)), {"x-api-key": API_KEY, "content-type": "application/json"})
    assert answer.status == 201
    big = gateway.client().ingest({"note": "x" * 1_000_000}, accept="application/problem+json")
    assert big.headers["content-type"] == "application/problem+json"


BAD_JSON = [b"", b" ", b"{", b'{"a":', b'{"a":1,}', b"{'a':1}", b'{"a":1}x', b'{"a":1}{}', b"[1,2]", b'"text"', b"42", b"null", b"true",
            b'{"a":1,"a":2}', b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\\u0000"}', b'{"a\\u0000":1}', b'{"a":"\x00"}', b'{"a":"\\ud800"}',
            b'{"a":NaN}', b'{"a":01}', b'{"a":1e999}', b'{"a":"\n"}', b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", b"[" * 30000,
            b'{"a":"' + b"x" * 60000, b"\xef\xbb\xbf{}", b'{"a" 1}', b'{"a":tru}', b'{"a":"\\x"}']


def test_what_is_no_json_object_is_refused_with_its_place_and_the_connection_goes_on(gateway):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.connect()
    port = connection.sock.getsockname()[1]
    for body in BAD_JSON:
        connection.request("POST", INGEST, body, {"x-api-key": API_KEY, "content-type": "application/json"})
        response = connection.getresponse()
        problem = json.loads(response.read())
        assert (response.status, problem["error"]) == (400, "invalid_json"), body[:50]
        assert "position" in problem["message"] or "object" in problem["message"], (body[:50], problem)
        assert "xxxx" not in problem["message"]
    connection.request("POST", INGEST, json.dumps(lead()), {"x-api-key": API_KEY, "content-type": "application/json"})
    assert connection.getresponse().status == 201
    assert connection.sock.getsockname()[1] == port
    connection.close()


def test_what_is_no_form_is_refused(client):
    for body in ("a=1&a=2", "a=%", "a=%zz", "a=%00", "a=%ff", "=x"):
        problem = check_problem(client.post(INGEST, body, content_type="application/x-www-form-urlencoded"), 400, "invalid_form")
        assert "position" in problem["message"]


def test_a_problem_is_told_in_the_form_that_is_accepted(client):
    answer = client.post(INGEST, "{", accept="text/html, application/problem+json;q=0.9")
    assert answer.headers["content-type"] == "application/problem+json" and answer.error == "invalid_json"
    answer = client.post(INGEST, "{", accept="application/json")
    assert answer.headers["content-type"] == "application/json"


def test_the_address_may_be_fenced(client):
    for forwarded in (None, "203.0.113.1", "198.51.100.1, 203.0.113.1", "nonsense"):
        check_problem(client.ingest(lead(), x_api_key=FENCED_KEY, x_forwarded_for=forwarded), 403, "forbidden")
    assert client.ingest(lead(), x_api_key=FENCED_KEY, x_forwarded_for="198.51.100.1").status == 201
    assert client.ingest(lead(), x_api_key=FENCED_KEY, x_forwarded_for="203.0.113.1, 198.51.100.1, 127.0.0.1").status == 201


def test_without_a_trusted_proxy_the_header_says_nothing(rig):
    rig.validator()
    gateway = rig.gateway()
    check_problem(gateway.client().ingest(lead(), x_api_key=FENCED_KEY, x_forwarded_for="198.51.100.1"), 403, "forbidden")


def proxy_header(address, rest=b""):
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12 + len(rest)) + socket.inet_aton(address) + b"\x0a\0\0\x01" + b"\x30\x39\x01\xbb" + rest


def test_a_proxys_header_before_the_connection_is_believed(rig):
    rig.validator()
    gateway = rig.gateway(wait=False, proxy_protocol=1, trusted_proxies="127.0.0.1/32", request_ms=1000)
    eventually(gateway.is_ready, 20)
    body = json.dumps(lead()).encode()
    request = (f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nx-api-key: {FENCED_KEY}\r\ncontent-type: application/json\r\nconnection: close\r\n"
               f"content-length: {len(body)}\r\n\r\n").encode() + body
    eventually(lambda: raw(gateway.port, proxy_header("198.51.100.7") + request).startswith(b"HTTP/1.1 201"))
    header = proxy_header("198.51.100.7", b"\x04\0\x05hello")
    assert raw(gateway.port, [header[:7], header[7:20], header[20:] + request[:30], request[30:]], pause=0.05).startswith(b"HTTP/1.1 201")
    assert raw(gateway.port, proxy_header("203.0.113.7") + request).startswith(b"HTTP/1.1 403")
    for wrong in (request, b"PROXY TCP4 198.51.100.7 10.0.0.1 1 2\r\n" + request):
        assert raw(gateway.port, wrong) == b""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as half:
        half.sendall(header[:20])
        half.shutdown(socket.SHUT_WR)
        assert half.recv(100) == b""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as slow:
        slow.sendall(header[:20])
        started = time.monotonic()
        assert slow.recv(100) == b""
        assert 0.5 < time.monotonic() - started < 4


# Rate limits ------------------------------------------------------------------------------------------------------------

def test_a_rate_limit_is_told_and_held(client):
    answers = [client.ingest(lead(), x_api_key=SLOW_KEY) for _ in range(7)]
    assert [answer.status for answer in answers[:5]] == [201] * 5
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert all(answer.headers["ratelimit-policy"] == '"ingest";q=1;w=1,"ingest-burst";q=4;w=4' for answer in answers)
    assert answers[0].headers["ratelimit"] == '"ingest-burst";r=4;t=1'
    assert answers[1].headers["ratelimit"] == '"ingest-burst";r=3;t=1'
    problem = check_problem(refused[0], 429, "rate_limited")
    assert problem["retry_after"] == 1 == int(refused[0].headers["retry-after"])
    assert refused[0].headers["ratelimit"].startswith('"ingest-burst";r=0;t=')
    time.sleep(1.1)
    assert client.ingest(lead(), x_api_key=SLOW_KEY).status == 201


def test_look_ups_have_a_bucket_of_their_own(client):
    answers = [client.get(f"/api/v1/leads/{uuid.uuid4()}", x_api_key=SLOW_KEY) for _ in range(3)]
    assert [answer.status for answer in answers] == [404, 429, 429]
    assert answers[0].headers["ratelimit-policy"] == '"lookup";q=1;w=1'
    assert client.ingest(lead(), x_api_key="unknown").headers.get("ratelimit") is None


def test_gateways_of_a_host_share_the_buckets(rig):
    rig.validator()
    rate_file = os.path.join(rig.folder, "rates")
    one, two = (rig.gateway(name, rate_file=rate_file) for name in ("gateway-1", "gateway-2"))
    statuses = [gateway.client().ingest(lead(), x_api_key=SLOW_KEY).status for _ in range(4) for gateway in (one, two)]
    assert statuses[:5] == [201] * 5 and 429 in statuses and statuses.count(201) <= 7
    one.process.kill()
    one.process.wait()
    assert rig.gateway("gateway-3", rate_file=rate_file).client().ingest(lead(), x_api_key=SLOW_KEY).status in (201, 429)
    half = rig.gateway("gateway-4", rate_share=50)
    assert half.client().ingest(lead(), x_api_key=SLOW_KEY).headers["ratelimit-policy"] == '"ingest";q=1;w=1,"ingest-burst";q=2;w=2'


# Idempotency keys -------------------------------------------------------------------------------------------------------

def secret_key(database, kind, *parts):
    """As proto/key.h describes it."""
    secret = bytes(database.query_one("SELECT secret FROM installation_secret"))
    message = b"".join(struct.pack("!I", len(part.encode())) + part.encode() for part in (kind, *parts))
    return hmac.new(secret, message, hashlib.sha256).digest()[:16]


def test_an_idempotency_key_belongs_to_supplier_and_path(shared, client, validator):
    body = json.dumps(lead()).encode()
    client.ingest(body, idempotency_key="order-1")
    one = validator.last()
    assert one["idempotency_key"] == secret_key(shared.database, "idempotency", "supplier_xyz789", INGEST, "order-1")
    assert one["body_sha256"] == hashlib.sha256(body).digest()
    client.ingest(body, idempotency_key='"order-1"')
    quoted = validator.last()
    assert quoted["idempotency_key"] == one["idempotency_key"] and quoted["id"] != one["id"]
    client.ingest(body + b" ", idempotency_key="order-1")
    other_body = validator.last()
    assert other_body["idempotency_key"] == one["idempotency_key"] and other_body["body_sha256"] != one["body_sha256"]
    client.ingest(body, idempotency_key="order-2")
    assert validator.last()["idempotency_key"] != one["idempotency_key"]
    client.ingest(body, idempotency_key="order-1", x_api_key=OTHER_KEY)
    assert validator.last()["idempotency_key"] != one["idempotency_key"]


def test_a_malformed_idempotency_key_is_refused(client, gateway):
    for key in ("", '""', '"open', "k" * 256, "caf\u00e9", 'a"; drop'.replace("a", '"')):
        check_problem(client.ingest(lead(), idempotency_key=key), 400, "bad_request")
    assert client.ingest(lead(), idempotency_key="k" * 255).status == 201
    body = json.dumps(lead())
    twice = (f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nx-api-key: {API_KEY}\r\ncontent-type: application/json\r\nconnection: close\r\n"
             f"idempotency-key: a\r\nidempotency-key: b\r\ncontent-length: {len(body)}\r\n\r\n{body}")
    assert raw(gateway.port, twice.encode()).startswith(b"HTTP/1.1 400")


# Again, late, never -----------------------------------------------------------------------------------------------------

def in_background(function, *args, **options):
    pool = concurrent.futures.ThreadPoolExecutor(1)
    future = pool.submit(function, *args, **options)
    pool.shutdown(wait=False)
    return future


def test_a_silent_validator_is_asked_once_more_after_two_seconds(rig):
    one = rig.validator(answer=silent)
    gateway = rig.gateway()
    started = time.monotonic()
    answer = in_background(gateway.client().ingest, lead(), idempotency_key="k").result(10)
    check_problem(answer, 503, "timeout")
    assert answer.headers["retry-after"] == "1"
    assert 4.9 < time.monotonic() - started < 6
    assert len(one.leads) == 2
    first, second = one.leads
    assert 1.9 < one.times[1] - one.times[0] < 2.5
    assert second["id"] == first["id"] and second["request_id"] == first["request_id"]
    assert "is_resent" not in first and second["is_resent"] is True
    assert 2500 <= second["left_ms"] <= 3050
    same = set(NAMES.values()) - {"left_ms", "is_resent"}
    assert {name: first.get(name) for name in same} == {name: second.get(name) for name in same}
    assert gateway.metric("leadline_resends_total") == 1
    assert gateway.metric("leadline_requests_total", path="ingest", status="503") == 1


def test_the_second_sending_is_answered(rig):
    rig.validator(answer=lambda item: sold(item) if item.get("is_resent") else None)
    gateway = rig.gateway()
    started = time.monotonic()
    assert gateway.client().ingest(lead()).status == 201
    assert 1.9 < time.monotonic() - started < 3


def test_the_deadline_is_a_parameter(rig):
    one = rig.validator(answer=silent)
    gateway = rig.gateway(deadline_ms=700)
    started = time.monotonic()
    check_problem(gateway.client().ingest(lead()), 503, "timeout")
    assert 0.65 < time.monotonic() - started < 1.5
    assert [item["left_ms"] for item in one.leads] == [700]


def test_what_a_dead_validator_had_is_sent_again_at_once(rig):
    dying = rig.validator("validator-1", answer=silent)
    gateway = rig.gateway()
    answers = [in_background(gateway.client().ingest, lead()) for _ in range(10)]
    dying.wait(10)
    heir = rig.validator("validator-2")
    eventually(lambda: len({lead_["id"] for lead_ in heir.leads}) or gateway.client().ingest(lead()).status == 201 and heir.leads, 10)
    started = time.monotonic()
    dying.die()
    assert [answer.result(10).status for answer in answers] == [201] * 10
    assert time.monotonic() - started < 1.9
    resent = [item for item in heir.leads if item.get("is_resent")]
    assert {item["id"] for item in dying.leads[:10]} <= {item["id"] for item in resent}


def test_without_a_validator_the_answer_is_503_at_once_and_what_waits_is_sent_to_the_next(rig):
    only = rig.validator(answer=silent)
    gateway = rig.gateway()
    waiting = in_background(gateway.client().ingest, lead())
    only.wait(1)
    only.leave()
    eventually(lambda: gateway.get("/readyz")[0] == 503)
    started = time.monotonic()
    answer = gateway.client().ingest(lead())
    check_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert time.monotonic() - started < 0.5
    assert gateway.metric("leadline_overload_total", kind="no_validator") >= 1
    rig.validator("validator-2")
    assert waiting.result(10).status == 201


def test_leads_go_round_the_validators(rig):
    both = [rig.validator(f"validator-{n}") for n in (1, 2)]
    client = rig.gateway().client()
    eventually(lambda: client.ingest(lead()).status == 201 and all(one.leads for one in both))
    before = [len(one.leads) for one in both]
    for _ in range(20):
        assert client.ingest(lead()).status == 201
    assert [len(one.leads) - n for one, n in zip(both, before)] == [10, 10]


def test_a_lead_judged_by_an_old_catalog_is_sent_again_with_the_version(rig):
    versions = []

    def answer(item):
        versions.append(item.get("least_version"))
        return sold(item) if len(versions) == 5 else (0, "", 7 if len(versions) < 3 else 9)
    one = rig.validator(answer=answer)
    assert rig.gateway().client().ingest(lead()).status == 201
    assert versions == [None, 7, 7, 9, 9]
    assert len({item["id"] for item in one.leads}) == 1
    gaps = [later - earlier for earlier, later in zip(one.times, one.times[1:])]
    assert gaps[0] < 0.5 and all(0.015 < gap < 0.5 for gap in gaps[1:])
    assert all("is_resent" not in item for item in one.leads)


def test_old_catalogs_end_at_the_deadline(rig):
    one = rig.validator(answer=lambda item: (0, "", 7))
    client = rig.gateway(deadline_ms=1000).client()
    started = time.monotonic()
    check_problem(client.ingest(lead()), 503, "timeout")
    assert time.monotonic() - started < 2
    assert 5 < len(one.leads) <= 52


def test_a_supplier_that_leaves_leaves_nothing_behind(rig):
    one = rig.validator(answer=silent)
    gateway = rig.gateway(deadline_ms=1500)
    body = json.dumps(lead()).encode()
    for n in range(20):
        with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
            connection.sendall(f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nx-api-key: {API_KEY}\r\ncontent-type: application/json\r\n"
                               f"content-length: {len(body)}\r\n\r\n".encode() + body)
            one.wait(n + 1)
            if n % 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    rig.push(gateway, frame(2, [{1: item["id"].bytes, 2: 201, 3: "{}"} for item in one.leads[:10]]))
    eventually(lambda: gateway.metric("leadline_open_requests") == 0 and gateway.metric("leadline_open_bytes") == 0, 5)
    eventually(lambda: gateway.metric("leadline_connections") == 0, 5)
    one.answer = sold
    assert gateway.client().ingest(lead()).status == 201


# Limits -----------------------------------------------------------------------------------------------------------------

def test_past_its_memory_the_gateway_says_so_at_once(rig):
    one = rig.validator(answer=silent)
    gateway = rig.gateway(open_bytes=200_000)
    waiting = [in_background(gateway.client().ingest, lead()) for _ in range(40)]
    eventually(lambda: gateway.metric("leadline_overload_total", kind="open_bytes") > 0)
    assert 10 <= gateway.metric("leadline_open_requests") <= 24
    assert gateway.metric("leadline_open_bytes") <= 200_000
    started = time.monotonic()
    answer = gateway.client().ingest(lead())
    check_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1" and time.monotonic() - started < 0.5
    assert gateway.client().ingest({"note": "x" * 60_000}).status == 503
    one.answer = sold # with the second sending all are answered, and there is room again
    statuses = [future.result(10).status for future in waiting]
    assert statuses.count(201) >= 10 and set(statuses) == {201, 503}
    assert gateway.client().ingest(lead()).status == 201
    assert gateway.metric("leadline_open_bytes") == 0


def test_slow_requests_are_cut_off_and_others_do_not_feel_it(rig):
    rig.validator()
    gateway = rig.gateway(request_ms=1000)
    head = f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nx-api-key: {API_KEY}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n".encode()
    slow = [socket.create_connection(("127.0.0.1", gateway.port), timeout=10) for _ in range(60)]
    started = time.monotonic()
    for n, connection in enumerate(slow):
        connection.sendall(head[:40] if n % 3 == 0 else head if n % 3 == 1 else head + b"\r\n{\"a\":")
    client = gateway.client()
    while time.monotonic() - started < 0.9:
        before = time.monotonic()
        assert client.ingest(lead()).status == 201
        assert time.monotonic() - before < 0.5
        for connection in slow: # a byte now and then does not help
            with contextlib.suppress(OSError):
                connection.sendall(b" ")
        time.sleep(0.1)
    for connection in slow:
        with contextlib.suppress(ConnectionResetError):
            received = connection.recv(1000)
            assert received == b"" or received.startswith((b"HTTP/1.1 408", b"HTTP/1.1 400"))
        connection.close()
    assert time.monotonic() - started < 4
    assert client.ingest(lead()).status == 201
    idle = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
    time.sleep(2)
    idle.settimeout(0.1)
    with pytest.raises(socket.timeout): # between requests there is more time
        idle.recv(1)
    idle.close()


def test_a_connection_may_not_be_idle_for_ever(rig):
    rig.validator()
    gateway = rig.gateway(idle_ms=600)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as idle:
        started = time.monotonic()
        assert idle.recv(1) == b""
        assert 0.3 < time.monotonic() - started < 3


def test_floods_of_headers_are_refused(gateway, client):
    many = f"POST {INGEST} HTTP/1.1\r\nHost: x\r\n".encode() + b"".join(b"x-%d: y\r\n" % n for n in range(500)) + b"\r\n"
    long = f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nx: ".encode() + b"y" * 3_000_000
    for flood in (many, many * 50, long, b"\x00" * 1000, b"GET\r\n\r\n", b"nonsense\r\n\r\n", os.urandom(500) + b"\r\n\r\n"):
        received = b"" # a connection that is closed while the flood still flows is an answer, too
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            received = raw(gateway.port, flood, seconds=12)
        assert received == b"" or received.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431")), received[:100]
    assert raw(gateway.port, many).startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
    assert client.ingest(lead()).status == 201


def test_bodies_that_arrive_are_bounded_together(rig):
    rig.validator()
    gateway = rig.gateway(input_bytes=2_000_000, request_ms=20_000)
    head = (f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nx-api-key: {API_KEY}\r\ncontent-type: application/json\r\ncontent-length: 65000\r\n\r\n").encode()
    hogs = [socket.create_connection(("127.0.0.1", gateway.port), timeout=10) for _ in range(200)]
    for hog in hogs:
        hog.sendall(head + b" " * 60_000)
    eventually(lambda: gateway.metric("leadline_overload_total", kind="input_bytes") > 0)
    eventually(lambda: gateway.metric("leadline_connections") < 100)
    assert gateway.client().ingest(lead()).status == 201
    for hog in hogs:
        hog.close()


def test_connections_are_bounded_and_told(rig):
    rig.validator()
    gateway = rig.gateway(connections=8)
    time.sleep(0.3) # those that asked whether it is up
    held = [socket.create_connection(("127.0.0.1", gateway.port), timeout=10) for _ in range(8)]
    eventually(lambda: gateway.metric("leadline_connections") == 8)
    answer = gateway.client().ingest(lead())
    check_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    for connection in held:
        connection.close()
    eventually(lambda: gateway.metric("leadline_connections") == 0)
    assert gateway.client().ingest(lead()).status == 201


def is_sanitized():
    with open(testing.program("leadline-gateway"), "rb") as file:
        return b"__asan_init" in file.read()


def test_memory_stays_small_under_many_open_requests(rig):
    one = rig.validator(answer=silent)
    gateway = rig.gateway(deadline_ms=3000)
    body = json.dumps(lead(note="n" * 1000)).encode()
    request = (f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nx-api-key: {API_KEY}\r\ncontent-type: application/json\r\n"
               f"content-length: {len(body)}\r\n\r\n").encode() + body
    open_ = [socket.create_connection(("127.0.0.1", gateway.port), timeout=10) for _ in range(1800)]
    for connection in open_:
        connection.sendall(request)
    eventually(lambda: gateway.metric("leadline_open_requests") > 1000, message=lambda: gateway.get("/metrics")[1])
    most = 64 << 20 if not is_sanitized() else 256 << 20
    assert gateway.memory_bytes() < most
    assert gateway.metric("leadline_open_bytes") <= 16 << 20
    for connection in open_:
        assert connection.recv(12) == b"HTTP/1.1 503"
        connection.close()
    one.answer = sold
    assert gateway.client().ingest(lead()).status == 201
    assert gateway.memory_bytes() < most


# HTTP -------------------------------------------------------------------------------------------------------------------

def test_requests_may_be_sent_one_behind_another(gateway, validator):
    bodies = [json.dumps(lead(n=n)).encode() for n in range(10)]
    requests = b"".join(f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nx-api-key: {API_KEY}\r\ncontent-type: application/json\r\n"
                        f"connection: {'close' if n == 9 else 'keep-alive'}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
                        for n, body in enumerate(bodies))
    before = len(validator.leads)
    received = raw(gateway.port, requests)
    assert received.count(b"HTTP/1.1 201 Created") == 10
    ids = re.findall(rb'"id":"([0-9a-f-]+)"', received)
    assert ids == [str(item["id"]).encode() for item in validator.leads[before:]]
    assert [dict((f[0], f[2]) for f in item["fields"])["n"] for item in validator.leads[before:]] == [str(n) for n in range(10)]


def test_http_1_0_and_expectations(gateway):
    body = json.dumps(lead()).encode()
    head = f"POST {INGEST} HTTP/1.0\r\nx-api-key: {API_KEY}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    assert b"201" in raw(gateway.port, head + body).split(b"\r\n")[0]
    head = (f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nx-api-key: {API_KEY}\r\ncontent-type: application/json\r\nconnection: close\r\n"
            f"expect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n").encode()
    received = raw(gateway.port, [head, body], pause=0.2)
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201")
    received = raw(gateway.port, head.replace(b"100-continue", b"miracles"))
    assert received.startswith(b"HTTP/1.1 400") and b'"error":"bad_request"' in received
    broken = f"POST {INGEST} HTTP/1.1\r\nHost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".encode()
    received = raw(gateway.port, broken)
    assert received.startswith(b"HTTP/1.1 400") and b'"error":"bad_request"' in received


def test_the_description_needs_no_key(client):
    answer = client.get("/api/v1/openapi.yaml", x_api_key=None)
    assert answer.status == 200 and answer.headers["content-type"] == "application/yaml"
    with open(os.path.join(testing.ROOT, "proto", "openapi.yaml"), "rb") as file:
        assert answer.body == file.read()
    assert UUID_PATTERN.match(answer.headers["x-request-id"])
    head = client.request("HEAD", "/api/v1/openapi.yaml")
    assert head.status == 200 and head.body == b"" and head.headers["content-length"] == answer.headers["content-length"]


def certificate(folder):
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


def curl(*args):
    return subprocess.run(["curl", "-sS", "--max-time", "15", *args], capture_output=True, text=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning") # of the versions that must not work
@pytest.mark.parametrize("http2", [0, 1])
def test_tls(rig, http2):
    rig.validator()
    cert, key = certificate(rig.folder)
    gateway = rig.gateway(tls_cert=cert, tls_key=key, http2=http2)
    url = f"https://localhost:{gateway.port}{INGEST}"
    post = ["--cacert", cert, "-H", f"x-api-key: {API_KEY}", "-H", "content-type: application/json", "-w", "\n%{http_code} %{http_version}",
            "--http2", url]
    for n in range(3):
        done = curl("-d", json.dumps(lead()), *post)
        assert done.stdout.splitlines()[-1] == ("201 2" if http2 else "201 1.1"), done.stderr
    done = curl("-d", "{" + " " * 70_000, *post)
    assert done.stdout.splitlines()[-1].startswith("413"), (done.stdout[-300:], done.stderr)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(socket.create_connection(("127.0.0.1", gateway.port), timeout=5))
    assert gateway.stop() == 0, gateway.log()


def test_a_client_that_takes_back_a_request_over_http2(rig):
    one = rig.validator(answer=silent)
    gateway = rig.gateway(http2=1, deadline_ms=3000)
    args = ["curl", "-sS", "--http2-prior-knowledge", "-H", f"x-api-key: {API_KEY}", "-H", "content-type: application/json",
            "-d", json.dumps(lead()), f"http://127.0.0.1:{gateway.port}{INGEST}"]
    process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    item = one.wait(1)[0]
    process.kill()
    process.wait()
    eventually(lambda: gateway.metric("leadline_open_requests") == 0, 2)
    rig.push(gateway, frame(2, [{1: item["id"].bytes, 2: 201, 3: "{}"}]))
    one.answer = sold
    assert gateway.client().ingest(lead()).status == 201
    assert gateway.stop() == 0, gateway.log()


@pytest.mark.parametrize("params, why", [({"listen": "nowhere"}, "ADDRESS:PORT"), ({"tls_cert": "/nowhere/cert.pem"}, "both"),
                                         ({"tls_cert": "/nowhere/cert.pem", "tls_key": "/nowhere/key.pem"}, "cannot read the certificate"),
                                         ({"trusted_proxies": "10.0.0.0/99"}, "not a range"), ({"rate_file": "/nowhere/rates"}, "rates")])
def test_what_cannot_be_is_said(rig, params, why):
    gateway = Gateway(rig, **params).start(wait=False)
    assert gateway.process.wait(15) == 1
    assert why in gateway.log()


@pytest.mark.parametrize("args, why", [
    (["--listen", "nowhere"], "ADDRESS:PORT"), (["--tls-cert", "/nowhere/cert.pem"], "both"),
    (["--tls-cert", "/nowhere/cert.pem", "--tls-key", "/nowhere/key.pem"], "cert.pem: No such file"),
    (["--trusted-proxies", "10.0.0.0/99"], "not a range"), (["--admin", "nowhere"], "admin"), (["--log-level", "loud"], "log_level"),
    (["--deadline-ms", "1"], "deadline-ms"), ([], None)])
def test_what_cannot_be_is_said_by_a_check_alone(args, why):
    done = subprocess.run([testing.program("leadline-gateway"), "-n", *args], capture_output=True, text=True, timeout=20)
    assert (done.returncode, why is None or why in done.stderr) == (0 if why is None else 2, True), done.stderr


def test_wrong_settings_are_not_taken_over_in_part(rig):
    rig.validator(answer=silent)
    path = os.path.join(rig.folder, "settings")

    def settings(gateway, text, event):
        with open(path, "w") as file:
            file.write(text)
        before = gateway.log().count(event)
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: gateway.log().count(event) > before, 5, message=gateway.log)

    open(path, "w").close()
    gateway = Gateway(rig, config=path).start()
    for wrong in ("trusted_proxies = 10.0.0.0/99", "log_level = loud", "tls_cert = /nowhere"):
        settings(gateway, f"deadline_ms = 60000\n{wrong}\n", "event=params.kept")
    settings(gateway, "deadline_ms = 200\n", "event=params.read")
    for wrong in ("trusted_proxies = 10.0.0.0/99", "log_level = loud"):
        settings(gateway, f"deadline_ms = 60000\n{wrong}\n", "event=params.kept")
    assert gateway.client(timeout=5).ingest(lead()).error == "timeout"  # not after a minute
    assert gateway.stop() == 0, gateway.log()


# Look-ups ---------------------------------------------------------------------------------------------------------------

def store_lead(database, supplier_id="supplier_xyz789", campaign_id="campaign_abc123", status="ACCEPTED", phone=None, email=None, at=None, reasons=()):
    at = at or time.time()
    value = bytearray(int(at * 1000).to_bytes(6, "big") + os.urandom(10))
    value[6], value[8] = value[6] & 0x0F | 0x70, value[8] & 0x3F | 0x80
    id = str(uuid.UUID(bytes=bytes(value)))
    keys = [str(uuid.UUID(bytes=secret_key(database, "lookup", supplier_id, field, text))) if text else None
            for field, text in (("phone", phone), ("email", email))]
    database.query("""INSERT INTO lead (id, campaign_id, supplier_id, status, is_test, received_at, decided_at, reasons, phone_key, email_key,
        answer_status, answer_body, raw, fields) VALUES (%s, %s, %s, %s, false, to_timestamp(%s), now(), %s, %s, %s, 201, '{}', '{}', '{}')""",
                   id, campaign_id, supplier_id, status, at, json.dumps(list(reasons)), *keys)
    return id


def test_a_lead_can_be_seen_by_its_supplier_only(shared, client):
    reasons = [{"code": "required", "field": "email", "message": "is required"}]
    id = store_lead(shared.database, campaign_id=None, status="REJECTED", reasons=reasons, at=time.time() - 10)
    answer = client.get(f"/api/v1/leads/{id}")
    assert answer.status == 200 and list(answer.data) == ["id", "status", "campaign_id", "is_test", "received_at", "reasons"]
    assert answer.data["id"] == id and answer.data["status"] == "REJECTED" and answer.data["campaign_id"] is None
    assert answer.data["is_test"] is False and answer.data["reasons"] == reasons
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", answer.data["received_at"])
    assert client.get(f"/api/v1/leads/{id.upper()}").status == 200
    assert client.request("HEAD", f"/api/v1/leads/{id}", None, {"x-api-key": API_KEY}).status == 200
    unknown = [f"/api/v1/leads/{uuid.uuid4()}", "/api/v1/leads/nonsense", f"/api/v1/leads/{id}x", f"/api/v1/leads/{id[:-1]}", "/api/v1/leads/%27"]
    for path in unknown:
        check_problem(client.get(path), 404, "not_found")
    check_problem(client.get(f"/api/v1/leads/{id}", x_api_key=OTHER_KEY), 404, "not_found")


def test_leads_are_found_by_value_newest_first(shared, client):
    now = time.time()
    ids = [store_lead(shared.database, phone="+12125550001", email="Ann@Example.com".lower(), at=now - 100 + n,
                      campaign_id="campaign_abc123" if n % 2 else "campaign_other") for n in range(4)]
    stranger = store_lead(shared.database, supplier_id="supplier_other", phone="+12125550001", email="ann@example.com")
    for query in ("phone=2125550001", "phone=%28212%29+555-0001", "phone=%2B12125550001", "email=ann@example.com", "email=ANN%40EXAMPLE.COM"):
        answer = client.get(f"/api/v1/leads/lookup?{query}")
        assert answer.status == 200 and [item["id"] for item in answer.data] == ids[::-1], query
    assert [item["id"] for item in client.get("/api/v1/leads/lookup?phone=2125550001&flo_campaign_id=campaign_other").data] == [ids[2], ids[0]]
    assert [item["id"] for item in client.get("/api/v1/leads/lookup?phone=2125550001", x_api_key=OTHER_KEY).data] == [stranger]
    assert client.get("/api/v1/leads/lookup?phone=2125550999").json() == {"data": []}
    for n in range(110):
        store_lead(shared.database, email="many@example.com", at=now - n)
    assert len(client.get("/api/v1/leads/lookup?email=many@example.com").data) == 100


def test_a_look_up_takes_one_value(client):
    def errors(query):
        answer = client.get("/api/v1/leads/lookup" + query)
        return [(error["field"], error["code"]) for error in check_problem(answer, 400, "validation_failed")["field_errors"]]
    assert errors("") == errors("?") == errors("?phone=") == errors("?flo_campaign_id=x") == [("phone", "required")]
    assert errors("?phone=5551234567&email=a@example.com") == [("email", "not_allowed")]
    assert errors("?phone=123") == errors("?phone=call-me") == [("phone", "invalid_format")]
    assert errors("?email=nobody") == [("email", "invalid_format")]
    for query in ("?phone=%zz", "?phone=1&phone=2", "?email=%00"):
        check_problem(client.get("/api/v1/leads/lookup" + query), 400, "bad_request")


def test_while_the_database_is_away_look_ups_say_so_and_leads_go_on():
    server = testing.Postgres().start()
    try:
        made = Rig(server.fresh_database())
        made.validator()
        gateway = made.gateway()
        client = gateway.client()
        id = store_lead(made.database)
        assert client.get(f"/api/v1/leads/{id}").status == 200
        server.kill()
        eventually(lambda: "database.down" in gateway.log() or client.get(f"/api/v1/leads/{id}").status == 503)
        started = time.monotonic()
        answer = client.get(f"/api/v1/leads/{id}")
        check_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "1" and time.monotonic() - started < 1
        assert client.ingest(lead()).status == 201
        server.start()
        eventually(lambda: client.get(f"/api/v1/leads/{id}").status == 200, 15)
        made.close()
    finally:
        server.close()


def test_a_locked_table_costs_a_look_up_its_deadline_only(shared, gateway, client):
    id = store_lead(shared.database)
    connection = shared.database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE lead IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        waiting = [in_background(gateway.client().get, f"/api/v1/leads/{id}") for _ in range(70)]
        eventually(lambda: gateway.metric("leadline_overload_total", kind="lookups") > 0)
        assert client.ingest(lead()).status == 201
        answers = [future.result(20) for future in waiting]
        assert all(answer.status == 503 for answer in answers)
        assert time.monotonic() - started < 7
    connection.rollback()
    connection.close()
    eventually(lambda: client.get(f"/api/v1/leads/{id}").status == 200, 30)


# The end ----------------------------------------------------------------------------------------------------------------

def test_term_answers_what_is_open_and_closes_the_connection(rig):
    one = rig.validator(answer=silent)
    gateway = rig.gateway()
    idle = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    idle.connect()
    waiting = in_background(gateway.client().ingest, lead())
    one.wait(1)
    gateway.process.terminate()
    eventually(lambda: gateway.get("/readyz")[0] == 503)
    time.sleep(0.5)
    one.answer = sold
    idle.request("POST", INGEST, json.dumps(lead()), {"x-api-key": API_KEY, "content-type": "application/json"})
    response = idle.getresponse() # a connection that was idle may still bring a request
    assert (response.status, response.getheader("connection")) == (201, "close")
    answer = waiting.result(10)
    assert (answer.status, answer.headers["connection"]) == (201, "close")
    assert gateway.process.wait(15) == 0, gateway.log()
    assert one.rig.database.query("SELECT count(*) FROM stage_instance WHERE name = 'gateway-1'") == [(0,)]


def test_a_second_term_ends_it_at_once_and_says_so_to_who_waits(rig):
    one = rig.validator(answer=silent)
    gateway = rig.gateway()
    id = store_lead(rig.database)
    connection = rig.database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE lead IN ACCESS EXCLUSIVE MODE")
        waiting = [in_background(gateway.client().ingest, lead()) for _ in range(5)]
        waiting.append(in_background(gateway.client().get, f"/api/v1/leads/{id}"))
        one.wait(5)
        time.sleep(0.2)
        started = time.monotonic()
        gateway.stop_at_once()
        assert time.monotonic() - started < 1.5
    connection.close()
    for future in waiting:
        check_problem(future.result(5), 503, "unavailable")


def test_gateways_that_share_a_socket_stop_without_a_failed_request(rig):
    rig.validator()
    fd = rig.share_socket()
    gateways = {n: rig.gateway(f"gateway-{n}", socket_fd=fd) for n in (1, 2)}
    port = gateways[1].port
    end_at = time.monotonic() + 14
    failures, done = [], []

    def supply(number):
        client = Client(port)
        while time.monotonic() < end_at:
            try:
                answer = client.ingest(lead())
                (done if answer.status == 201 else failures).append(answer.status)
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
            time.sleep(0.3 if number % 4 == 0 else 0)
    threads = [threading.Thread(target=supply, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    for n in (1, 2):
        gateways[n].process.terminate()
        assert gateways[n].process.wait(15) == 0, gateways[n].log()
        gateways[n] = rig.gateway(f"gateway-{n}{n}", wait=False, socket_fd=fd)
        eventually(gateways[n].is_ready, 15)
        eventually(lambda: gateways[n].metric("leadline_requests_total", status="201") > 20, 5) # it takes its share
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(done) > 500


def test_the_log_says_nothing_of_people(gateway, shared, client):
    answer = client.ingest(lead(first_name="Wolfgangerl", email="wolfgangerl@example.com", phone="2125550123"), idempotency_key="wolfgangerl")
    assert answer.status == 201
    client.post(INGEST, '{"first_name":"Wolfgangerl",')
    client.get("/api/v1/leads/lookup?email=wolfgangerl@example.com")
    text = gateway.log() + gateway.get("/metrics")[1]
    for secret in ("Wolfgangerl", "wolfgangerl", "2125550123", API_KEY):
        assert secret not in text
