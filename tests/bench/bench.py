"""
make bench: the figures of DESIGN.md, 8, with the baselines of the same run and the ratios between them. See README.md beside.

BENCH_RUNS        how often all is measured; the best counts (3)
BENCH_SECONDS     of each measurement (10)
BENCH_GATEWAYS, BENCH_VALIDATORS, BENCH_ROUTERS, BENCH_DISPATCHERS    instances (2, 1, 2, 1)
BENCH_ONLY        words, separated by commas: baselines, max, ping, auction, delivered, latency, rules, campaigns, zoo, suppression; nothing
                  else is measured
BENCH_ENTRIES     of the suppression list that is imported (10000000)
BENCH_BIG         millions of leads to store before leads are measured again (0: leaves that out)
BENCH_DIR         a folder for the data, on the disk to be measured (beside the programs)
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import baselines  # noqa: E402
import big  # noqa: E402
import leadline_testing as testing  # noqa: E402
import load  # noqa: E402
import machine  # noqa: E402
import zoo  # noqa: E402
import suppression  # noqa: E402
from figures import Figures, row, say, title, value_row  # noqa: E402

RATE = 1000
RULED_CONTRACTS = 50
CAMPAIGNS, CONTRACTS_EACH, MANY_BUYERS = 1000, 20, 100
BACKLOG_LEAST = 1000
BIG_RUNS, BIG_LONGER = 2, 6


def setting(name, default):
    return int(os.environ.get(f"BENCH_{name}", default))


RUNS, SECONDS, BIG = setting("RUNS", 3), setting("SECONDS", 10), setting("BIG", 0)
ENTRIES = setting("ENTRIES", 10_000_000)
COUNTS = {"gateways": setting("GATEWAYS", 2), "validators": setting("VALIDATORS", 1), "routers": setting("ROUTERS", 2),
          "dispatchers": setting("DISPATCHERS", 1)}
ONLY = [word for word in os.environ.get("BENCH_ONLY", "").split(",") if word]

figures = Figures()


def wants(what):
    return not ONLY or what in ONLY


# The measurements ----------------------------------------------------------------------------------------------------

def most_leads(dev, name, campaigns=1, others=None, seconds=SECONDS):
    """
    Leads as fast as they are answered; each 201 must be a row and each row a 201, but for those on their way when wrk ended.
    Returns how many were sold, and when these are the most so far, the processors' µs for one, by process.
    """
    before, cpu = load.lead_counts(dev), machine.Cpu(dev, others)
    answers, rate, wrong = load.wrk(f"http://127.0.0.1:{dev.port}/api/v1/ingest", seconds, campaigns)
    used = cpu.seconds()
    sold, recorded = load.new_leads(dev, before)
    if wrong:
        figures.fault(f"{name}: {wrong} answers were wrong or missing")
    if sold != recorded or not answers <= sold <= answers + load.CONNECTIONS:
        figures.fault(f"{name}: {answers} answers of 201, but {sold} leads sold of {recorded} recorded")
    is_best = figures.add(name, rate)
    return sold, {who: seconds * 1e6 / answers for who, seconds in used.items()} if is_best else None


def measure_baselines(b1, b2):
    figures.add("B1", baselines.one_by_one(b1, SECONDS))
    figures.add("B2", baselines.batches(b2, SECONDS))
    figures.add("B3", baselines.constant(SECONDS))


def most_pings(dev, name, others=None, connections=load.CONNECTIONS):
    """
    Pings as fast as they are answered; each must have been accepted by a router, but for those on their way when wrk ended.
    Returns the processors' µs for one when these are the most so far, by process.
    """
    before, cpu = load.metric(dev, 'leadline_pings_total{answer="accepted"}'), machine.Cpu(dev, others)
    answers, rate, wrong = load.wrk(f"http://127.0.0.1:{dev.port}/api/v1/ping", SECONDS, script="pings.lua", connections=connections)
    used = cpu.seconds()
    time.sleep(1)
    accepted = load.metric(dev, 'leadline_pings_total{answer="accepted"}') - before
    if wrong or not answers <= accepted <= answers + load.CONNECTIONS:
        figures.fault(f"{name}: {answers} answers, {wrong} of them wrong or missing, and {accepted} pings accepted")
    return {who: seconds * 1e6 / answers for who, seconds in used.items()} if figures.add(name, rate) else None


def measure_auctions(dev):
    """Ten buyers that bid after 5 ms."""
    with load.Sink("--bid-delay-ms", "5") as bidders:
        dev.apply(load.auction(bidders.port))
        before = [load.metric(dev, series) for series in ("leadline_questions_total{", 'leadline_questions_total{outcome="BID"}')]
        most_pings(dev, "auctions", {"the bidders": bidders.process.pid}, load.AUCTIONS_AT_ONCE)
        after = [load.metric(dev, series) for series in ("leadline_questions_total{", 'leadline_questions_total{outcome="BID"}')]
        figures.add("auctions: bids", 100 * (after[1] - before[1]) / (after[0] - before[0]))
    dev.apply(load.configuration(None))


def check_delivered(dev, what):
    late = dict(dev.query("SELECT state::text, count(*) FROM delivery WHERE state <> 'DELIVERED' GROUP BY 1"))
    if late:
        figures.fault(f"{what}: deliveries that are not DELIVERED: {late}")


def measure_backlog(dev, sink):
    """From the moment at which the buyers have an endpoint until everything that waited is recorded as delivered."""
    backlog = dev.query_one("SELECT count(*) FROM delivery WHERE state = 'OPEN'")
    dev.apply(load.configuration(sink.url))
    begin = time.monotonic()
    load.drain(dev)
    if backlog >= BACKLOG_LEAST:
        figures.add("webhooks", backlog / (time.monotonic() - begin))
    check_delivered(dev, "backlog")


def measure_delivered(dev, sink):
    """Leads over the time from the first lead until the last delivery is recorded."""
    begin = time.monotonic()
    sold, costs = most_leads(dev, "answered while delivering", others={"the sink": sink.process.pid})
    load.drain(dev)
    figures.add("answered and delivered", sold / (time.monotonic() - begin))
    check_delivered(dev, "delivered")
    return costs


def measure_latency(dev):
    answer = json.loads(load.run(load.bench_program("schedule"), dev.port, RATE, SECONDS, load.Numbers.next()))
    if answer["created"] != RATE * SECONDS:
        figures.fault(f"latency: {answer['other']} wrong answers, {answer['unanswered']} missing")
    for name in ("p50", "p90", "p99", "p999", "max"):
        figures.add(f"latency {name}", answer[f"{name}_ms"], least=True)
    load.drain(dev)


def measure_runs(dev, sink, b1, b2):
    """All figures of one campaign, RUNS times. Returns the processors' costs of the fastest runs: deliveries held, and not; pings."""
    held = delivering = pinging = None
    for turn in range(RUNS):
        say(f"run {turn + 1} of {RUNS}")
        if wants("baselines"):
            measure_baselines(b1, b2)
        if wants("max"):
            dev.apply(load.configuration(None))
            held = most_leads(dev, "leads")[1] or held
        if wants("ping"):
            dev.apply(load.configuration(None))
            pinging = most_pings(dev, "pings") or pinging
        if wants("auction"):
            measure_auctions(dev)
        if wants("delivered") or wants("latency"):
            measure_backlog(dev, sink)
        if wants("delivered"):
            delivering = measure_delivered(dev, sink) or delivering
        if wants("latency"):
            measure_latency(dev)
    return held, delivering, pinging


