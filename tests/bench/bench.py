"""
make bench: the figures of DESIGN.md, 8, with the baselines of the same run and the ratios between them. See README.md beside.

BENCH_RUNS        how often all is measured; the best counts (3)
BENCH_SECONDS     of each measurement (10)
BENCH_GATEWAYS, BENCH_VALIDATORS, BENCH_ROUTERS, BENCH_DISPATCHERS    instances (1 each)
BENCH_ONLY        words, separated by commas: baselines, max, delivered, latency, campaigns; nothing else is measured
BENCH_BIG         millions of leads to store before leads are measured again (0: leaves that out)
BENCH_DIR         a folder for the data, on the disk to be measured (build/)
"""
import json
import os
import re
import resource
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

import leadline_testing as testing  # noqa: E402

CONNECTIONS = 256
CLIENTS = 16
BATCH = 256
RATE = 1000
CAMPAIGNS, CONTRACTS_EACH, MANY_BUYERS = 1000, 20, 100
STATES = ["TX", "CA", "FL", "NY", "OH"]
ZIPS = ["752", "900", "331", "100", "441"]
TICKS = os.sysconf("SC_CLK_TCK")
DRAIN_SECONDS = 600


def setting(name, default):
    return int(os.environ.get(f"BENCH_{name}", default))


RUNS, SECONDS = setting("RUNS", 3), setting("SECONDS", 10)
COUNTS = {f"{stage}s": setting(f"{stage.upper()}S", 1) for stage in testing.STAGES}
ONLY = [word for word in os.environ.get("BENCH_ONLY", "").split(",") if word]


def wants(what):
    return not ONLY or what in ONLY


def say(text):
    print(f"  … {text}", file=sys.stderr, flush=True)


# What is measured --------------------------------------------------------------------------------------------------

class Figures:
    """The best of several runs, by name."""

    def __init__(self):
        self.best = {}
        self.faults = []

    def add(self, name, value, least=False):
        say(f"{name}: {value:,.2f}" if value < 100 else f"{name}: {value:,.0f}")
        old = self.best.get(name)
        self.best[name] = value if old is None else min(old, value) if least else max(old, value)

    def fault(self, text):
        say(f"FAULT: {text}")
        self.faults.append(text)

    def ratio(self, a, b):
        return self.best[a] / self.best[b] if self.best.get(a) and self.best.get(b) else None


figures = Figures()


# The machine ---------------------------------------------------------------------------------------------------------

def cpu_times():
    """Jiffies of all processors since the start: (busy, stolen, all)."""
    with open("/proc/stat") as file:
        numbers = [int(word) for word in file.readline().split()[1:9]]
    return sum(numbers) - numbers[3] - numbers[4] - numbers[7], numbers[7], sum(numbers)


def memory_mb():
    with open("/proc/meminfo") as file:
        return int(file.readline().split()[1]) // 1024


