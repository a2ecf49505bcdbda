"""PostgreSQL is away: 503 at once, and everything goes on by itself when it is back."""
import contextlib
import os
import signal
import time

import leadline_testing as lt
import traffic


def test_answers_503_at_once_and_comes_back(tmp_path):
    with lt.Buyer() as buyer, lt.Dev(lt.document(buyer.url), routers=2) as dev:
        pids = {name: dev.pid(name) for name in dev.names() if name != "postgres-1"}
        client = lt.Client(dev.port)
        assert client.ingest(lt.lead()).status == 201
        for name in pids:
            dev.kill(name, signal.SIGHUP)  # what was read anew must not be needed to connect again
        lt.eventually(lambda: all("event=params.read" in dev.log(name) for name in pids if name.split("-")[0] != "buyer"))
        postmaster = dev.pid("postgres-1")
        socket_folder = next(part.split("=")[1] for part in dev.dsn.split() if part.startswith("host="))
        os.rename(socket_folder, socket_folder + ".away")  # nobody can connect, and nobody can be started anew there
        try:
            os.kill(postmaster, signal.SIGKILL)
            lt.eventually(lambda: client.ingest(lt.lead()).status == 503, 10)
            for _ in range(20):
                began = time.monotonic()
                answer = client.ingest(lt.lead())
                assert answer.status == 503 and answer.error in ("unavailable", "timeout") and answer.headers["retry-after"]
                assert time.monotonic() - began < 1, "known to be away, and still asked for"
            began = time.monotonic()
            assert client.get("/api/v1/leads/lookup?phone=5551234567").status == 503
            assert time.monotonic() - began < 1
        finally:
            os.rename(socket_folder + ".away", socket_folder)
        load = traffic.Traffic(dev.port, (lt.lead() for _ in range(100)), connections=4, insist=True)
        load.wait(60)
        assert set(traffic.statuses(load.sent)) == {(201, "ACCEPTED")}
        lt.eventually(lambda: dev.query_one("SELECT count(*) FROM delivery WHERE state = 'OPEN'") == 0, 60)
        assert {name: dev.pid(name) for name in pids} == pids, "a stage needed a restart"
        client.close()


def test_apply_under_load_holds_for_whoever_is_sold_after_it(tmp_path):
    """When apply has returned, nobody sells by the old document any more; and no request fails because of it."""
    with lt.Dev(lt.document(), routers=3, validators=2) as dev:
        load = traffic.Traffic(dev.port, traffic.endless(), connections=16)
        load.wait_answers(200)
        for _ in range(3):
            dev.apply(lt.document(buyers=[{**lt.buyer(), "status": "PAUSED"}]))
            at = dev.query_one("SELECT clock_timestamp()")
            load.wait_answers(200)
            assert dev.query_one("SELECT count(*) FROM sale WHERE sold_at > %s", at) == 0
            dev.apply(lt.document())
            load.wait_answers(200)
        load.stop()
        assert set(traffic.statuses(load.sent)) <= {(201, "ACCEPTED"), (200, "UNMATCHED")}, traffic.statuses(load.sent)


def test_what_is_applied_holds_everywhere_at_once():
    """Not only for who sells: also a gateway knows a new key, and no removed one, when the command has returned."""
    with lt.Dev(lt.document(), gateways=2, validators=2) as dev:
        def status_with(key, supplier_id="supplier_xyz789"):
            with contextlib.closing(lt.Client(dev.port, key=key)) as client:
                return client.ingest(lt.lead(flo_supplier_id=supplier_id)).status

        listed_nowhere = {name: value for name, value in lt.supplier("s2").items() if name != "api_keys"}
        both = [lt.source(), lt.source("s2")]
        for n in range(8):
            dev.apply(lt.document(suppliers=[lt.supplier(key=f"key-{n}"), listed_nowhere], campaigns=[lt.campaign(sources=both)]))
            assert status_with(f"key-{n}") == 201 and status_with(f"key-{n - 1}") == 401
            assert status_with(dev.leadctl("key", "new", "s2").stdout.strip(), "s2") == 201
        assert {stage["catalog_version"] for stage in dev.status()["stages"]} == {dev.status()["catalog_version"]}


def test_a_configuration_that_cannot_be_read_for_a_moment_is_read_later():
    """A lock, a migration under way: the connection that could not read it goes on, and nobody has to be started again."""
    with lt.Dev(lt.document()) as dev:
        client = lt.Client(dev.port)
        assert client.ingest(lt.lead()).status == 201
        dev.query("ALTER TABLE supplier RENAME TO supplier_elsewhere")
        version = dev.query_one("UPDATE installation SET catalog_version = catalog_version + 1 RETURNING catalog_version")
        lt.eventually(lambda: all("event=catalog.unreadable" in dev.log(name) for name in dev.names()), 10)
        dev.query("ALTER TABLE supplier_elsewhere RENAME TO supplier")
        lt.eventually(lambda: all("event=catalog.read" in dev.log(name).split("event=catalog.unreadable")[-1] for name in dev.names()), 10,
                      message=lambda: "\n".join(dev.log(name)[-400:] for name in dev.names()))
        lt.eventually(lambda: client.ingest(lt.lead()).status == 201, 10)
        lt.eventually(lambda: all(stage["alive"] and stage["beat_age_s"] < 6 for stage in dev.status()["stages"]), 10)
        assert dev.status()["catalog_version"] == version