def measure_big(dev):
    """
    Leads a second without and with that many stored, for longer: a machine that is fast for some seconds is not compared with one that
    works for minutes, and after a checkpoint the first touch of an index page is logged whole, of which 10 million leads have some 200,000.
    """
    dev.apply(load.configuration(None))
    for name in ("leads for longer", "leads for longer, many stored"):
        for _ in range(BIG_RUNS):
            most_leads(dev, name, seconds=BIG_LONGER * SECONDS)
        if name == "leads for longer":
            big.store(dev, BIG)


def measure_rules(dev):
    """The same contracts without filters and with them, by turns. Returns the processors' costs of both fastest runs, by name."""
    costs = {}
    for _ in range(RUNS):
        for name, has_filters in (("without filters", False), ("with filters", True)):
            dev.apply(load.filtered(RULED_CONTRACTS, has_filters))
            costs[name] = most_leads(dev, f"{name}: leads")[1] or costs.get(name)
    return costs


def measure_campaigns(dev):
    """How long many campaigns take to apply, leads a second, and the memory of each daemon at the end."""
    begin = time.monotonic()
    dev.apply(load.many_campaigns(CAMPAIGNS, CONTRACTS_EACH, MANY_BUYERS))
    figures.add("many campaigns: seconds to apply", time.monotonic() - begin, least=True)
    for _ in range(RUNS):
        most_leads(dev, "many campaigns: leads", CAMPAIGNS)
    return machine.memory(dev)


