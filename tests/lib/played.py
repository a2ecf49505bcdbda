"""
played - what a test needs to play the neighbours of one real stage: frames, sockets, and rows of the registry.

    Neighbours  the played ones of one test: a folder for sockets, a ZeroMQ context, rows in stage_instance
    Inbox       a played reader (gateway, router, dispatcher): keeps every item that comes
    Observed    a real process: its log, its metrics, is it ready
    Stage       the real process under test: starts, is asked, is killed

Numbers of keys are those of proto/lead.def, answer.def and delivery.def.
"""
import os
import re
import signal
import threading
import time
import urllib.error
import urllib.request
import uuid

import msgpack
import zmq

import leadline_testing as testing
from leadline_testing import eventually

MAJOR, LEADS, ANSWERS, DELIVERIES, PINGS, BIDS, VERDICTS = 2, 1, 2, 3, 4, 5, 6


def uuid7(at=None):
    """A version 7 id of that moment, as uuid.UUID."""
    raw = bytearray(int((at or time.time()) * 1000).to_bytes(6, "big") + os.urandom(10))
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(raw))


def frame(kind, items, sender="test-1", major=MAJOR, sent_at_ms=None):
    return msgpack.packb([major, kind, sender, int(time.time() * 1000) if sent_at_ms is None else sent_at_ms, items])


class Inbox:
    """Binds an endpoint and keeps the items of all frames: `items` in order, `of(id)` those with this id (key 1)."""

    def __init__(self, context, endpoint):
        self.endpoint = endpoint
        self.items = []
        self.frames = []
        self.by_id = {}
        self.changed = threading.Condition()
        self.is_stopped = False
        self.is_reading = threading.Event()
        self.is_reading.set()
        self.socket = context.socket(zmq.PULL)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, 64)  # as our own processes have it
        self.socket.bind(endpoint)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.is_stopped:
            if not self.is_reading.wait(0.05) or not self.socket.poll(20):
                continue
            major, kind, sender, _, items = msgpack.unpackb(self.socket.recv(), strict_map_key=False)
            assert major == MAJOR
            with self.changed:
                self.frames.append((kind, sender, len(items)))
                for item in items:
                    self.items.append(item)
                    self.by_id.setdefault(uuid.UUID(bytes=item[1]), []).append(item)
                self.changed.notify_all()
        self.socket.close()

    def of(self, id):
        with self.changed:
            return list(self.by_id.get(id, []))

    def wait_for(self, ids, seconds=10, count=1):
        """Waits until every id came `count` times. Returns the last item of each, in the order of ids."""
        ids = list(ids)
        with self.changed:
            missing = lambda: [id for id in ids if len(self.by_id.get(id, ())) < count]  # noqa: E731
            assert self.changed.wait_for(lambda: not missing(), seconds), f"{len(missing())} of {len(ids)} did not come in {seconds} s"
            return [self.by_id[id][-1] for id in ids]

    def close(self):
        self.is_stopped = True
        self.thread.join(5)


class Neighbours:
    """Plays stages on one database. Close it after the real process has ended."""

    def __init__(self, database):
        self.database = database
        self.folder = testing.temp_folder("leadline-stage-")
        self.context = zmq.Context()
        self.inboxes = {}
        self.pushes = {}

    def play(self, stage, name=None):
        """A reader of that stage, registered. It stays fresh for an hour."""
        name = name or f"{stage}-1"
        endpoint = f"ipc://{self.folder}/{name}.sock"
        self.inboxes[name] = Inbox(self.context, endpoint)
        self.database.query("INSERT INTO stage_instance (stage, name, endpoint, admin, version, host, pid, beat_at)"
                            " VALUES (%s, %s, %s, '', '0', 'test', 1, now() + interval '1 hour')", stage, name, endpoint)
        self.database.query("NOTIFY leadline_stage")
        return self.inboxes[name]

    def vanish(self, name):
        """Dies without a word: the connection is gone, the row stays."""
        self.inboxes.pop(name).close()

    def push(self, stage, message, parts=None):
        """Sends a message (or several parts) to a real process."""
        if stage.endpoint not in self.pushes:
            socket = self.context.socket(zmq.PUSH)
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.SNDTIMEO, 5000)
            socket.setsockopt(zmq.SNDHWM, 100000)
            socket.connect(stage.endpoint)
            self.pushes[stage.endpoint] = socket
        if parts is not None:
            self.pushes[stage.endpoint].send_multipart(parts)
        else:
            self.pushes[stage.endpoint].send(message)

    def forget(self, stage):
        """Closes the connection to a process that was killed, and loses what was on its way to it."""
        if stage.endpoint in self.pushes:
            self.pushes.pop(stage.endpoint).close()

    def close(self):
        for push in self.pushes.values():
            push.close()
        for inbox in self.inboxes.values():
            inbox.close()
        self.context.term()


class Observed:
    """What can be asked of a real process: needs `process`, `log_path` and `admin`, the port of its /metrics."""

    admin = process = log_path = None

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def is_ready(self):
        assert self.process.poll() is None, self.log()
        return self.get("/readyz")[0] == 200

    def metric(self, name, **labels):
        """The sum of a name's series that have these labels."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            match = re.match(r"^([a-z_]+)(?:\{([^}]*)\})? (\S+)$", line)
            if match and match[1] == name and all(f'{key}="{value}"' in (match[2] or "") for key, value in labels.items()):
                total += float(match[3])
        return total

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def stop(self, seconds=30):
        """TERM. Returns the exit status."""
        return testing.end(self.process, signal.SIGTERM, seconds) if self.process is not None else None


class Stage(Observed):
    """A real process of that stage; parameters as for its command line."""

    def __init__(self, neighbours, stage, name=None, **params):
        self.neighbours = neighbours
        self.stage = stage
        self.name = name or f"{stage}-1"
        self.params = params
        self.endpoint = f"ipc://{neighbours.folder}/{self.name}.sock"
        self.log_path = os.path.join(neighbours.folder, f"{self.name}.log")

    def start(self, wait=True):
        self.admin = testing.free_port()
        args = [testing.program(f"leadline-{self.stage}"), "--dsn", self.neighbours.database.dsn(f"leadline-{self.stage}"),
                "--name", self.name, "--run-dir", self.neighbours.folder, "--admin", f"127.0.0.1:{self.admin}", "--log-level", "debug"]
        for name, value in self.params.items():
            args += ["--" + name.replace("_", "-"), str(value)]
        with open(self.log_path, "ab") as log:
            self.process = testing.spawn(args, signal.SIGKILL, stdout=log, stderr=log)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=20):
        eventually(self.is_ready, seconds, 0.02, message=self.log)

    def wait_for(self, connections, neighbours, seconds=20):
        """Until it has so many connections to PostgreSQL and to neighbours: it can work, though it is not called ready yet."""
        def is_there():
            assert self.process.poll() is None, self.log()
            log = self.log()
            return "event=stage.started" in log and log.count("event=database.up") >= connections and \
                log.count("event=neighbour.up") >= neighbours
        eventually(is_there, seconds, 0.01, message=self.log)

    def wait_metric(self, name, least, seconds=10):
        eventually(lambda: self.metric(name) >= least, seconds, 0.02, message=lambda: f"{name} is {self.metric(name)}, not {least}")

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def check_log(self, *secrets):
        """No personal data, no sanitizer's finding."""
        log = self.log()
        for secret in secrets:
            assert secret not in log, "personal data in the log"
        assert "AddressSanitizer" not in log and "LeakSanitizer" not in log and "runtime error" not in log, log[-5000:]
        assert "event=bug" not in log, log[-3000:]
