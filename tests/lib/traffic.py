"""Many suppliers' clients at once: threads with kept-alive connections that send leads and remember every answer."""
import collections
import http.client
import json
import threading
import time
import uuid

import leadline_testing as lt

Sent = collections.namedtuple("Sent", "lead key status body took error")


class Traffic:
    """
    Sends what `leads` yields over so many connections, until it ends or stop() is called. Every lead carries an
    Idempotency-Key. With `insist`, a request without a recorded answer (503, broken connection) is repeated with its key.
    Results are in `sent`: one a lead with its last answer, and `tries`: one a request.
    """

    def __init__(self, port, leads, connections=16, insist=False, timeout=8, pause=0.0):
        self.port = port
        self.leads = iter(leads)
        self.insist = insist
        self.timeout = timeout
        self.pause = pause
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.sent = []
        self.tries = []
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(connections)]
        for thread in self.threads:
            thread.start()

    def _next(self):
        with self.lock:
            return None if self.stopped.is_set() else next(self.leads, None)

    def _run(self):
        connection = None
        while (lead := self._next()) is not None:
            key = str(uuid.uuid4())
            for attempt in range(60):
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
                result, connection = self._try(connection, lead, key)
                with self.lock:
                    self.tries.append(result)
                if not self.insist or (result.error is None and result.status != 503):
                    break
                time.sleep(0.1)
            with self.lock:
                self.sent.append(result)
            if self.pause:
                time.sleep(self.pause)
        if connection is not None:
            connection.close()

    def _try(self, connection, lead, key):
        began = time.monotonic()
        status = body = error = None
        try:
            connection.request("POST", "/api/v1/ingest", json.dumps(lead),
                               {"x-api-key": lt.API_KEY, "content-type": "application/json", "idempotency-key": key})
            response = connection.getresponse()
            status, body = response.status, response.read()
            if response.getheader("connection", "") == "close":
                connection.close()
                connection = None
        except (OSError, http.client.HTTPException) as problem:
            error = repr(problem)
            connection.close()
            connection = None
        return Sent(lead, key, status, body, time.monotonic() - began, error), connection

    def wait(self, seconds=120):
        """Until all leads are sent. Returns the results."""
        deadline = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"still sending after {seconds} s"
        return self.sent

    def stop(self, seconds=60):
        """No new leads; waits for the open ones."""
        self.stopped.set()
        return self.wait(seconds)

    def wait_answers(self, more, seconds=30):
        """Until so many more leads have been answered than now."""
        goal = len(self.sent) + more
        lt.eventually(lambda: len(self.sent) >= goal, seconds, message=lambda: f"{len(self.sent)} answers of {goal}")


def endless(**fields):
    while True:
        yield lt.lead(**fields)


def statuses(sent):
    """How often each: HTTP status and the lead's status or the error's word."""
    counts = collections.Counter()
    for one in sent:
        body = json.loads(one.body) if one.body else {}
        counts[(one.status, body.get("error") or body.get("data", {}).get("status"))] += 1
    return counts