# The table -----------------------------------------------------------------------------------------------------------

def print_machine(dev, before, fsyncs):
    busy, stolen, total = (now - then for now, then in zip(machine.cpu_times(), before))
    title("Machine")
    row("processors; memory, MB", f"{os.cpu_count()}; {machine.memory_mb():,}")
    row("kernel; PostgreSQL", f"{os.uname().release}; {dev.query_one('SHOW server_version').split()[0]}")
    row("fsync, ms (8 KiB over old data; before and after)", "; ".join(f"{ms:.2f}" for ms in fsyncs))
    row("processors busy; stolen by the hypervisor", f"{100 * busy / total:.0f} %; {100 * stolen / total:.1f} %")
    row("gateways/validators/routers/dispatchers; runs of seconds", "/".join(str(count) for count in COUNTS.values()) + f"; {RUNS} of {SECONDS}")


def print_figures():
    best = figures.best.get
    title("Baselines, best run")
    value_row(f"B1  pgbench, a transaction a lead, {baselines.CLIENTS} clients: leads/s", best("B1"))
    value_row(f"B2  batches of {baselines.BATCH} over one connection: leads/s", best("B2"))
    value_row("B3  h2o answering a constant: requests/s", best("B3"))
    title("Figures, best run", "DESIGN.md, 8")
    value_row(f"durable leads/s, {load.CONNECTIONS} connections, deliveries held", best("leads"), 7000)
    value_row("    ÷ B1", figures.ratio("leads", "B1"), 4)
    value_row("    ÷ B2", figures.ratio("leads", "B2"), 0.4)
    value_row("    ÷ B3", figures.ratio("leads", "B3"))
    value_row("pings/s, prices from contracts, no phone or e-mail", best("pings"), 20000)
    value_row("    ÷ B3", figures.ratio("pings", "B3"), 0.25)
    value_row(f"live auctions/s, {load.BIDDERS} buyers of 5 ms, {load.AUCTIONS_AT_ONCE} at once", best("auctions"))
    value_row("    questions that got a bid, %", best("auctions: bids"))
    value_row("durable leads/s while all are being delivered", best("answered while delivering"))
    value_row("leads/s, from the first lead to the last recorded delivery", best("answered and delivered"), 2500)
    value_row("webhooks/s delivered and recorded, from a backlog", best("webhooks"), 5000)
    for name, want in (("p50", 3), ("p90", None), ("p99", 10), ("p999", None), ("max", None)):
        value_row(f"latency at {RATE:,} leads/s by schedule, {name}, ms", best(f"latency {name}"), want, least=True)
    value_row(f"zoo of {len(zoo.ZOO)} buyers: from sale to answer of the healthy one, p50, ms", best("zoo p50"))
    value_row("    p99, ms", best("zoo p99"), zoo.P99_MOST_MS, least=True)
    value_row("    leads/s meanwhile, to him and to all", best("zoo leads"))
    value_row(f"{RULED_CONTRACTS} contracts without filters: leads/s", best("without filters: leads"))
    value_row(f"{RULED_CONTRACTS} contracts of 10 filter conditions each: leads/s", best("with filters: leads"))
    value_row("    ÷ that without filters", figures.ratio("with filters: leads", "without filters: leads"), 0.8)
    value_row(f"durable leads/s for {BIG_LONGER * SECONDS} s, none stored before", best("leads for longer"))
    value_row(f"the same with {BIG} million stored", best("leads for longer, many stored"))
    value_row("    cost of a lead against that with none", figures.ratio("leads for longer", "leads for longer, many stored"), 1.3, least=True)
    value_row(f"{CAMPAIGNS:,} campaigns × {CONTRACTS_EACH} contracts: seconds to apply", best("many campaigns: seconds to apply"))
    value_row(f"{CAMPAIGNS:,} campaigns × {CONTRACTS_EACH} contracts: leads/s", best("many campaigns: leads"))


