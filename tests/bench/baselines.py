"""baselines - what PostgreSQL and h2o do by themselves, on the same machine in the same minutes."""
import os
import re
import time

import leadline_testing as testing
import load

CLIENTS = 16
BATCH = 256


class Database:
    """One of its own on the pipeline's server, with the pipeline's schema and configuration."""

    def __init__(self, dev, name):
        self.dev = dev
        self.name = name
        testing.query(dev.dsn, f"CREATE DATABASE {name}")
        self.dsn = re.sub(r"dbname=\S+", f"dbname={name}", dev.dsn)
        testing.leadctl("migrate", "--dsn", self.dsn)
        testing.apply(load.configuration(None), "--dsn", self.dsn)

    def counters(self):
        return {f"{kind}_{owner}": id for kind, owner, id in testing.query(self.dsn, "SELECT kind, owner_id, id FROM counter")}


def one_by_one(database, seconds):
    """B1: pgbench, a transaction a lead. Leads a second."""
    counters = database.counters()
    where = dict(part.split("=") for part in database.dsn.split())
    told = {"base_ms": int(time.time() * 1000), "source": counters["source_supplier_xyz789"]}
    for i in range(5):
        told[f"contract_{i}"], told[f"buyer_{i}"] = counters[f"contract_contract_{i}"], counters[f"buyer_buyer_{i}"]
    programs = os.environ.get("LEADLINE_PG_BIN") or "/usr/lib/postgresql/15/bin"
    output = load.run(os.path.join(programs, "pgbench"), "-n", "-M", "prepared", "-c", CLIENTS, "-j", 2, "-T", seconds,
                      "-f", os.path.join(load.HERE, "one_by_one.sql"), "-h", where["host"], "-U", where["user"],
                      *(f"-D{name}={value}" for name, value in told.items()), database.name)
    if "number of failed transactions: 0 " not in output:
        raise RuntimeError(f"pgbench: {output}")
    return float(re.search(r"tps = ([0-9.]+)", output).group(1))


def batches(database, seconds):
    """B2: the same rows in batches over one connection. Leads a second."""
    return float(load.run(load.bench_program("batches"), database.dsn, seconds, BATCH))


def constant(seconds):
    """B3: an h2o program that answers a constant. Requests a second."""
    with load.Sink("--constant") as sink:
        _, rate, wrong = load.wrk(sink.url, seconds)
    if wrong:
        raise RuntimeError(f"the constant was answered wrongly {wrong} times")
    return rate
