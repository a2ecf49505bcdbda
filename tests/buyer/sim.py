#!/usr/bin/env python3
"""
sim.py - a buyer's test endpoint: it shows what a webhook or ping looks like when it arrives, checks its signature, and
answers well or as badly as you like. Needs nothing but Python 3.

    python3 tests/buyer/sim.py --port 8090 --secret whsec_…

Then let a buyer's delivery.url be http://127.0.0.1:8090/PATH; the path's first part chooses the behaviour:

{behaviours}

Any other path behaves as --mode says. With --secret (several may be given) a wrong signature is answered with 401.
Tests use it as a module: Sim() listens on a free port and keeps the requests.
"""
import argparse
import asyncio
import base64
import binascii
import collections
import contextlib
import hashlib
import hmac
import json
import random
import signal
import socket
import struct
import sys
import threading
import time
import urllib.parse

HEAD_MOST, BODY_MOST = 256 * 1024, 16 * 1024 * 1024
TOLERANCE_S = 300
REASONS = {200: "OK", 201: "Created", 204: "No Content", 302: "Found", 401: "Unauthorized", 409: "Conflict", 410: "Gone",
           422: "Unprocessable Content", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


class Request(collections.namedtuple("Request", "method target headers body at fault")):
    """What came: headers with names in lower case; fault: why the signature is wrong, None when it is right or not checked."""

    @property
    def path(self):
        return urllib.parse.urlsplit(self.target).path

    @property
    def mode(self):
        return self.path.strip("/").split("/")[0]

    @property
    def query(self):
        return {name: values[-1] for name, values in
                urllib.parse.parse_qs(urllib.parse.urlsplit(self.target).query, keep_blank_values=True).items()}

    @property
    def webhook_id(self):
        return self.headers.get("webhook-id")

    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        return self.json()["data"]

    def number(self, name, otherwise):
        """A number of the query; what is none counts as not given."""
        try:
            return float(self.query[name])
        except (KeyError, ValueError):
            return otherwise


def signature_fault(secrets, headers, body, now=None):
    """Why the Standard Webhooks signature is wrong, by any of the secrets; None when it is right."""
    id, at, given = (headers.get(f"webhook-{name}") for name in ("id", "timestamp", "signature"))
    if not (id and at and given):
        return "missing"
    if not at.isdigit() or abs((time.time() if now is None else now) - int(at)) > TOLERANCE_S:
        return "its timestamp is not of now"
    for secret in secrets:
        mac = hmac.new(key_of(secret), f"{id}.{at}.".encode() + body, hashlib.sha256).digest()
        wanted = "v1," + base64.b64encode(mac).decode()
        if any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given.split(" ")):
            return None
    return "it is of another secret, or of another body"


def key_of(secret):
    """The key that is in "whsec_" and base64. Raises ValueError."""
    if not secret.startswith("whsec_"):
        raise ValueError("a secret begins with whsec_")
    try:
        return base64.b64decode(secret[len("whsec_"):], validate=True)
    except binascii.Error:
        raise ValueError("behind whsec_ a secret is base64") from None


# Behaviours ---------------------------------------------------------------------------------------------------------

BEHAVIOURS = {}


def behaviour(name, meaning):
    """A coroutine of (sim, request, reader, writer). It gives what Exchange.answer() takes, or None: the connection is closed."""
    def add(function):
        BEHAVIOURS[name] = (meaning, function)
        return function
    return add


def answers(name, meaning, status, body, **headers):
    @behaviour(name, meaning)
    async def answer(sim, request, reader, writer):
        return status, body, headers


answers("accept", "200, accepted, with an id, a price and a redirect URL", 200,
        {"result": "accepted", "id": "sim-1", "price": "25.00", "url": "https://buyer.example/thanks"})
answers("refuse", "422, refused", 422, {"result": "refused", "reason": "out of area"})
answers("200-error", "200 with an error in the body", 200, {"status": "error", "message": "lead not accepted"})
answers("dup", "200, a duplicate", 200, {"result": "dup"})
answers("redirect", "302 to /accept", 302, {}, location="/accept")


@behaviour("STATUS", "any status, 200 to 599: /409, /410, /429, /503?retry_after=120")
async def status_only(sim, request, reader, writer):
    headers = {"retry-after": request.query["retry_after"]} if "retry_after" in request.query else {}
    return int(request.mode), {"result": request.mode}, headers