def print_suppression():
    best = figures.best.get
    if best("suppression: entries/s") is None:
        return
    title("Suppression lists", "SPEC.md, 5")
    value_row(f"{ENTRIES:,} entries: seconds to import", best("suppression: seconds to import"), max(1, ENTRIES // 100_000 * 0.6), least=True)
    value_row("    entries/s", best("suppression: entries/s"))
    value_row("durable leads/s, no list on", best("suppression: leads without lists"))
    value_row("durable leads/s, lists on campaign and contracts", best("suppression: leads with lists"))
    value_row("    ÷ without", figures.ratio("suppression: leads with lists", "suppression: leads without lists"), 0.85)


def print_costs(costs, what):
    if not costs:
        return
    title(f"Where the time of a lead goes: processors' µs a lead, {what}")
    for who, cost in costs.items():
        row(who, f"{cost:.1f}")
    row("all", f"{sum(costs.values()):.1f}")


def print_memory(used, what, want=None):
    if not used:
        return
    title(f"Memory of each daemon (RSS), MB, {what}")
    for name, megabytes in used.items():
        value_row(name, megabytes, want, least=True)


def main():
    folder = testing.temp_folder("leadline-bench-", os.environ.get("BENCH_DIR") or os.path.dirname(testing.BIN))
    many, ruled, listed = None, {}, {}
    with load.Sink() as sink, testing.Dev(load.configuration(None), dir=os.path.join(folder, "dev"), **COUNTS) as dev:
        fsyncs, before = [machine.fsync_ms(folder)], machine.cpu_times()
        b1, b2 = (baselines.Database(dev, name) for name in ("bench_b1", "bench_b2"))
        held, delivering, pinging = measure_runs(dev, sink, b1, b2)
        used = machine.memory(dev)
        if wants("rules"):
            ruled = measure_rules(dev)
        if BIG:
            measure_big(dev)
        fsyncs.append(machine.fsync_ms(folder))
        print_machine(dev, before, fsyncs)
    if wants("zoo"):
        for _ in range(RUNS):
            zoo.measure(figures, folder, SECONDS)
    if wants("campaigns"):
        with testing.Dev(load.configuration(None), dir=os.path.join(folder, "many"), **COUNTS) as dev:
            many = measure_campaigns(dev)
    if wants("suppression"):
        with testing.Dev(suppression.configuration(False), dir=os.path.join(folder, "lists"), **COUNTS) as dev:
            listed = suppression.measure(dev, figures, folder, ENTRIES, RUNS, most_leads)
    print_figures()
    print_suppression()
    print_costs(held, "deliveries held")
    print_costs(delivering, "while delivering")
    print_costs(pinging, "a ping")
    for name, costs in ruled.items():
        print_costs(costs, f"{RULED_CONTRACTS} contracts {name}")
    for name, costs in listed.items():
        print_costs(costs, f"suppression, {name}")
    print_memory(used, "one campaign, after all runs")
    print_memory(many, f"{CAMPAIGNS:,} campaigns × {CONTRACTS_EACH} contracts, under load", 64)
    for fault in figures.faults:
        print(f"\nFAULT: {fault}")
    return 1 if figures.faults else 0


if __name__ == "__main__":
    sys.exit(main())
