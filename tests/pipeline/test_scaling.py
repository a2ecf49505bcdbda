"""Instances come and go while traffic flows, and nobody notices."""
import os
import signal
import urllib.error
import urllib.request

import leadline_testing as lt
import traffic


def start_instance(dev, stage, name):
    """One more process of a stage, as an operator would start it."""
    env = {**os.environ, "LEADLINE_NAME": name, "LEADLINE_RUN_DIR": os.path.join(dev.dir, "run"), "LEADLINE_ADMIN": "127.0.0.1:0",
           "LEADLINE_DSN": dev.dsn.replace("user=leadline", f"user=leadline-{stage}")}
    log = open(os.path.join(dev.dir, "log", name + ".log"), "wb")
    return lt.spawn([lt.program(f"leadline-{stage}")], signal.SIGTERM, stderr=log, env=env)


def metric(url, name):
    with urllib.request.urlopen(url + "/metrics", timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.split("{")[0].split(" ")[0] == name:
                return float(line.rsplit(" ", 1)[1])
    return 0.0


def admin(dev, name):
    return next((row["admin"] for row in dev.status()["stages"] if row["name"] == name), None)


def is_ready(dev, name):
    """Is the process of this name that runs now ready, as systemd would be told?"""
    pid = dev.pid(name)
    for row in dev.status()["stages"]:
        if row["name"] == name and row["pid"] == pid and row["alive"]:
            try:
                with urllib.request.urlopen(row["admin"] + "/readyz", timeout=5) as answer:
                    return answer.status == 200
            except urllib.error.URLError:
                return False
    return False


def test_a_new_instance_takes_its_share_within_five_seconds():
    campaigns = [lt.campaign(f"c{i}") for i in range(16)]
    with lt.Dev(lt.document(campaigns=campaigns)) as dev:
        leads = (lt.lead(flo_campaign_id=f"c{i % 16}") for i in iter(int, 1) for i in range(16))
        load = traffic.Traffic(dev.port, leads, connections=8)
        load.wait_answers(100)
        extra = {name: start_instance(dev, stage, name) for stage, name in (("validator", "validator-9"), ("router", "router-9"))}
        try:
            for name in extra:
                url = lt.eventually(lambda: admin(dev, name), 5)
                lt.eventually(lambda: metric(url, "leadline_frames_total") > 0, 5, message=f"{name} takes nothing")
        finally:
            for process in extra.values():
                assert lt.end(process) == 0
        load.stop()
        assert set(traffic.statuses(load.sent)) == {(201, "ACCEPTED")} and not [one for one in load.tries if one.error]


def test_term_of_any_stage_costs_no_request():
    with lt.Dev(lt.document(), gateways=2, validators=2, routers=2, dispatchers=2) as dev:
        load = traffic.Traffic(dev.port, traffic.endless(), connections=16, pause=0.01)
        load.wait_answers(100)
        for name in dev.names():
            dev.kill_and_wait(name, signal.SIGTERM, seconds=40)
            lt.eventually(lambda: is_ready(dev, name), 20)
            load.wait_answers(100)
        load.stop()
        broken = [one for one in load.tries if one.error]
        assert not broken, broken[:3]
        assert set(traffic.statuses(load.sent)) == {(201, "ACCEPTED")}


def test_a_frozen_router_holds_nobody_up():
    with lt.Dev(lt.document(buyers=[lt.buyer(caps=[{"window": "day", "leads": 1_000_000}])]), routers=2) as dev:
        load = traffic.Traffic(dev.port, traffic.endless(), connections=16, insist=True)
        load.wait_answers(100)
        for _ in range(3):
            for name in ("router-1", "router-2"):
                dev.kill(name, signal.SIGSTOP)
                load.wait_answers(300, seconds=20)
                dev.kill(name, signal.SIGCONT)
                load.wait_answers(100)
        load.stop()
        assert max(one.took for one in load.tries) < 7
        assert dev.query_one("SELECT total_leads FROM counter WHERE kind = 'buyer'") == dev.query_one("SELECT count(*) FROM sale")
        assert dev.query_one("SELECT count(*) - count(DISTINCT raw->>'phone') FROM lead") == 0
