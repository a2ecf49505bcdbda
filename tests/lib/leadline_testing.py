"""
leadline_testing - what the tests in Python stand on.

    Postgres    a private server for a session; fresh_database() is a copy of a migrated template
    Dev         `leadctl dev` in a temporary folder: all stages, ready to take leads
    Buyer       a buyer's endpoint in this process, which records and answers as it is told
    Client      suppliers' requests over kept-alive connections
    document()  a small right configuration, to be changed as a test needs it
    lead()      a lead that nobody sent before
    eventually  waits for a condition, with a deadline

Everything started here is ended by its process id, also when the test process dies.
"""
import atexit
import base64
import collections
import contextlib
import copy
import ctypes
import functools
import hashlib
import hmac
import http.client
import http.server
import itertools
import json
import os
import pwd
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import psycopg2
import psycopg2.extensions

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("LEADLINE_TEST_BIN") or os.path.join(ROOT, "build", "bin")
STAGES = ("gateway", "validator", "router", "dispatcher")
API_KEY = "your_supplier_api_key"
FAULT = re.compile(r"level=error event=bug .*|==\d+==ERROR: (Address|Leak)Sanitizer|^.*runtime error: ", re.M)
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, ok").decode()


# Waiting ------------------------------------------------------------------------------------------------------------

def eventually(condition, seconds=10.0, every=0.05, message=None):
    """Calls condition until it gives something true, and returns that. What it raises counts as not yet."""
    end = time.monotonic() + seconds
    while True:
        failure = None
        try:
            result = condition()
            if result:
                return result
        except (AssertionError, LookupError, OSError, psycopg2.Error, http.client.HTTPException) as error:
            failure = error
        if time.monotonic() >= end:
            text = message() if callable(message) else message
            raise AssertionError(f"not within {seconds} s: {text or getattr(condition, '__name__', 'the condition')}"
                                 + (f" ({failure!r})" if failure else "")) from failure
        time.sleep(every)


def free_port():
    """A port of 127.0.0.1 that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Processes ----------------------------------------------------------------------------------------------------------

def program(name):
    """The path of one of our programs."""
    path = os.path.join(BIN, name)
    assert os.access(path, os.X_OK), f"{path} is not there: run make"
    return path


def _die_with_parent(death_signal):
    ctypes.CDLL(None).prctl(1, int(death_signal), 0, 0, 0)  # PR_SET_PDEATHSIG


def spawn(args, death_signal=signal.SIGTERM, **options):
    """A process that ends when this one does."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(args, preexec_fn=functools.partial(_die_with_parent, death_signal), **options)


def end(process, number=signal.SIGTERM, seconds=20):
    """Sends the signal, later KILL. Returns the exit status."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


_folders = []


def temp_folder(prefix="leadline-test-", base=None):
    """A new folder, removed at the end of the session; PostgreSQL's user may pass through."""
    path = tempfile.mkdtemp(prefix=prefix, dir=base)
    os.chmod(path, 0o711)
    _folders.append(path)
    return path


@atexit.register
def _remove_folders():
    for path in _folders:
        shutil.rmtree(path, ignore_errors=True)


# The database -------------------------------------------------------------------------------------------------------

def connect(dsn, **options):
    """A connection in autocommit mode; ids come as text."""
    connection = psycopg2.connect(dsn, connect_timeout=10, **options)
    connection.autocommit = True
    return connection


def query(dsn_or_connection, sql, *params):
    """The rows of one statement, as a list of tuples."""
    if isinstance(dsn_or_connection, psycopg2.extensions.connection):
        with dsn_or_connection.cursor() as cursor:
            cursor.execute(sql, params or None)
            return cursor.fetchall() if cursor.description else []
    connection = connect(dsn_or_connection)
    try:
        return query(connection, sql, *params)
    finally:
        connection.close()


def query_one(dsn_or_connection, sql, *params):
    """The first value of the first row."""
    return query(dsn_or_connection, sql, *params)[0][0]


