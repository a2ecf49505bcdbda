"""leadctl dev: what it starts it keeps running, what it leaves it goes on with, what it cannot do it says."""
import contextlib
import json
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

from leadline_testing import (Client, Dev, connect, document, end, eventually, free_port, is_alive, program, query_one, spawn,
                              temp_folder)

STAGE_NAMES = ["gateway-1", "validator-1", "router-1", "dispatcher-1"]


@pytest.fixture(scope="module")
def dev():
    """One that the tests of this file share, as long as they leave it ready."""
    with Dev(configuration=document()) as running:
        yield running


def run_dev(*args, seconds=60):
    """Runs it to its end, which must come by itself."""
    return subprocess.run([program("leadctl"), "dev", *args], capture_output=True, text=True, timeout=seconds,
                          stdin=subprocess.DEVNULL)


def owner_of(pid):
    return os.stat(f"/proc/{pid}").st_uid


def database_works(dev):
    return query_one(dev.dsn, "SELECT 1") == 1


def started_for(folder):
    """The command lines of all processes that a leadctl dev started for this folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/environ", "rb") as environment, open(f"/proc/{pid}/cmdline", "rb") as line:
                if f"LEADLINE_DEV_DIR={folder}".encode() in environment.read().split(b"\0"):
                    found.append(line.read())
    return found


# What it gives --------------------------------------------------------------------------------------------------------

def test_ready_means_that_every_process_is_registered(dev):
    registered = dict(dev.query("SELECT name, pid FROM stage_instance"))
    assert {name: dev.pid(name) for name in STAGE_NAMES} == registered


def test_postgres_runs_unprivileged_and_listens_on_its_socket_only(dev):
    pid = dev.pid("postgres-1")
    assert owner_of(pid) != 0
    with open(os.path.join(dev.dir, "pg", "postmaster.pid")) as file:
        lines = file.read().splitlines()
    assert int(lines[0]) == pid
    assert lines[5] == ""  # the address that it listens on
    assert dev.query_one("SHOW listen_addresses") == ""


def test_strangers_reach_neither_socket_nor_dsn(dev):
    sockets = re.search(r"host=(\S+)", dev.dsn).group(1)
    assert stat.S_IMODE(os.stat(sockets).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(os.path.join(dev.dir, "run", "dsn")).st_mode) == 0o600


def test_nothing_unsafe_is_set(dev):
    settings = dict(dev.query("SELECT name, setting FROM pg_settings"))
    assert [settings[name] for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on", "on", "on"]
    assert settings["wal_compression"] == "lz4" and settings["jit"] == "off"
    assert int(settings["max_wal_size"]) == 8192 and settings["checkpoint_timeout"] == "900"


def test_there_are_20_connections_to_spare(dev):
    connections = [connect(dev.dsn) for _ in range(20)]
    assert len(connections) == 20
    for connection in connections:
        connection.close()


def test_logs_and_pids_are_where_they_should_be(dev):
    for name in STAGE_NAMES:
        assert os.path.exists(os.path.join(dev.dir, "log", f"{name}.log"))
        assert is_alive(dev.pid(name))
    assert os.path.exists(os.path.join(dev.dir, "log", "postgres.log"))


# What it keeps running ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", STAGE_NAMES)
def test_a_killed_stage_is_started_again(dev, name):
    new = dev.kill_and_wait(name, seconds=10)
    eventually(lambda: dev.query_one("SELECT pid FROM stage_instance WHERE name = %s", name) == new, 20,
               message=f"{name} is not registered again")


def test_a_stage_that_was_told_to_end_is_started_again(dev):
    dev.kill_and_wait("validator-1", signal.SIGTERM, seconds=20)


def test_a_log_that_cannot_be_written_keeps_nobody_from_running(dev):
    folder = os.path.join(dev.dir, "log")
    os.rename(folder, folder + ".away")
    try:
        for name in ("dispatcher-1", "postgres-1"):
            dev.kill_and_wait(name, seconds=10)
        eventually(lambda: database_works(dev), 30)
    finally:
        os.rename(folder + ".away", folder)
    assert "event=child.no_log" in dev.errors()


def test_killed_postgres_is_started_again(dev):
    connection = connect(dev.dsn)  # with a backend that lingers
    dev.kill_and_wait("postgres-1", seconds=10)
    eventually(lambda: database_works(dev), 30)
    connection.close()


def test_postgres_that_was_told_to_end_is_started_again(dev):
    connection = connect(dev.dsn)  # TERM alone would wait for it, and refuse everybody else
    dev.kill_and_wait("postgres-1", signal.SIGTERM, seconds=10)
    eventually(lambda: database_works(dev), 30)
    connection.close()


def test_a_killed_backend_stops_nothing(dev):
    postmaster = dev.pid("postgres-1")
    connection = connect(dev.dsn)
    os.kill(connection.get_backend_pid(), signal.SIGKILL)
    eventually(lambda: database_works(dev), 30)
    assert dev.pid("postgres-1") == postmaster
    connection.close()


def test_killed_again_and_again_it_still_comes_back_within_ten_seconds(dev):
    for _ in range(4):
        dev.kill_and_wait("router-1", seconds=10)


# Starting and stopping ------------------------------------------------------------------------------------------------

def test_term_leaves_the_data_and_a_new_start_goes_on():
    with Dev(configuration=document()) as dev:
        dev.query("CREATE TABLE kept AS SELECT 42 AS answer")
        pids = [dev.pid(name) for name in STAGE_NAMES + ["postgres-1"]]
        begin = time.monotonic()
        assert dev.stop() == 0
        assert time.monotonic() - begin < 20
        assert not any(is_alive(pid) for pid in pids)
        assert [name for name in os.listdir(os.path.join(dev.dir, "run")) if name.endswith(".pid")] == []
        with dev.start():
            assert dev.query_one("SELECT answer FROM kept") == 42
            assert dev.query_one("SELECT count(*) FROM campaign") == 1


def test_its_death_is_the_death_of_all_and_the_next_takes_over():
    with Dev(configuration=document()) as dev:
        pids = [dev.pid(name) for name in STAGE_NAMES + ["postgres-1"]]
        dev.query("CREATE TABLE kept AS SELECT 42 AS answer")
        os.kill(pids[1], signal.SIGSTOP)  # this one does not hear that it should end
        dev.kill_all()
        with dev.start():
            assert dev.query_one("SELECT answer FROM kept") == 42
            assert not any(is_alive(pid) for pid in pids)


def test_death_alone_ends_all():
    dev = Dev(configuration=document()).start()
    pids = [dev.pid(name) for name in STAGE_NAMES + ["postgres-1"]]
    dev.kill_all()
    eventually(lambda: not any(is_alive(pid) for pid in pids), 20, message="processes outlive leadctl dev")


def test_interrupt_while_starting_ends_it():
    folder = os.path.join(temp_folder(), "dev")
    process = spawn([program("leadctl"), "dev", "--dir", folder, "--port", "0", "--no-demo"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: os.path.exists(os.path.join(folder, "pg.new")), 20)
    eventually(lambda: any(b"--boot" in line for line in started_for(folder)), 20, every=0.01)  # a child of initdb's
    assert end(process, signal.SIGINT, 30) == 0
    eventually(lambda: not started_for(folder), 1, message=lambda: started_for(folder))
    with Dev(configuration=document(), dir=folder) as dev:  # what was half made is no obstacle
        assert database_works(dev)


def test_a_second_interrupt_does_not_wait():
    dev = Dev(configuration=document()).start()
    pids = [dev.pid(name) for name in STAGE_NAMES]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    begin = time.monotonic()
    dev.process.send_signal(signal.SIGINT)
    time.sleep(1.5)  # sooner it is the same asking
    dev.process.send_signal(signal.SIGINT)
    dev.process.wait(20)
    assert time.monotonic() - begin < 6
    assert not any(is_alive(pid) for pid in pids)


def test_several_instances_share_the_socket():
    with Dev(configuration=document(), gateways=2, routers=2) as dev:
        assert dev.query_one("SELECT count(*) FROM stage_instance WHERE stage = 'gateway'") == 2
        with open("/proc/net/tcp") as table:
            listening = [line for line in table if line.split()[1].endswith(f":{dev.port:04X}") and line.split()[3] == "0A"]
        assert len(listening) == 1


# Where it can live ----------------------------------------------------------------------------------------------------

def test_a_long_path_gets_a_short_folder_for_sockets():
    folder = os.path.join(temp_folder(), *["a-folder-with-a-long-name"] * 5)
    with Dev(configuration=document(), dir=folder) as dev:
        sockets = re.search(r"host=(\S+)", dev.dsn).group(1)
        assert not sockets.startswith(folder) and database_works(dev)
        assert stat.S_IMODE(os.stat(sockets).st_mode) == 0o700
        assert dev.query_one("SELECT bool_and(length(endpoint) <= 107 + 6) FROM stage_instance")
        dev.stop()
        assert not os.path.exists(os.path.dirname(sockets))


def test_a_path_with_odd_characters():
    with Dev(configuration=document(), dir=os.path.join(temp_folder(), "Größe, 'dev'=1 x")) as dev:
        assert database_works(dev)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as somebody else")
def test_below_a_folder_that_postgres_may_not_enter():
    closed = temp_folder()
    os.chmod(closed, 0o700)
    with Dev(configuration=document(), dir=os.path.join(closed, "checkout", "dev")) as dev:
        assert owner_of(dev.pid("postgres-1")) != 0
        dev.kill_and_wait("postgres-1")
        eventually(lambda: database_works(dev), 30)
        assert stat.S_IMODE(os.stat(closed).st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_as_somebody_who_is_not_root():
    nobody = pwd.getpwnam("nobody")
    folder = temp_folder()
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    programs = temp_folder()  # where everybody can read them, wherever the build is
    for name in ["leadctl", "leadline-buyer", *(f"leadline-{stage}" for stage in ("gateway", "validator", "router", "dispatcher"))]:
        subprocess.run(["cp", "-L", program(name), programs], check=True)
    os.chmod(programs, 0o755)
    output = os.path.join(folder, "output")
    with open(output, "wb") as file:
        process = subprocess.Popen([os.path.join(programs, "leadctl"), "dev", "--dir", os.path.join(folder, "dev"), "--port", "0"],
                                   stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, cwd="/",
                                   user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[],
                                   env={name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"})
    try:
        eventually(lambda: "ready http://" in open(output).read(), 90, message=lambda: open(output).read())
    finally:
        assert end(process, signal.SIGTERM, 40) == 0


# What it cannot do ----------------------------------------------------------------------------------------------------

def test_a_port_in_use_is_told():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run_dev("--dir", os.path.join(temp_folder(), "dev"), "--port", str(port), "--no-demo")
    assert done.returncode == 1 and f"port {port} is in use" in done.stderr and done.stdout == ""


def test_a_folder_in_use_is_told(dev):
    done = run_dev("--dir", dev.dir, "--port", "0")
    assert done.returncode == 1 and f"in use by another leadctl dev (process {dev.process.pid})" in done.stderr
    assert database_works(dev)


@pytest.mark.parametrize("args, said", [
    (["--port", "70000"], "--port is a number from 0 to 65535"),
    (["--routers", "0"], "--routers is a number from 1 to 64"),
    (["--routers", "x"], "--routers is a number from 1 to 64"),
    (["--what"], "unknown option --what"),
    (["--port"], "--port needs a value"),
    (["now"], "unknown argument now"),
    (["--config", "/nonexistent"], "cannot read /nonexistent"),
])
def test_wrong_usage_is_told(args, said):
    done = run_dev("--dir", os.path.join(temp_folder(), "dev"), *args)
    assert done.returncode == 2 and said in done.stderr


def test_a_wrong_document_is_told_and_everything_ends():
    folder = temp_folder()
    path = os.path.join(folder, "wrong.json")
    with open(path, "w") as file:
        json.dump({**document(), "no_such_key": 1}, file)
    done = run_dev("--dir", os.path.join(folder, "dev"), "--port", "0", "--config", path)
    assert done.returncode == 1 and "/no_such_key" in done.stderr and "ready" not in done.stdout
    assert not os.path.exists(os.path.join(folder, "dev", "run", "postgres-1.pid"))


def test_data_that_postgres_cannot_use_is_told_soon_and_left_alone():
    folder = os.path.join(temp_folder(), "dev")
    os.makedirs(os.path.join(folder, "pg"))
    with open(os.path.join(folder, "pg", "mine"), "w") as file:
        file.write("not PostgreSQL's")
    done = run_dev("--dir", folder, "--port", "0", "--no-demo")
    assert done.returncode == 1 and "PostgreSQL does not start: see" in done.stderr
    assert os.path.exists(os.path.join(folder, "pg", "mine"))


def test_an_empty_folder_for_the_data_is_as_good_as_none():
    folder = os.path.join(temp_folder(), "dev")
    os.makedirs(os.path.join(folder, "pg"))
    with Dev(configuration=document(), dir=folder) as dev:
        assert database_works(dev)


# The demonstration ----------------------------------------------------------------------------------------------------

def printed_command(dev):
    return eventually(lambda: re.search(r"^curl .*$", dev.output(), re.M), 5).group(0)


def test_the_printed_command_sells_and_the_demo_buyer_shows_it():
    dev = Dev(demo=True)
    with dev.start():
        done = subprocess.run(["bash", "-c", printed_command(dev)], capture_output=True, text=True, timeout=20)
        assert " 201 " in done.stdout.splitlines()[0]
        sold = json.loads(done.stdout.splitlines()[-1])["data"]
        assert (sold["status"], sold["buyer_id"]) == ("ACCEPTED", "buyer_abc")
        line = f"demo buyer: lead {sold['id']} for buyer_abc at 25.00, signature ok"
        eventually(lambda: line in dev.output(), 5, message=dev.output)
        again = subprocess.run(["bash", "-c", printed_command(dev)], capture_output=True, text=True, timeout=20)
        assert " 409 " in again.stdout.splitlines()[0]
    with dev.start():  # the printed command sells at the next start, too
        done = subprocess.run(["bash", "-c", printed_command(dev)], capture_output=True, text=True, timeout=20)
        assert " 201 " in done.stdout.splitlines()[0]


def test_the_demo_does_not_replace_an_own_configuration():
    dev = Dev(demo=True)
    with dev.start():
        dev.apply(document(time_zone="Europe/Berlin"))
    with dev.start():
        assert dev.query_one("SELECT time_zone FROM installation") == "Europe/Berlin"
        assert "curl" not in dev.output()


def test_the_demo_follows_its_buyer_to_another_port():
    dev = Dev(demo=True)
    with dev.start():
        with open(os.path.join(dev.dir, "demo.state")) as file:
            old = int(file.read().split()[0])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", old))
        other.listen()
        with dev.start():
            urls = dev.query_one("SELECT string_agg(doc #>> '{delivery,url}', ' ') FROM buyer")
            assert "127.0.0.1" in urls and f":{old}/" not in urls
            status = Client(dev.port).ingest({"flo_campaign_id": "campaign_abc123", "flo_supplier_id": "supplier_xyz789",
                                              "first_name": "A", "last_name": "B", "phone": "5552345678",
                                              "email": "a@example.com", "state": "TX"}).status
            assert status == 201
            eventually(lambda: "signature ok" in dev.output(), 10, message=dev.output)