def fsync_ms(folder, count=300):
    """What it takes to write 8 KiB over what is there and to have it on the disk, as PostgreSQL writes its log: the median."""
    path = os.path.join(folder, "fsync.test")
    page = os.urandom(8192)
    took = []
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(fd, page * 256)
        os.fsync(fd)
        for i in range(count):
            begin = time.perf_counter()
            os.pwrite(fd, page, i % 256 * 8192)
            os.fdatasync(fd)
            took.append(time.perf_counter() - begin)
    finally:
        os.close(fd)
        os.unlink(path)
    return sorted(took)[count // 2] * 1000


def rss_mb(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) / 1024


def ticks_of(pid, with_children=False):
    """CPU time of a process, in jiffies; with that of its ended children, if asked."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            words = file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(word) for word in words[11:15 if with_children else 13])


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


class Cpu:
    """Who used the processors meanwhile, in seconds."""

    def __init__(self, dev, others=()):
        self.dev = dev
        self.others = dict(others)
        self.before = self.look()
        self.busy, self.children = cpu_times()[0], resource.getrusage(resource.RUSAGE_CHILDREN)

    def look(self):
        used = {}
        for name in self.dev.names():
            used[name.split("-")[0]] = used.get(name.split("-")[0], 0) + ticks_of(self.dev.pid(name))
        postmaster = self.dev.pid("postgres-1")
        router_backends = {row[0] for row in self.dev.query("SELECT pid FROM pg_stat_activity WHERE usename = 'leadline-router'")}
        backends = {pid: ticks_of(pid) for pid in children_of(postmaster)}
        used["PostgreSQL for the router"] = sum(ticks for pid, ticks in backends.items() if pid in router_backends)
        used["PostgreSQL, the rest"] = ticks_of(postmaster, True) + sum(ticks for pid, ticks in backends.items() if pid not in router_backends)
        for name, pid in self.others.items():
            used[name] = ticks_of(pid)
        return used

    def used(self):
        after = self.look()
        seconds = {name: (after[name] - self.before[name]) / TICKS for name in after}
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds["wrk"] = now.ru_utime + now.ru_stime - self.children.ru_utime - self.children.ru_stime
        seconds["other processes, kernel"] = (cpu_times()[0] - self.busy) / TICKS - sum(seconds.values())
        return seconds


# The configuration ---------------------------------------------------------------------------------------------------

LARGE = [{"window": window, "leads": 1_000_000_000} for window in ("hour", "day", "month")]
RULES = {"fields": [{"name": "age", "type": "number"}],
         "duplicates": [{"fields": ["phone"], "window_days": 30}, {"fields": ["email"], "window_days": 30}]}


def contracts(count, buyer_count, shift=0):
    """The first five take a state each, the others the same states again, later."""
    return [testing.contract(f"buyer_{(i + shift) % buyer_count}", price=f"{20 + i}.00", id=f"contract_{i}", priority=i + 1,
                             states=[STATES[i % 5]], zips=[ZIPS[i % 5]], caps=LARGE) for i in range(count)]


def configuration(url, campaigns=None, buyer_count=5):
    """One campaign of five contracts with every rule on, unless told. Without a url deliveries are recorded and wait."""
    buyers = [{"id": f"buyer_{i}", "name": f"Buyer {i}", "caps": LARGE} for i in range(buyer_count)]
    for buyer in buyers if url else []:
        buyer["delivery"] = {"url": url}
    return testing.document(buyers=buyers, campaigns=campaigns or [
        testing.campaign(sources=[testing.source(caps=LARGE)], contracts=contracts(5, buyer_count), **RULES)])


def many_campaigns():
    return configuration(None, [
        testing.campaign(id=f"campaign_{n + 1}", sources=[testing.source(caps=LARGE)],
                         contracts=contracts(CONTRACTS_EACH, MANY_BUYERS, n * CONTRACTS_EACH), **RULES)
        for n in range(CAMPAIGNS)], MANY_BUYERS)


# Baselines -----------------------------------------------------------------------------------------------------------

class Baseline:
    """A database of its own on the same server, with schema and configuration as the pipeline's."""

    def __init__(self, dev, name):
        self.dev = dev
        self.name = name
        testing.query(dev.dsn, f"CREATE DATABASE {name}")
        self.dsn = re.sub(r"dbname=\S+", f"dbname={name}", dev.dsn)
        testing.leadctl("migrate", "--dsn", self.dsn)
        testing.apply(configuration(None), "--dsn", self.dsn)

    def counters(self):
        return {f"{kind}_{owner}": id for kind, owner, id in testing.query(self.dsn, "SELECT kind, owner_id, id FROM counter")}


def one_by_one(baseline):
    """B1: pgbench, a transaction a lead."""
    counters = baseline.counters()
    parts = dict(part.split("=") for part in baseline.dsn.split())
    told = {"base_ms": int(time.time() * 1000), "source": counters["source_supplier_xyz789"]}
    for i in range(5):
        told[f"contract_{i}"], told[f"buyer_{i}"] = counters[f"contract_contract_{i}"], counters[f"buyer_buyer_{i}"]
    programs = os.environ.get("LEADLINE_PG_BIN") or "/usr/lib/postgresql/15/bin"
    done = subprocess.run([os.path.join(programs, "pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(SECONDS),
                           "-f", os.path.join(HERE, "one_by_one.sql"), "-h", parts["host"], "-U", parts["user"],
                           *(f"-D{name}={value}" for name, value in told.items()), baseline.name], capture_output=True, text=True, check=False)
    rate = re.search(r"tps = ([0-9.]+)", done.stdout)
    if done.returncode != 0 or rate is None or "number of failed transactions: 0 " not in done.stdout:
        raise RuntimeError(f"pgbench failed:\n{done.stdout}{done.stderr[-2000:]}")
    return float(rate.group(1))


def batches(baseline):
    """B2: the same rows in batches over one connection."""
    done = subprocess.run([bench_program("batches"), baseline.dsn, str(SECONDS), str(BATCH)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"batches failed: {done.stderr}")
    return float(done.stdout)


def bench_program(name):
    return os.path.join(os.environ["LEADLINE_BENCH_BIN"], name)


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


# Load ----------------------------------------------------------------------------------------------------------------

class Runs:
    """Numbers for leads.lua: each load has leads of its own."""
    last = -1

    @classmethod
    def next(cls):
        cls.last += 1
        return str(cls.last)


def wrk(url, seconds=None, campaigns=1):
    """Returns answers, answers a second, wrong answers, p50 and p99 in ms."""
    done = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds or SECONDS}s", "--timeout", "10s", "--latency", "-s",
                           os.path.join(HERE, "leads.lua"), url, "--", Runs.next(), str(campaigns)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"wrk failed: {done.stdout}{done.stderr}")
    count, = re.findall(r"(\d+) requests in", done.stdout)
    rate, = re.findall(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    wrong = sum(int(number) for number in re.findall(r"Non-2xx or 3xx responses: (\d+)", done.stdout))
    wrong += sum(int(number) for line in re.findall(r"Socket errors: (.*)", done.stdout) for number in re.findall(r"\d+", line))
    return int(count), float(rate), wrong, latency_ms(done.stdout, "50"), latency_ms(done.stdout, "99")


def latency_ms(output, percent):
    number, unit = re.search(rf"\s{percent}%\s+([0-9.]+)(us|ms|s)\s", output).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def lead_counts(dev):
    """Leads sold and answered 201, and all leads."""
    return dev.query("SELECT count(*) FILTER (WHERE status = 'ACCEPTED' AND answer_status = 201), count(*) FROM lead")[0]


def check_rows(dev, before, answers, wrong, what):
    """Each 201 is a row and each row a 201, but for those that were on their way when wrk ended."""
    def settled():
        counts = lead_counts(dev)
        time.sleep(0.3)
        return counts == lead_counts(dev) and counts
    sold, all_leads = testing.eventually(settled, 30)
    sold, all_leads = sold - before[0], all_leads - before[1]
    if wrong:
        figures.fault(f"{what}: {wrong} answers were wrong or missing")
    if sold != all_leads or not answers <= sold <= answers + CONNECTIONS:
        figures.fault(f"{what}: {answers} answers of 201, but {sold} leads sold of {all_leads} recorded")
    return sold


def ingest_url(dev):
    return f"http://127.0.0.1:{dev.port}/api/v1/ingest"


def checkpoint(dev):
    """So that every measurement begins alike."""
    testing.query(dev.dsn, "CHECKPOINT")


def load(dev, name, campaigns=1, others=()):
    """Leads as fast as they are answered. Returns how many were sold, and the CPU seconds by process."""
    checkpoint(dev)
    before = lead_counts(dev)
    cpu = Cpu(dev, others)
    answers, rate, wrong, p50, p99 = wrk(ingest_url(dev), campaigns=campaigns)
    used = cpu.used()
    sold = check_rows(dev, before, answers, wrong, name)
    figures.add(name, rate)
    say(f"{name}: under this load p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return sold, {who: seconds * 1e6 / answers for who, seconds in used.items()}


# The measurements ----------------------------------------------------------------------------------------------------

def measure_baselines(b1, b2):
    checkpoint(b1.dev)
    figures.add("B1", one_by_one(b1))
    checkpoint(b2.dev)
    figures.add("B2", batches(b2))
    with Sink("--constant") as constant:
        answers, rate, wrong, _, _ = wrk(constant.url)
        if wrong:
            figures.fault(f"B3: {wrong} of {answers} answers were wrong")
        figures.add("B3", rate)


def is_drained(dev):
    return not dev.query_one("SELECT EXISTS (SELECT FROM delivery WHERE state = 'OPEN')")


def drain(dev):
    testing.eventually(lambda: is_drained(dev), DRAIN_SECONDS, 0.1, "all deliveries recorded")


def check_delivered(dev, what):
    late = dev.query("SELECT state::text, count(*) FROM delivery WHERE state <> 'DELIVERED' GROUP BY 1")
    if late:
        figures.fault(f"{what}: deliveries that are not DELIVERED: {dict(late)}")


def measure_backlog(dev, sink):
    """From the moment at which the buyers have an endpoint until everything that waited is recorded as delivered."""
    backlog = dev.query_one("SELECT count(*) FROM delivery WHERE state = 'OPEN'")
    dev.apply(configuration(sink.url))
    begin = time.monotonic()
    drain(dev)
    figures.add("webhooks/s", backlog / (time.monotonic() - begin))
    check_delivered(dev, "backlog")


def measure_delivered(dev, sink):
    """Leads over the time from the first lead until the last delivery is recorded."""
    begin = time.monotonic()
    sold, _ = load(dev, "leads/s answered while delivering", others={"the sink": sink.process.pid})
    drain(dev)
    figures.add("leads/s answered and delivered", sold / (time.monotonic() - begin))
    check_delivered(dev, "delivered")


def measure_latency(dev):
    checkpoint(dev)
    done = subprocess.run([bench_program("schedule"), str(dev.port), str(RATE), str(SECONDS), Runs.next()], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"schedule failed: {done.stderr}")
    answer = json.loads(done.stdout)
    if answer["created"] != RATE * SECONDS:
        figures.fault(f"latency: {answer['other']} wrong answers, {answer['unanswered']} missing")
    say(f"latency at {RATE}/s: {done.stdout.strip()}")
    for name in ("p50", "p90", "p99", "p999", "max"):
        figures.add(f"latency {name} ms", answer[f"{name}_ms"], least=True)
    drain(dev)


FILL = """
    INSERT INTO {table} ({columns}) SELECT {values}
    FROM (SELECT n, (lpad(to_hex(extract(epoch FROM now() - interval '20 days')::bigint * 1000 + n / 10), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0')
        || '8' || substr(md5(n::text), 1, 15))::uuid AS id, now() - interval '20 days' AS at FROM generate_series(%s::bigint, %s::bigint) n) AS l"""
FILLS = [
    ("lead", "id, campaign_id, supplier_id, status, is_test, received_at, decided_at, reasons, price_cents, cost_cents, phone_key, email_key,"
             " answer_status, answer_body, raw, fields",
     "id, 'campaign_abc123', 'supplier_xyz789', 'ACCEPTED', false, at, at, '[]', 2500, 1000, md5('p' || n)::uuid, md5('e' || n)::uuid, 201,"
     " '{\"data\":{\"id\":\"' || id || '\",\"status\":\"ACCEPTED\",\"buyer_id\":\"buyer_0\",\"campaign_id\":\"campaign_abc123\"}}',"
     " jsonb_build_object('flo_campaign_id', 'campaign_abc123', 'flo_supplier_id', 'supplier_xyz789', 'first_name', 'John', 'last_name', 'Doe',"
     " 'phone', '9' || lpad(n::text, 9, '0'), 'email', 'john.' || n || '@example.org', 'state', 'TX', 'zip_code', '75201', 'age', '42'),"
     " jsonb_build_object('first_name', 'John', 'last_name', 'Doe', 'phone', '+19' || lpad(n::text, 9, '0'), 'email', 'john.' || n || '@example.org',"
     " 'state', 'TX', 'zip_code', '75201', 'age', 42)"),
    ("duplicate_key", "key, lead_id, supplier_id, at, expires_at", "md5('p' || n)::uuid, id, 'supplier_xyz789', at, at + interval '30 days'"),
    ("duplicate_key", "key, lead_id, supplier_id, at, expires_at", "md5('e' || n)::uuid, id, 'supplier_xyz789', at, at + interval '30 days'"),
    ("sale", "lead_id, n, campaign_id, supplier_id, buyer_id, contract_id, price_cents, cost_cents, state, is_test, sold_at",
     "id, 1, 'campaign_abc123', 'supplier_xyz789', 'buyer_0', 'contract_0', 2500, 1000, 'SOLD', false, at"),
    ("delivery", "lead_id, id, n, buyer_id, state, attempt, due_at, last_http_status", "id, md5('d' || n)::uuid, 1, 'buyer_0', 'DELIVERED', 1, at, 200"),
    ("trail", "lead_id, step, at, decisions", "id, 'sale', at, '[{\"contract_id\":\"contract_0\",\"decision\":\"sold\",\"detail\":\"25.00\"}]'"),
]


def measure_big(dev, millions):
    """Leads a second again, with that many stored: 20 days old, their duplicate keys still in force."""
    for chunk in range(millions):
        say(f"storing leads: million {chunk + 1} of {millions}")
        for table, columns, values in FILLS:
            testing.query(dev.dsn, FILL.format(table=table, columns=columns, values=values), chunk * 1_000_000, (chunk + 1) * 1_000_000 - 1)
    testing.query(dev.dsn, "VACUUM ANALYZE")
    for _ in range(RUNS):
        load(dev, "leads/s with many stored")


def measure_campaigns(dev):
    """1,000 campaigns of 20 contracts: how long they take to apply, leads a second, and the memory of each daemon at the end."""
    begin = time.monotonic()
    dev.apply(many_campaigns())
    figures.add("many campaigns: seconds to apply", time.monotonic() - begin, least=True)
    load(dev, "many campaigns: leads/s", campaigns=CAMPAIGNS)
    return memory(dev)


def memory(dev):
    return {name: rss_mb(dev.pid(name)) for name in dev.names()}


# The table -----------------------------------------------------------------------------------------------------------

def row(what, value, want="", is_good=None):
    mark = "" if is_good is None else "  ok" if is_good else "  BELOW"
    print(f"  {what:<58} {value:>14}   {want:<22}{mark}")


def number(value):
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def figure_row(what, name, want=None, least=False):
    value = figures.best.get(name)
    if value is not None:
        row(what, number(value), "" if want is None else f"{'at most' if least else 'at least'} {want:,}",
            None if want is None else value <= want if least else value >= want)


def ratio_row(what, a, b, want):
    value = figures.ratio(a, b)
    if value is not None:
        row(what, f"{value:.2f}", f"at least {want}", value >= want)


def print_environment(dev, before, fsyncs):
    busy, stolen, total = (now - then for now, then in zip(cpu_times(), before))
    print("Machine")
    row("processors", str(os.cpu_count()))
    row("memory, MB", f"{memory_mb():,}")
    row("kernel", os.uname().release)
    row("PostgreSQL", dev.query_one("SHOW server_version").split()[0])
    row("fsync, ms (8 KiB over old data; before, after)", " ".join(f"{ms:.2f}" for ms in fsyncs))
    row("processors busy; stolen by the hypervisor", f"{100 * busy / total:.0f} %; {100 * stolen / total:.1f} %")
    row("runs × seconds; gateways/validators/routers/dispatchers", f"{RUNS} × {SECONDS}; " + "/".join(str(count) for count in COUNTS.values()))


def print_figures():
    print("\nBaselines, best run")
    figure_row("B1  pgbench, a transaction a lead, 16 clients: leads/s", "B1")
    figure_row(f"B2  batches of {BATCH} over one connection: leads/s", "B2")
    figure_row("B3  h2o answering a constant: requests/s", "B3")
    print("\nFigures, best run" + " " * 59 + "DESIGN 8")
    figure_row(f"durable leads/s answered, {CONNECTIONS} connections, deliveries held", "leads/s", 7000)
    ratio_row("    ÷ B1", "leads/s", "B1", 4)
    ratio_row("    ÷ B2", "leads/s", "B2", 0.4)
    ratio_row("    ÷ B3", "leads/s", "B3", 0)
    figure_row("durable leads/s answered while all are being delivered", "leads/s answered while delivering")
    figure_row("leads/s answered and delivered, until the last delivery", "leads/s answered and delivered", 2500)
    figure_row("webhooks/s delivered and recorded, from a backlog", "webhooks/s", 5000)
    for name, want in (("p50", 3), ("p90", None), ("p99", 10), ("p999", None), ("max", None)):
        figure_row(f"latency at {RATE:,} leads/s by schedule, {name}, ms", f"latency {name} ms", want, least=True)
    figure_row("leads/s with many stored", "leads/s with many stored")
    if figures.ratio("leads/s", "leads/s with many stored"):
        cost = figures.ratio("leads/s", "leads/s with many stored")
        row(f"    cost of a lead with {setting('BIG', 0)} million stored", f"{cost:.2f}", "at most 1.3", cost <= 1.3)
    figure_row("1,000 campaigns × 20 contracts: seconds to apply", "many campaigns: seconds to apply")
    figure_row("1,000 campaigns × 20 contracts: leads/s", "many campaigns: leads/s")


def print_cpu(costs):
    print("\nWhere the time of a lead goes: processor µs a lead, deliveries held")
    for who, cost in costs.items():
        row(who, f"{cost:.1f}")
    row("all", f"{sum(costs.values()):.1f}")


def print_memory(title, used, want=None):
    print(f"\nMemory (RSS), MB, {title}")
    for name, megabytes in used.items():
        row(name, f"{megabytes:.0f}", "" if want is None else f"at most {want}", None if want is None else megabytes <= want)


# All together --------------------------------------------------------------------------------------------------------

def measure_runs(dev, sink, b1, b2):
    """All figures of one campaign, RUNS times. Returns the CPU costs of the fastest run and the memory at the end."""
    costs, best = {}, 0
    for turn in range(RUNS):
        say(f"run {turn + 1} of {RUNS}")
        if wants("baselines"):
            measure_baselines(b1, b2)
        if wants("max"):
            dev.apply(configuration(None))
            _, used = load(dev, "leads/s")
            if figures.best["leads/s"] > best:
                costs, best = used, figures.best["leads/s"]
        if wants("delivered") or wants("latency"):
            measure_backlog(dev, sink)
        if wants("delivered"):
            measure_delivered(dev, sink)
        if wants("latency"):
            measure_latency(dev)
    return costs, memory(dev)


def main():
    folder = testing.temp_folder("leadline-bench-", os.environ.get("BENCH_DIR") or os.path.dirname(testing.BIN))
    many = {}
    with Sink() as sink, testing.Dev(configuration(None), dir=os.path.join(folder, "dev"), **COUNTS) as dev:
        fsyncs = [fsync_ms(folder)]
        before = cpu_times()
        b1, b2 = (Baseline(dev, name) for name in ("bench_b1", "bench_b2"))
        costs, used = measure_runs(dev, sink, b1, b2)
        if setting("BIG", 0):
            dev.apply(configuration(None))
            measure_big(dev, setting("BIG", 0))
        if wants("campaigns"):
            many = measure_campaigns(dev)
        fsyncs.append(fsync_ms(folder))
        print_environment(dev, before, fsyncs)
    print_figures()
    if costs:
        print_cpu(costs)
    print_memory("one campaign, at the end", used)
    if many:
        print_memory("1,000 campaigns × 20 contracts, at the end", many, 64)
    for fault in figures.faults:
        print(f"\nFAULT: {fault}")
    return 1 if figures.faults else 0


if __name__ == "__main__":
    sys.exit(main())
