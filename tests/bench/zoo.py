"""zoo - one healthy buyer beside twelve that misbehave: how soon after its sale is a lead with him?"""
import itertools
import os
import re
import subprocess
import sys
import time

import leadline_testing as testing
import load
import traffic
from figures import say

ZOO = ("refuse", "200-error", "409", "429?retry_after=60", "503?retry_after=60", "hang", "slow", "reset", "close", "flood", "wrong-length",
       "garbage")
SIM = os.path.join(testing.ROOT, "tests", "buyer", "sim.py")
CONNECTIONS, PER_SECOND, P99_MOST_MS = 16, 300, 100

DELIVERED = "SELECT count(*) FROM delivery WHERE buyer_id = 'healthy' AND state = 'DELIVERED'"
LATENCIES = """
    SELECT count(*), percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM a.at - s.sold_at) * 1000 + a.took_ms)
    FROM delivery d JOIN attempt a ON a.lead_id = d.lead_id AND a.delivery_id = d.id AND a.attempt = 1
    JOIN sale s ON s.lead_id = d.lead_id AND s.n = d.n WHERE d.buyer_id = 'healthy'"""


def _configuration(healthy_url, zoo_url):
    buyers = [testing.buyer("healthy", healthy_url)] + [testing.buyer(f"buyer_{n}", zoo_url + path) for n, path in enumerate(ZOO)]
    campaigns = [testing.campaign(buyer["id"], contracts=[testing.contract(buyer["id"])]) for buyer in buyers]
    return testing.document(buyers=buyers, campaigns=campaigns)


def _leads(seconds):
    end = time.monotonic() + seconds
    others = itertools.cycle(f"buyer_{n}" for n in range(len(ZOO)))
    while time.monotonic() < end:
        yield testing.lead(flo_campaign_id="healthy")
        yield testing.lead(flo_campaign_id=next(others))


def measure(figures, folder, seconds):
    """One run, on data of its own."""
    process = testing.spawn([sys.executable, SIM, "--quiet", "--port", "0"], stdout=subprocess.PIPE)
    try:
        url = f"http://127.0.0.1:{re.search(rb':([0-9]+)', process.stdout.readline()).group(1).decode()}/"
        data = os.path.join(folder, f"zoo-{time.monotonic_ns()}")
        with load.Sink() as sink, testing.Dev(_configuration(sink.url, url), dir=data) as dev:
            sent = traffic.Traffic(dev.port, _leads(seconds), connections=CONNECTIONS, pause=CONNECTIONS / PER_SECOND).wait()
            wrong = {key: count for key, count in traffic.statuses(sent).items() if key != (201, "ACCEPTED")}
            if wrong:
                figures.fault(f"zoo: answers {wrong}")
            to_healthy = sum(one.lead["flo_campaign_id"] == "healthy" for one in sent)
            testing.eventually(lambda: dev.query_one(DELIVERED) >= to_healthy, 60)
            count, (p50, p99) = dev.query(LATENCIES)[0]
            say(f"zoo: {count} leads of {len(sent)} to the healthy buyer")
            figures.add("zoo p50", p50, least=True)
            figures.add("zoo p99", p99, least=True)
            figures.add("zoo leads", len(sent) / seconds)
    finally:
        testing.end(process)
        process.stdout.close()