@behaviour("hang", "takes the request and says nothing, for ever")
async def hang(sim, request, reader, writer):
    client_leaves = reader.read(1)
    tasks = [asyncio.ensure_future(sim.released.wait()), asyncio.ensure_future(client_leaves)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


@behaviour("close", "closes the connection without an answer")
async def close(sim, request, reader, writer):
    return None


@behaviour("reset", "breaks the connection off (TCP RST)")
async def reset(sim, request, reader, writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@behaviour("flood", "200 and a body without an end")
async def flood(sim, request, reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
    while not sim.released.is_set():
        writer.write(b"flood " * 4096)
        await writer.drain()


@behaviour("wrong-length", "announces 1,000 bytes, sends ten and closes")
async def wrong_length(sim, request, reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n0123456789")


@behaviour("slow", "200 and a byte every 100 ms (?every_ms=), a million of them")
async def slow(sim, request, reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while not sim.released.is_set():
        writer.write(b".")
        await writer.drain()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(sim.released.wait(), request.number("every_ms", 100) / 1000)


@behaviour("garbage", "something that is not HTTP")
async def garbage(sim, request, reader, writer):
    writer.write(b"\x00\x01\x02 what is HTTP? \xff\xfe\r\n\r\n" + random.randbytes(200))


@behaviour("big-headers", "200 with a megabyte of headers")
async def big_headers(sim, request, reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for n in range(64):
        writer.write(b"x-%d: %s\r\n" % (n, b"h" * 16384))
        await writer.drain()
    writer.write(b"content-length: 0\r\n\r\n")


@behaviour("late", "200, but after ?ms=1000")
async def late(sim, request, reader, writer):
    await asyncio.sleep(request.number("ms", 1000) / 1000)
    return 200, {"result": "accepted"}, {}


@behaviour("flaky", "500 for ?percent=50 of the requests, chosen by chance, 200 for the others")
async def flaky(sim, request, reader, writer):
    return (500 if random.random() * 100 < request.number("percent", 50) else 200), {}, {}


@behaviour("ping", "a bid: ?bid=31.50, after ?ms=; or ?none (204), ?empty ({}), ?malformed, ?number (the bid as a number)")
async def ping(sim, request, reader, writer):
    await asyncio.sleep(request.number("ms", 0) / 1000)
    bid = request.query.get("bid", "31.50")
    if "none" in request.query:
        return 204, b"", {}
    if "empty" in request.query:
        return 200, {}, {}
    if "malformed" in request.query:
        return 200, b'{"bid_price":', {}
    return 200, {"bid_price": float(bid) if "number" in request.query else bid}, {}


def behaviour_of(request, otherwise):
    """The coroutine of a request's path."""
    if request.mode.isdigit() and 200 <= int(request.mode) <= 599:
        return status_only
    return BEHAVIOURS[request.mode if request.mode in BEHAVIOURS and request.mode != "STATUS" else otherwise][1]


# The server ---------------------------------------------------------------------------------------------------------

async def read_request(reader):
    """(method, target, headers, body) of the next request; None when the other side has gone or does not speak HTTP."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                body += (await reader.readexactly(size + 2))[:-2]
                if len(body) > BODY_MOST:
                    return None
            await reader.readuntil(b"\r\n")
        else:
            length = int(headers.get("content-length", 0))
            body = await reader.readexactly(length) if length <= BODY_MOST else b""
        return method, target, headers, body
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, OSError):
        return None


def write_answer(writer, status, content, headers):
    if isinstance(content, (dict, list)):
        content = json.dumps(content, separators=(",", ":")).encode()
        headers = {"content-type": "application/json", **headers}
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"] + [f"{name}: {value}" for name, value in headers.items()]
    if status not in (204, 304):
        lines.append(f"content-length: {len(content)}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + (b"" if status in (204, 304) else content))


class Sim:
    """
    The endpoint, on a thread of its own. Context manager.

    secrets   signatures are checked when there are some
    mode      of paths that name no behaviour
    on_request  called with each Request and what it is answered (a status, or the behaviour's name), on the endpoint's thread
    """

    def __init__(self, secrets=(), mode="accept", host="127.0.0.1", port=0, on_request=None):
        for secret in secrets:
            key_of(secret)
        if mode not in BEHAVIOURS or mode == "STATUS":
            raise ValueError(f"there is no behaviour {mode}")
        self.secrets = list(secrets)
        self.mode = mode
        self.host = host
        self.on_request = on_request
        self.requests = []
        self.at_work = collections.Counter()  # requests that are not answered yet, by behaviour
        self.changed = threading.Condition()
        self.loop = asyncio.new_event_loop()
        self.listener = socket.create_server((host, port), backlog=4096)
        self.port = self.listener.getsockname()[1]
        self.is_started = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.is_started.wait()

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._serve())

    async def _serve(self):
        self.released = asyncio.Event()
        self.stopped = asyncio.Event()
        server = await asyncio.start_server(self._connection, sock=self.listener, limit=HEAD_MOST)
        self.is_started.set()
        await self.stopped.wait()
        server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while (parts := await read_request(reader)) is not None and await self._exchange(reader, writer, *parts):
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()

    async def _exchange(self, reader, writer, method, target, headers, body):
        """One request. Returns whether the connection stays."""
        fault = signature_fault(self.secrets, headers, body) if self.secrets else None
        request = Request(method, target, headers, body, time.time(), fault)
        answer = 401, {"error": "signature", "message": fault}, {}
        mode = request.mode if request.mode in BEHAVIOURS or request.mode.isdigit() else self.mode
        with self.changed:
            self.requests.append(request)
            self.at_work[mode] += 1
            self.changed.notify_all()
        try:
            if self.on_request is not None and fault is None and mode in ("hang", "slow", "flood"):
                self.on_request(request, mode)
            if fault is None:
                answer = await behaviour_of(request, self.mode)(self, request, reader, writer)
            if self.on_request is not None and not (fault is None and mode in ("hang", "slow", "flood")):
                self.on_request(request, answer[0] if answer is not None else mode)
        finally:
            with self.changed:
                self.at_work[mode] -= 1
        if answer is None:
            return False
        write_answer(writer, *answer)
        return headers.get("connection", "").lower() != "close"

    def url(self, path):
        return f"http://{self.host}:{self.port}/{path}"

    def of(self, mode):
        """The requests of that behaviour, in order."""
        with self.changed:
            return [request for request in self.requests if request.mode == mode]

    def busy(self, mode):
        """How many requests of that behaviour are not answered yet?"""
        with self.changed:
            return self.at_work[mode]

    def wait(self, count, seconds=10):
        """Waits for so many requests. Returns all so far."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.requests) >= count, seconds):
                raise AssertionError(f"{len(self.requests)} requests, not {count}, within {seconds} s")
            return list(self.requests)

    def release(self):
        """Whoever hangs, floods or drips ends now, and closes its connection."""
        self.loop.call_soon_threadsafe(self.released.set)

    def close(self):
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.stopped.set)
            self.thread.join(10)
            self.loop.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


# The program --------------------------------------------------------------------------------------------------------

def usage():
    lines = [f"    /{name:<14} {meaning}" for name, (meaning, _) in sorted(BEHAVIOURS.items())]
    return __doc__.strip().replace("{behaviours}", "\n".join(lines))


def printer(is_checked):
    """Prints a request as it came. Control characters could play with the terminal; they are shown as escapes."""
    def shown(text):
        return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)

    def print_request(request, outcome):
        moment = time.strftime("%H:%M:%S", time.localtime(request.at))
        lines = [f"--- {moment} {request.method} {request.target}"] + [f"{name}: {value}" for name, value in request.headers.items()]
        lines += ["", request.body.decode("utf-8", "replace"), ""]
        if is_checked:
            lines.append(f"signature: {'ok' if request.fault is None else request.fault}")
        print(shown("\n".join(lines + [f"answer: {outcome}"])), flush=True)
    return print_request


def main():
    parser = argparse.ArgumentParser(prog="sim.py", description=usage(), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8090, help="0: a free one, see the first line printed (default 8090)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)")
    parser.add_argument("--mode", default="accept", metavar="NAME", help="the behaviour of other paths (default accept)")
    parser.add_argument("--secret", action="append", default=[], metavar="whsec_…", help="checks signatures; several may be given")
    parser.add_argument("--quiet", action="store_true", help="does not print the requests")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        sim = Sim(options.secret, options.mode.strip("/"), options.host, options.port,
                  None if options.quiet else printer(bool(options.secret)))
    except (ValueError, OSError, OverflowError) as error:
        print(f"sim.py: {error}", file=sys.stderr)
        return 2
    with sim:
        print(f"listening {sim.host}:{sim.port}", flush=True)
        stop.wait()
    counts = collections.Counter(request.mode for request in sim.requests)
    print(" ".join([f"requests={len(sim.requests)}"] + [f"/{mode}={count}" for mode, count in sorted(counts.items())]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