class Database:
    """One database of a Postgres."""

    def __init__(self, server, name):
        self.server = server
        self.name = name

    def dsn(self, role="leadline"):
        """As the owner, or as "leadline-router" and so on."""
        return f"host={self.server.socket_dir} port={self.server.port} user={role} dbname={self.name}"

    def connect(self, role="leadline"):
        return connect(self.dsn(role))

    def query(self, sql, *params):
        return query(self.dsn(), sql, *params)

    def query_one(self, sql, *params):
        return query_one(self.dsn(), sql, *params)

    def apply(self, configuration):
        """leadctl apply; the document is a dict."""
        apply(configuration, "--dsn", self.dsn())

    def drop(self):
        with contextlib.suppress(psycopg2.Error):
            query(self.server.dsn("postgres"), f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')


class Postgres:
    """A private server: unix socket only, an unprivileged user, a folder of its own."""

    def __init__(self, settings=()):
        self.folder = temp_folder("leadline-pg-")
        self.data = os.path.join(self.folder, "data")
        self.socket_dir = os.path.join(self.folder, "s")
        self.log_path = os.path.join(self.folder, "log")
        self.port = 5432
        self.process = None
        self.settings = dict(settings)
        self.numbers = itertools.count(1)
        self.programs = os.environ.get("LEADLINE_PG_BIN") or "/usr/lib/postgresql/15/bin"
        self.identity = {}
        if os.geteuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            self.identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        for path in (self.data, self.socket_dir):
            os.mkdir(path, 0o700)
            if self.identity:
                os.chown(path, self.identity["user"], self.identity["group"])

    def start(self):
        """Makes data and template when there are none, and waits until connections are taken."""
        is_new = not os.path.exists(os.path.join(self.data, "PG_VERSION"))
        with open(self.log_path, "ab") as log:
            if is_new:
                subprocess.run([f"{self.programs}/initdb", "-D", self.data, "-U", "leadline", "-A", "trust", "-E", "UTF8",
                                "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
                               check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **self.identity)
            settings = {"listen_addresses": "", "unix_socket_directories": self.socket_dir, "shared_buffers": "64MB",
                        "max_connections": "100", "timezone": "UTC", "jit": "off", "max_wal_size": "512MB",
                        "log_error_verbosity": "terse", **self.settings}
            args = [f"{self.programs}/postgres", "-D", self.data]
            for name, value in settings.items():
                args += ["-c", f"{name}={value}"]
            self.process = spawn(args, signal.SIGINT, stdout=log, stderr=log, cwd="/", **self.identity)
        eventually(lambda: query_one(self.dsn("postgres"), "SELECT 1"), 60, message=self.log)
        if is_new:
            query(self.dsn("postgres"), "CREATE DATABASE template_leadline")
            leadctl("migrate", "--dsn", self.dsn("template_leadline"))
        return self

    def dsn(self, name, role="leadline"):
        return f"host={self.socket_dir} port={self.port} user={role} dbname={name}"

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()[-4000:]

    def fresh_database(self):
        """A copy of the migrated template."""
        name = f"test_{next(self.numbers)}"
        query(self.dsn("postgres"), f'CREATE DATABASE "{name}" TEMPLATE template_leadline')
        return Database(self, name)

    def stop(self, number=signal.SIGINT):
        """Fast; the data stays and start() goes on with it."""
        if self.process is not None:
            end(self.process, number)
            self.process = None

    def kill(self):
        """As when the machine's operator errs: kill -9 of the postmaster."""
        end(self.process, signal.SIGKILL)
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


# leadctl ------------------------------------------------------------------------------------------------------------

def leadctl(*args, check=True, timeout=120, **options):
    """Runs it and returns the finished process, with stdout and stderr as text."""
    done = subprocess.run([program("leadctl"), *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          stdin=options.pop("stdin", subprocess.DEVNULL), **options)
    if check and done.returncode != 0:
        raise AssertionError(f"leadctl {' '.join(map(str, args))} ended with {done.returncode}: {done.stderr}{done.stdout}")
    return done


def apply(configuration, *where, check=True):
    """leadctl apply of a dict."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(configuration, file)
        file.flush()
        return leadctl("apply", file.name, *where, check=check)


class Dev:
    """`leadctl dev` on a free port, in a folder of its own unless told. Use as a context manager."""

    def __init__(self, configuration=None, dir=None, port=0, gateways=1, validators=1, routers=1, dispatchers=1, demo=False,
                 env=None):
        self.dir = dir or os.path.join(temp_folder(), "dev")
        self.configuration = configuration
        self.asked_port = port
        self.port = port
        self.counts = {"gateway": gateways, "validator": validators, "router": routers, "dispatcher": dispatchers}
        self.demo = demo
        self.env = {**os.environ, **(env or {})}
        self.process = None

    # Up and down

    def start(self, wait=True):
        os.makedirs(self.dir, exist_ok=True)
        args = [program("leadctl"), "dev", "--dir", self.dir, "--port", str(self.asked_port)]
        for stage, count in self.counts.items():
            args += [f"--{stage}s", str(count)]
        if self.configuration is not None:
            path = os.path.join(self.dir, "configuration.json")
            with open(path, "w") as file:
                json.dump(self.configuration, file)
            args += ["--config", path]
        elif not self.demo:
            args += ["--no-demo"]
        self.output_path = os.path.join(self.dir, "output.txt")
        self.error_path = os.path.join(self.dir, "errors.txt")
        with open(self.output_path, "wb") as output, open(self.error_path, "ab") as errors:
            self.process = spawn(args, signal.SIGTERM, stdout=output, stderr=errors, env=self.env)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=120):
        def is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"leadctl dev ended with {self.process.returncode}:\n{self.trouble()}")
            return [line for line in self.output().splitlines() if line.startswith("ready ")]
        line = eventually(is_ready, seconds, message=lambda: "leadctl dev is not ready:\n" + self.trouble())[0]
        self.port = int(line.rsplit(":", 1)[1])

    def stop(self, seconds=40):
        """TERM. Returns the exit status. Fails when a process has found a fault of its own."""
        status = end(self.process, signal.SIGTERM, seconds) if self.process is not None else None
        self.process = None
        assert not self.faults(), "\n".join(self.faults())
        return status

    def kill_all(self):
        """kill -9 of leadctl dev itself."""
        end(self.process, signal.SIGKILL)
        self.process = None

    def __enter__(self):
        return self if self.process is not None else self.start()

    def __exit__(self, kind, exception, trace):
        try:
            self.stop()
        except AssertionError:
            if exception is None:
                raise

    # What it says

    def output(self):
        with open(self.output_path, errors="replace") as file:
            return file.read()

    def errors(self):
        with open(self.error_path, errors="replace") as file:
            return file.read()

    def log(self, name):
        """The log of "router-1", or of "postgres"."""
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.dir, "log", f"{name}.log"), errors="replace") as file:
            return file.read()
        return ""

    def faults(self):
        """What must() or a sanitizer has found in any of its processes so far."""
        logs = {"leadctl dev": self.errors() if os.path.exists(self.error_path) else ""}
        logs.update({name: self.log(name) for name in self.names()})
        return [f"{name}: {text[at.start():][:3000]}" for name, text in logs.items() for at in [FAULT.search(text)] if at]

    def trouble(self):
        """The ends of all that was written, for a failed test."""
        parts = [self.errors()[-3000:]]
        folder = os.path.join(self.dir, "log")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            parts.append(f"--- {name}\n" + self.log(name[:-4])[-1500:])
        return "\n".join(parts)

    # Its processes

    def pid(self, name):
        """Of "router-1", "postgres-1", "buyer-1"; None while there is none."""
        with contextlib.suppress(FileNotFoundError, ValueError), open(os.path.join(self.dir, "run", f"{name}.pid")) as file:
            return int(file.read())
        return None

    def names(self):
        return [f"{stage}-{n}" for stage, count in self.counts.items() for n in range(1, count + 1)]

    def kill(self, name, number=signal.SIGKILL):
        """Sends the signal to one process. Returns its id."""
        pid = eventually(lambda: self.pid(name), message=f"no process {name}")
        os.kill(pid, number)
        return pid

    def kill_and_wait(self, name, number=signal.SIGKILL, seconds=12):
        """Ends a process and waits for the next of that name. Returns its id."""
        old = self.kill(name, number)
        return eventually(lambda: (new := self.pid(name)) not in (None, old) and is_alive(new) and new, seconds,
                          message=f"{name} did not come back")

    # Its database and its tools

    @property
    def dsn(self):
        with open(os.path.join(self.dir, "run", "dsn")) as file:
            return file.read().strip()

    def connect(self):
        return connect(self.dsn)

    def query(self, sql, *params):
        return query(self.dsn, sql, *params)

    def query_one(self, sql, *params):
        return query_one(self.dsn, sql, *params)

    def leadctl(self, *args, **options):
        return leadctl(*args, "--dir", self.dir, **options)

    def apply(self, configuration, check=True):
        return apply(configuration, "--dir", self.dir, check=check)

    def status(self):
        return json.loads(self.leadctl("status", "--json").stdout)

    def show(self, lead_id):
        return json.loads(self.leadctl("lead", "show", lead_id, "--json").stdout)

    def client(self, **options):
        return Client(self.port, **options)


# Suppliers ----------------------------------------------------------------------------------------------------------

class Answer(collections.namedtuple("Answer", "status headers body")):
    """headers: a dict with names in lower case."""

    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        return self.json().get("data")

    @property
    def error(self):
        return self.json().get("error")


class Client:
    """Requests of a supplier over one kept-alive connection a thread."""

    def __init__(self, port, key=API_KEY, timeout=30):
        self.port = port
        self.key = key
        self.timeout = timeout
        self.local = threading.local()

    def request(self, method, path, body=None, headers=None):
        """One request, sent once. A kept connection that the server has closed meanwhile is opened anew before."""
        connection = getattr(self.local, "connection", None)
        if connection is not None and connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            self.close()
            connection = None
        if connection is None:
            connection = self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            self.close()
            raise
        if response.will_close:
            self.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def close(self):
        connection = getattr(self.local, "connection", None)
        self.local.connection = None
        if connection is not None:
            connection.close()

    def post(self, path, body, **headers):
        """body: a dict becomes JSON; bytes or text go as they are. Header names with _ for -."""
        fields = {"x-api-key": self.key, "content-type": "application/json"}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        fields = {name: value for name, value in fields.items() if value is not None}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        return self.request("POST", path, body.encode() if isinstance(body, str) else body, fields)

    def ingest(self, body, **headers):
        return self.post("/api/v1/ingest", body, **headers)

    def ping(self, body, **headers):
        return self.post("/api/v1/ping", body, **headers)

    def get(self, path, **headers):
        fields = {"x-api-key": self.key}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.request("GET", path, None, {name: value for name, value in fields.items() if value is not None})


def raw(port, data, seconds=10, pause=0):
    """Sends bytes as they are (a list: with pauses between) and reads until the server closes, or is silent for `seconds`."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        for part in [data] if isinstance(data, bytes) else data:
            connection.sendall(part)
            time.sleep(pause)
        with contextlib.suppress(socket.timeout, ConnectionResetError):
            while more := connection.recv(65536):
                received += more
    return received


_people = itertools.count(random.randrange(0, 4_000_000))


def lead(**fields):
    """SPEC 2's example with a phone and an e-mail that no lead had before. A field given as None is left out."""
    n = next(_people)
    example = {"flo_campaign_id": "campaign_abc123", "flo_supplier_id": "supplier_xyz789", "first_name": "John",
               "last_name": "Doe", "phone": f"555{2_000_000 + n % 8_000_000:07d}", "email": f"john.{n}@example.com",
               "state": "TX"}
    example.update(fields)
    return {name: value for name, value in example.items() if value is not None}


def ping(**fields):
    """A ping with nothing but whose it is and for what, and the state."""
    example = {"flo_campaign_id": "campaign_abc123", "flo_supplier_id": "supplier_xyz789", "state": "TX", **fields}
    return {name: value for name, value in example.items() if value is not None}


# The configuration --------------------------------------------------------------------------------------------------

def buyer(id="buyer_abc", url="http://127.0.0.1:9/", secrets=(SECRET,), **more):
    return {"id": id, "name": id, "delivery": {"url": url, "secrets": list(secrets)}, **more}


def contract(buyer_id="buyer_abc", price="25.00", **more):
    return {"id": more.pop("id", buyer_id), "buyer_id": buyer_id, "price": price, **more}


def source(supplier_id="supplier_xyz789", **more):
    return {"supplier_id": supplier_id, "cost": {"mode": "FIXED", "amount": "10.00"}, **more}


def supplier(id="supplier_xyz789", key=API_KEY, **more):
    limits = {kind: {"per_second": 1_000_000, "burst": 1_000_000} for kind in ("ingest", "ping", "lookup")}
    return {"id": id, "name": id, "api_keys": [{"key": key}], "rate_limits": limits, **more}


def campaign(id="campaign_abc123", sources=None, contracts=None, **more):
    return {"id": id, "name": id, "sources": sources if sources is not None else [source()],
            "contracts": contracts if contracts is not None else [contract()], **more}


def document(url="http://127.0.0.1:9/", **changes):
    """One supplier (no rate limit to speak of), one buyer at this URL, one campaign. Whole top-level entries can be given anew."""
    base = {"time_zone": "America/New_York", "allow_private_endpoints": True, "suppliers": [supplier()],
            "buyers": [buyer(url=url)], "campaigns": [campaign()]}
    base.update(changes)
    return copy.deepcopy(base)


# Buyers -------------------------------------------------------------------------------------------------------------

def signature_is_right(secret, headers, body, now=None):
    """Standard Webhooks 1.0, checked without our code."""
    key = base64.b64decode(secret[len("whsec_"):], validate=True)
    message = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
    is_now = abs((now or time.time()) - int(headers["webhook-timestamp"])) <= 300
    return is_now and any(hmac.compare_digest(wanted, given) for given in headers["webhook-signature"].split(" "))


class Delivered(collections.namedtuple("Delivered", "path headers body at method", defaults=["POST"])):
    """A request that came: headers with names in lower case, at in seconds since 1970."""

    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        return self.json()["data"]

    @property
    def webhook_id(self):
        return self.headers.get("webhook-id")

    def is_signed(self, secret=SECRET):
        return signature_is_right(secret, self.headers, self.body, self.at)


class _BuyerServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, address):
        pass  # whoever called has gone; that is his business


class Buyer:
    """
    A buyer's endpoint. `answer` is a status, (status, body), (status, body, headers), a list of these (the last one stays),
    or a function of the Delivered that gives one; None closes the connection without an answer. Context manager.
    """

    def __init__(self, answer=200):
        self.answer = answer
        self.requests = []
        self.changed = threading.Condition()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                owner._handle(self)

            do_GET = do_PUT = do_PATCH = do_POST

            def log_message(self, *args):
                pass

        self.server = _BuyerServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/leads"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def _handle(self, handler):
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        delivered = Delivered(handler.path, {name.lower(): value for name, value in handler.headers.items()}, body, time.time(), handler.command)
        with self.changed:
            self.requests.append(delivered)
            answer = self.answer
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            self.changed.notify_all()
        if callable(answer):
            answer = answer(delivered)
        if answer is None:
            handler.close_connection = True
            return
        self._reply(handler, *(answer if isinstance(answer, tuple) else (answer,)))

    @staticmethod
    def _reply(handler, status, content=b"", headers=None):
        content = content.encode() if isinstance(content, str) else content
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def wait(self, count, seconds=10):
        """Waits for so many requests, and returns all so far."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.requests) >= count, seconds), \
                f"{len(self.requests)} requests, not {count}, within {seconds} s"
            return list(self.requests)

    def of_lead(self, lead_id):
        """What came for this lead, in order."""
        with self.changed:
            return [request for request in self.requests if request.data["id"] == lead_id]

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
