"""load - the configurations that are measured, and who sends the leads, takes the deliveries and looks at the rows."""
import os
import re
import subprocess
import time
import urllib.request

import leadline_testing as testing
from figures import say

HERE = os.path.dirname(os.path.abspath(__file__))
CONNECTIONS = 256
STATES = ["TX", "CA", "FL", "NY", "OH"]
ZIPS = ["752", "900", "331", "100", "441"]
BIDDERS, AUCTIONS_AT_ONCE = 10, 16
LARGE = [{"window": window, "leads": 1_000_000_000} for window in ("hour", "day", "month")]
RULES = {"fields": [{"name": "age", "type": "number"}],
         "duplicates": [{"fields": ["phone"], "window_days": 30}, {"fields": ["email"], "window_days": 30}]}


# Configurations -------------------------------------------------------------------------------------------------------

def _contracts(count, buyer_count, shift=0):
    """The first five take a state each, the others the same states again, later."""
    return [testing.contract(f"buyer_{(i + shift) % buyer_count}", price=f"{20 + i}.00", id=f"contract_{i}", priority=i + 1,
                             states=[STATES[i % 5]], zips=[ZIPS[i % 5]], caps=LARGE) for i in range(count)]


def _document(url, campaigns, buyer_count):
    buyers = [{"id": f"buyer_{i}", "name": f"Buyer {i}", "caps": LARGE} for i in range(buyer_count)]
    for buyer in buyers if url else []:
        buyer["delivery"] = {"url": url}
    return testing.document(buyers=buyers, campaigns=campaigns)


def configuration(url):
    """One campaign of five contracts with every rule on. Without a url the deliveries are recorded and wait."""
    return _document(url, [testing.campaign(sources=[testing.source(caps=LARGE)], contracts=_contracts(5, 5), **RULES)], 5)


def many_campaigns(count, contract_count, buyer_count):
    """campaign_1 … campaign_N, each with so many contracts; the deliveries wait."""
    return _document(None, [testing.campaign(id=f"campaign_{n + 1}", sources=[testing.source(caps=LARGE)],
                                             contracts=_contracts(contract_count, buyer_count, n * contract_count), **RULES)
                            for n in range(count)], buyer_count)


def _filter(passes):
    """Ten conditions, all of which a lead of leads.lua is asked; the last one fails when it is not to pass."""
    return {"all": [
        {"field": "state", "op": "IN", "value": STATES + ["WA", "OR", "NV", "AZ", "CO"]}, {"field": "age", "op": ">=", "value": 21},
        {"field": "age", "op": "BETWEEN", "value": [18, 99]}, {"field": "zip_code", "op": "MATCHES", "value": "^[0-9]{5}$"},
        {"field": "email", "op": "DOES NOT CONTAIN", "value": "@test."}, {"field": "phone", "op": "STARTS WITH", "value": "+1"},
        {"field": "first_name", "op": "!=", "value": "test"}, {"field": "last_name", "op": "NOT IN", "value": ["test", "spam", "none"]},
        {"any": [{"field": "age", "op": ">", "value": 65}, {"field": "state", "op": "IS NOT EMPTY" if passes else "IS EMPTY"}]}]}


def filtered(contract_count, has_filters):
    """One campaign whose contracts ask ten conditions each, or none; of those with filters each fifth fails, the first too."""
    contracts = [testing.contract(f"buyer_{i}", price=f"{20 + i}.00", id=f"contract_{i}", priority=i + 1, caps=LARGE,
                                  **({"filters": _filter(i % 5 > 0)} if has_filters else {})) for i in range(contract_count)]
    return _document(None, [testing.campaign(sources=[testing.source(caps=LARGE)], contracts=contracts, **RULES)], contract_count)


def auction(port):
    """One campaign of ten buyers that bid, each a dollar more than the one before; the endpoint is leadline-buyer's."""
    document = _document(None, [testing.campaign(routing="PING_POST", distribution="HIGHEST_BID", contracts=[
        testing.contract(f"buyer_{i}", "1.00", caps=LARGE) for i in range(BIDDERS)],
        fields=[{"name": "state", "ping": True}, {"name": "zip_code", "ping": True}, {"name": "age", "type": "number", "ping": True}])], BIDDERS)
    for i, buyer in enumerate(document["buyers"]):
        buyer["ping"] = {"url": f"http://127.0.0.1:{port}/ping/{10 + i}.00", "timeout_ms": 500, "limits": {"concurrent": 1000}}
    return document


# Programs -------------------------------------------------------------------------------------------------------------

def bench_program(name):
    return os.path.join(os.environ["LEADLINE_BENCH_BIN"], name)


def run(*args):
    """What it printed; a program that fails ends the bench."""
    done = subprocess.run([str(arg) for arg in args], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{os.path.basename(str(args[0]))} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


class Sink:
    """leadline-buyer: the endpoint that takes all deliveries, or with --constant the yardstick B3."""

    def __init__(self, *args):
        self.process = testing.spawn([testing.program("leadline-buyer"), "--port", "0", *args], stdout=subprocess.PIPE)
        self.port = int(re.search(rb":(\d+)", self.process.stdout.readline()).group(1))
        self.url = f"http://127.0.0.1:{self.port}/leads"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        testing.end(self.process)
        self.process.stdout.close()


class Numbers:
    """Each load has leads of its own, see RUN in leads.lua."""
    last = -1

    @classmethod
    def next(cls):
        cls.last += 1
        return cls.last


def _milliseconds(output, percent):
    value, unit = re.search(rf"\s{percent}%\s+([0-9.]+)(us|ms|s)\s", output).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def wrk(url, seconds, campaigns=1, script="leads.lua", connections=CONNECTIONS):
    """As many leads (or pings) as are answered. Returns how many that were, how many a second, and how many answers were wrong or missing."""
    output = run("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", os.path.join(HERE, script),
                 url, "--", Numbers.next(), campaigns)
    count, = re.findall(r"(\d+) requests in", output)
    rate, = re.findall(r"Requests/sec:\s+([0-9.]+)", output)
    wrong = sum(int(text) for text in re.findall(r"Non-2xx or 3xx responses: (\d+)", output))
    wrong += sum(int(text) for line in re.findall(r"Socket errors: (.*)", output) for text in re.findall(r"\d+", line))
    say(f"under this load p50 {_milliseconds(output, 50):.1f} ms, p99 {_milliseconds(output, 99):.1f} ms")
    return int(count), float(rate), wrong


def metric(dev, series):
    """The sum over all routers of the series that begin so."""
    total = 0
    for stage in dev.status()["stages"]:
        if stage["stage"] == "router":
            with urllib.request.urlopen(stage["admin"] + "/metrics", timeout=10) as answer:
                lines = answer.read().decode().splitlines()
            total += sum(int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(series))
    return total


# Rows -----------------------------------------------------------------------------------------------------------------

def lead_counts(dev):
    """Leads sold and answered 201, and all leads."""
    return dev.query("SELECT count(*) FILTER (WHERE status = 'ACCEPTED' AND answer_status = 201), count(*) FROM lead")[0]


def new_leads(dev, before):
    """The same since then, once nothing is on its way any more."""
    def settled():
        counts = lead_counts(dev)
        time.sleep(0.3)
        return counts == lead_counts(dev) and counts
    sold, all_leads = testing.eventually(settled, 30)
    return sold - before[0], all_leads - before[1]


def drain(dev, seconds=600):
    """Waits until no delivery is open."""
    testing.eventually(lambda: not dev.query_one("SELECT EXISTS (SELECT FROM delivery WHERE state = 'OPEN')"), seconds, 0.1,
                       "all deliveries recorded")
