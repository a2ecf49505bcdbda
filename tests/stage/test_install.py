"""`make install` puts everything in its place, and systemd has nothing to say about the units."""

import os
import pathlib
import re
import shutil
import stat
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAEMONS = ("gateway", "validator", "router", "dispatcher")
UNITS = ["leadline.target", "leadline-gateway.socket"] + [f"leadline-{daemon}@{n}.service" for daemon in DAEMONS for n in (1, 2)]


def make_install(root, *args):
    if "LEADLINE_TEST_BIN" in os.environ:
        args += (f"BUILD={pathlib.Path(os.environ['LEADLINE_TEST_BIN']).parent}",)
    done = subprocess.run(["make", "--no-print-directory", "install", f"DESTDIR={root}", *args], cwd=ROOT, capture_output=True,
                          text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root folder with Leadline installed, and beside it what any system has that runs systemd."""
    root = tmp_path_factory.mktemp("root")
    make_install(root)
    system = pathlib.Path("/usr/lib/systemd/system")
    assert (system / "sysinit.target").exists(), "the package systemd is needed (make deps)"
    for unit in system.iterdir():
        place = root / "usr/lib/systemd/system" / unit.name
        if unit.is_file() and not place.exists():
            shutil.copy(unit, place)
    (root / "bin").mkdir()
    shutil.copy(shutil.which("kill"), root / "bin/kill")
    return root


def analyze(root, *units):
    """What systemd has to say. It ends with 0 also when it ignores a line, so silence is what counts."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"--root={root}", *units], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def parse(path):
    """The unit's settings: {section: {key: [values]}}."""
    sections, section = {}, None
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, value = line.split("=", 1)
            section.setdefault(key, []).append(value)
    return sections


def service(root, daemon):
    return parse(root / f"usr/lib/systemd/system/leadline-{daemon}@.service")


def test_files_are_in_their_places(root):
    for program in [f"leadline-{daemon}" for daemon in DAEMONS] + ["leadctl"]:
        path = root / "usr/bin" / program
        assert path.is_file() and stat.S_IMODE(path.stat().st_mode) == 0o755
    assert (root / "usr/lib/sysusers.d/leadline.conf").is_file()
    for env in ["leadline", "leadline-gateway", "leadline-router", "leadline-dispatcher"]:
        assert stat.S_IMODE((root / f"etc/leadline/{env}.env").stat().st_mode) == 0o640


def test_systemd_has_nothing_to_say(root):
    assert analyze(root, *UNITS) == (0, "")


@pytest.mark.parametrize(
    "find, put",
    [("WatchdogSec=30", "WachtdogSec=30"), ("ProtectClock=yes", "ProtectClock=perhaps"),
     ("ExecStart=/usr/bin/leadline-router", "ExecStart=/usr/bin/leadline-rooter")],
)
def test_a_wrong_unit_would_be_noticed(root, find, put):
    unit = root / "usr/lib/systemd/system/leadline-router@.service"
    text = unit.read_text()
    assert text.count(find) == 1
    try:
        unit.write_text(text.replace(find, put))
        assert analyze(root, "leadline-router@1.service")[1] != ""
    finally:
        unit.write_text(text)


def test_units_are_hardened(root):
    for daemon in DAEMONS:
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=yes", "--threshold=20", f"--root={root}", f"leadline-{daemon}@1.service"],
            capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr  # an exposure of at most 2.0 of 10


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemon_is_told_what_is_its_own(root, daemon):
    settings = service(root, daemon)["Service"]
    assert settings["User"] == [f"leadline-{daemon}"] and settings["Group"] == ["leadline"]
    assert settings["ExecStart"] == [f"/usr/bin/leadline-{daemon}"]
    assert settings["Environment"][0] == f"LEADLINE_NAME={daemon}-%i LEADLINE_RUN_DIR=%t/leadline/{daemon}"
    assert settings["RuntimeDirectory"] == [f"leadline/{daemon}"] and settings["RuntimeDirectoryPreserve"] == ["yes"]
    # a neighbour of the same group reaches a socket: the group may search the folder and, by the umask, write to the socket
    assert int(settings["RuntimeDirectoryMode"][0], 8) & 0o010
    assert not int(settings["UMask"][0], 8) & 0o020 and int(settings["UMask"][0], 8) & 0o007 == 0o007
    assert settings["Type"] == ["notify"] and settings["Restart"] == ["always"]
    assert int(settings["TimeoutStopSec"][0]) > 25  # that long a stage may take to finish what it has


def test_stages_are_alike(root):
    """What may differ between the four services is listed here; everything else is the same."""
    may_differ = {"Description", "After", "User", "Sockets", "Environment", "ExecStart", "RuntimeDirectory", "LimitNOFILE",
                  "MemoryDenyWriteExecute", "RestrictAddressFamilies"}
    same = [{section: {k: v for k, v in keys.items() if k not in may_differ} for section, keys in service(root, d).items()} for d in DAEMONS]
    assert same[0] == same[1] == same[2] == same[3]


def test_gateways_share_the_socket(root):
    socket = parse(root / "usr/lib/systemd/system/leadline-gateway.socket")
    assert socket["Socket"]["Service"] == ["leadline-gateway@1.service"]
    settings = service(root, "gateway")["Service"]
    assert settings["Sockets"] == ["leadline-gateway.socket"]
    assert "LEADLINE_RATE_FILE=%t/leadline/gateway/rates" in settings["Environment"]  # one for all of them


def test_users_and_group_can_be_made(root):
    (root / "etc").mkdir(exist_ok=True)
    done = subprocess.run(["systemd-sysusers", f"--root={root}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    users = {line.split(":")[0]: line.split(":") for line in (root / "etc/passwd").read_text().splitlines()}
    groups = {line.split(":")[0]: line.split(":")[2] for line in (root / "etc/group").read_text().splitlines()}
    uids = {users[name][2] for name in ["leadline"] + [f"leadline-{daemon}" for daemon in DAEMONS]}
    assert len(uids) == 5 and "0" not in uids
    for daemon in DAEMONS:
        assert users[f"leadline-{daemon}"][3] == groups["leadline"] and users[f"leadline-{daemon}"][6].endswith("nologin")


def settings_in(path):
    """The settings that an environment file names, set or as a comment: {name: value}."""
    text = path.read_text() if path.exists() else ""
    return dict(re.findall(r"^#?(LEADLINE_[A-Z0-9_]+)=(.*)$", text, re.M))


def parameters(root, daemon):
    """What the daemon's --help lists: {variable: default}."""
    done = subprocess.run([root / f"usr/bin/leadline-{daemon}", "--help"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"\((LEADLINE_[A-Z0-9_]+)\)\n(?: +[^\n]*?default: (\S+))?", done.stdout)
    return {name: default for name, default in rows if name != "LEADLINE_CONFIG"}


@pytest.mark.parametrize("daemon", DAEMONS)
def test_environment_files_name_all_parameters(root, daemon):
    """leadline.env has what all daemons are told, the stage's own file the rest; with the right defaults."""
    common = settings_in(root / "etc/leadline/leadline.env")
    own = settings_in(root / f"etc/leadline/leadline-{daemon}.env")
    known = parameters(root, daemon)
    assert "LEADLINE_DSN" in common and len(known) >= len(common)
    assert not common.keys() & own.keys()
    assert {**common, **own}.keys() == known.keys()
    for name, default in known.items():
        if default and name != "LEADLINE_RUN_DIR":
            assert {**common, **own}[name] == default, name


def test_a_changed_env_file_stays(root):
    env = root / "etc/leadline/leadline.env"
    text = env.read_text()
    try:
        env.write_text("LEADLINE_DSN=host=db.example\n")
        make_install(root)
        assert env.read_text() == "LEADLINE_DSN=host=db.example\n"
    finally:
        env.write_text(text)


def test_another_prefix_is_another_place(tmp_path):
    make_install(tmp_path, "PREFIX=/opt/leadline")
    for daemon in DAEMONS:
        text = (tmp_path / f"opt/leadline/lib/systemd/system/leadline-{daemon}@.service").read_text()
        assert f"ExecStart=/opt/leadline/bin/leadline-{daemon}\n" in text
        assert os.access(tmp_path / f"opt/leadline/bin/leadline-{daemon}", os.X_OK)
