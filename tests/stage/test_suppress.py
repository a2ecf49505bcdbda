"""leadctl suppress on a real PostgreSQL: lists in the document; import, add, remove and count."""
import hashlib
import json
import os
import pty
import select
import signal
import socket
import subprocess
import time

import pytest

from leadline_testing import Postgres, buyer, campaign, contract, document, eventually, leadctl, program, spawn, temp_folder

LISTS = [{"id": "dnc", "name": "National DNC"}, {"id": "mine"}]


@pytest.fixture(scope="module")
def server():
    server = Postgres({"fsync": "off"}).start()
    yield server
    server.close()


@pytest.fixture
def database(server):
    database = server.fresh_database()
    database.apply(document(suppression_lists=LISTS))
    yield database
    database.drop()


def suppress(database, *args, check=True, **options):
    return leadctl("suppress", *args, "--dsn", database.dsn(), check=check, **options)


def counts(database, *args):
    return {row["list"]: row["entries"] for row in json.loads(suppress(database, "count", *args, "--json").stdout)["lists"]}


def entries(database, list_id="dnc"):
    return {row[0].replace("-", "") for row in database.query(
        "SELECT value::text FROM suppression_entry WHERE list = (SELECT number FROM suppression_list WHERE id = %s)", list_id)}


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def kept(text):
    """As the entry of a plain value is stored."""
    return sha256(text)[:32]


def write(content, name="list.csv"):
    path = os.path.join(temp_folder(), name)
    with open(path, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


# The document -------------------------------------------------------------------------------------------------------

def test_lists_of_the_document_come_back(database):
    whole = document(suppression_lists=LISTS, buyers=[buyer(suppression_lists=["mine"])],
                     campaigns=[campaign(suppression_lists=["dnc"], contracts=[contract(suppression_lists=["dnc", "mine"])])])
    database.apply(whole)
    exported = json.loads(leadctl("export", "--dsn", database.dsn()).stdout)
    assert exported["suppression_lists"] == LISTS
    assert exported["buyers"][0]["suppression_lists"] == ["mine"]
    assert exported["campaigns"][0]["suppression_lists"] == ["dnc"]
    assert exported["campaigns"][0]["contracts"][0]["suppression_lists"] == ["dnc", "mine"]
    done = leadctl("apply", write(json.dumps(exported)), "--dsn", database.dsn())
    assert done.stdout.startswith("nothing changed")
    assert sorted(database.query("SELECT campaign_id, contract_id, list_id FROM suppression_use")) == [
        ("campaign_abc123", "", "dnc"), ("campaign_abc123", "buyer_abc", "dnc"), ("campaign_abc123", "buyer_abc", "mine")]


def test_unknown_and_doubled_lists_are_errors_at_their_place(database):
    wrong = document(suppression_lists=[{"id": "a"}, {"id": "a"}], buyers=[buyer(suppression_lists=["a", "nope"])],
                     campaigns=[campaign(suppression_lists=["no"], contracts=[contract(suppression_lists=["none"])])])
    done = leadctl("apply", write(json.dumps(wrong)), "--dsn", database.dsn(), check=False)
    assert done.returncode == 1
    assert dict(line.split(": ", 1) for line in done.stderr.splitlines()) == {
        "/suppression_lists/1/id": "this suppression list is there twice",
        "/buyers/0/suppression_lists/1": "there is no suppression list of this id",
        "/campaigns/0/suppression_lists/0": "there is no suppression list of this id",
        "/campaigns/0/contracts/0/suppression_lists/0": "there is no suppression list of this id"}


def test_entries_outlive_a_document_without_the_list(database):
    suppress(database, "add", "dnc", "5552345678")
    database.apply(document(suppression_lists=[{"id": "mine"}]))
    assert "dnc" not in json.dumps(json.loads(leadctl("export", "--dsn", database.dsn()).stdout)["suppression_lists"])
    for args in (["add", "dnc", "5552345679"], ["import", "dnc", write("phone\n5552345679\n")]):
        done = suppress(database, *args, check=False)
        assert done.returncode == 1 and "has no suppression list dnc" in done.stderr
    assert counts(database) == {"dnc": 1, "mine": 0}
    database.apply(document(suppression_lists=LISTS))
    assert counts(database, "dnc") == {"dnc": 1}
    assert suppress(database, "remove", "dnc", "--all").stdout == "removed 1 from dnc\n"
    assert counts(database) == {"dnc": 0, "mine": 0}
    database.apply(document(suppression_lists=[]))
    suppress(database, "remove", "dnc", "--all")
    assert database.query("SELECT id FROM suppression_list") == [("mine",)], "a list of no document and without entries is forgotten"


# add, remove, count --------------------------------------------------------------------------------------------------

def test_add_and_remove_plain_and_hashed(database):
    assert suppress(database, "add", "dnc", "(555) 234-5678", " John@EXAMPLE.com", md5("5552345679"), sha256("5552345670").upper(),
                    "+442079460958").stdout == "added 5 of 5 to dnc\n"
    assert entries(database) == {kept("5552345678"), kept("john@example.com"), md5("5552345679"), kept("5552345670"), kept("+442079460958")}
    assert suppress(database, "add", "dnc", "5552345678", "+15552345678").stdout == "added 0 of 2 to dnc\n"
    assert suppress(database, "add", "mine", "5552345678").stdout == "added 1 of 1 to mine\n"
    # a plain value takes off what came as either hash
    assert suppress(database, "remove", "dnc", "5552345679", "5552345670", "555-234-5678").stdout == "removed 3 from dnc\n"
    assert suppress(database, "remove", "dnc", sha256("john@example.com"), md5("+442079460958")).stdout == "removed 1 from dnc\n"
    assert counts(database) == {"dnc": 1, "mine": 1}


def test_wrong_values_change_nothing(database):
    done = suppress(database, "add", "dnc", "5552345678", "12", "a@b", "f" * 31, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines() == ["leadctl suppress add: value 2 is no phone number, MD5 or SHA-256",
                                        "leadctl suppress add: value 3 is no e-mail address, MD5 or SHA-256",
                                        "leadctl suppress add: value 4 is no phone number, MD5 or SHA-256"]
    assert counts(database) == {"dnc": 0, "mine": 0}


@pytest.mark.parametrize("args", [["suppress", "add", "dnc", "5552345678"], ["suppress", "remove", "dnc", "john@example.com", "5552345678"],
                                  ["explain", "--campaign", "campaign_abc123", "phone=5552345678"]], ids=["add", "remove", "explain"])
def test_nobodys_data_stays_in_the_processs_arguments(args):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a database that says nothing
        dsn = f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=x"
        process = spawn([program("leadctl"), *args, "--dsn", dsn], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        silent.settimeout(20)
        connection, _ = silent.accept()
        with connection, open(f"/proc/{process.pid}/cmdline") as file:
            shown = file.read()
        process.kill()
        process.wait()
    assert args[0] in shown and "555" not in shown and "john" not in shown


@pytest.mark.parametrize("args, code", [
    (["add", "dnc"], 2), (["remove", "dnc"], 2), (["remove", "dnc", "5552345678", "--all"], 2), (["import", "dnc"], 2), (["count", "a", "b"], 2),
    (["add", "dnc", "5552345678", "--all"], 2), (["count", "nix"], 1), (["remove", "nix", "--all"], 1), (["import", "dnc", "/nowhere.csv"], 1),
    (["import", "dnc", "/"], 1),
])
def test_wrong_usage(database, args, code):
    done = suppress(database, *args, check=False)
    assert done.returncode == code and done.stderr and done.stdout == ""


def test_an_entry_added_while_the_list_is_emptied_is_looked_for(database):
    """What is on a list counts only with its kind noted; emptying the list forgets the kinds."""
    suppress(database, "add", "dnc", "5552345678")
    others = database.connect()
    others.autocommit = False
    with others.cursor() as cursor:  # the entry is on its way in from elsewhere, so that `add` has to wait for it
        cursor.execute("INSERT INTO suppression_entry SELECT %s::uuid, number FROM suppression_list WHERE id = 'dnc'", (kept("5552345679"),))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    add = spawn([program("leadctl"), "suppress", "add", "dnc", "5552345679", "--dsn", database.dsn()], stdout=subprocess.DEVNULL)
    eventually(lambda: database.query_one(waiting) == 1)
    remove = spawn([program("leadctl"), "suppress", "remove", "dnc", "--all", "--dsn", database.dsn()], stdout=subprocess.DEVNULL)
    eventually(lambda: database.query_one(waiting) == 2 or remove.poll() is not None)
    others.rollback()
    others.close()
    assert [add.wait(30), remove.wait(30)] == [0, 0]
    assert counts(database)["dnc"] == 0 or database.query_one("SELECT kinds FROM suppression_list WHERE id = 'dnc'") != 0


# import --------------------------------------------------------------------------------------------------------------

def test_import_takes_every_shape(database):
    path = write("\ufeffName,PHONE,note, Email \r\n"
                 "\"Doe, John\",(555) 234-5678,\"said \"\"no\"\"\",John.Doe@Example.COM\r\n"
                 f"Jane,\"{md5('5552345679')}\",,{sha256('jane@example.com')}\r\n"
                 f"\"two\r\nlines\",{sha256('5552345670').upper()},x,\r\n"
                 "\r\n"
                 "again,+1 555 234 5678\r\n"
                 "short\r\n"
                 "uk,+44 20 7946 0958,,")
    done = suppress(database, "import", "dnc", path)
    assert done.stdout == f"imported into dnc: 7 values, 6 of them new; 1 bad line, in {path}.rejected\n"
    assert entries(database) == {kept("5552345678"), kept("john.doe@example.com"), md5("5552345679"), kept("jane@example.com"),
                                 kept("5552345670"), kept("+442079460958")}
    assert read(path + ".rejected") == "8\thas neither phone nor email\tshort\n"
    assert database.query_one("SELECT count(*) FROM suppression_import") == 0


def test_bad_lines_are_left_out_and_written(database):
    path = write("email,phone\n"
                 "good@example.com,12345\n"
                 "bad@,5552345678\n"
                 "\"never closed,5552345679\n"
                 "x@example.com,5552345670\n"
                 "\"a\"b,5552345671\n"
                 "no,no\n"
                 "\x00,\n"
                 "last@example.com,")
    done = suppress(database, "import", "dnc", path)
    assert done.stdout == f"imported into dnc: 5 values, 5 of them new; 6 bad lines, in {path}.rejected\n"
    assert entries(database) == {kept(text) for text in ("good@example.com", "5552345678", "x@example.com", "5552345670", "last@example.com")}
    rejected = [line.split("\t") for line in read(path + ".rejected").splitlines()]
    assert [row[0] for row in rejected] == ["2", "3", "4", "6", "7", "8"]
    assert rejected[0][1:] == ["phone is no phone number, MD5 or SHA-256", "good@example.com,12345"]
    assert rejected[2][1:] == ["has text behind a closing quote", "\"never closed,5552345679"]  # the next quote closes it
    assert rejected[3][1] == "has text behind a closing quote"
    assert rejected[4][1] == "email is no e-mail address, MD5 or SHA-256; phone is no phone number, MD5 or SHA-256"
    # and again: nothing new, the same bad lines; a clean file takes the old ones away
    assert suppress(database, "import", "dnc", path).stdout.startswith("imported into dnc: 5 values, 0 of them new; 6 bad lines")
    assert len(read(path + ".rejected").splitlines()) == 6
    write_over = open(path, "w")
    with write_over:
        write_over.write("phone\n5552345678\n")
    suppress(database, "import", "dnc", path)
    assert not os.path.exists(path + ".rejected")


def test_a_file_that_overlaps_what_is_there(database):
    suppress(database, "add", "dnc", *[f"{n:032x}" for n in (0, 250, 999, 5000)])
    suppress(database, "add", "mine", f"{1:032x}")
    path = write("phone\n" + "".join(f"{n % 1000:032x}\n" for n in range(1500)))  # some of them twice
    assert suppress(database, "import", "dnc", path).stdout == "imported into dnc: 1500 values, 997 of them new; 0 bad lines\n"
    assert entries(database) == {f"{n:032x}" for n in [*range(1000), 5000]} and counts(database) == {"dnc": 1001, "mine": 1}


def test_bad_lines_go_where_they_are_told_to(database):
    path, reject = write("phone\nx\n"), os.path.join(temp_folder(), "bad.txt")
    suppress(database, "import", "dnc", path, "--reject", reject)
    assert read(reject).startswith("2\t") and not os.path.exists(path + ".rejected")
    done = suppress(database, "import", "dnc", path, "--reject", path, check=False)
    assert done.returncode == 1 and read(path) == "phone\nx\n"


def test_import_from_standard_input(database):
    done = subprocess.run([program("leadctl"), "suppress", "import", "dnc", "-", "--dsn", database.dsn()], input=b"phone\n5552345678\nbad\n",
                          capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stdout == b"imported into dnc: 1 values, 1 of them new; 1 bad line\n"
    assert done.stderr == b"" and entries(database) == {kept("5552345678")}


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n", b"5552345678\n5552345679\n", b"name,mobile\nJohn,5552345678\n",
                                     b"\"phone\n5552345678\n", b"\x00\xff" * 100000],
                         ids=["empty", "mark", "blank", "no header", "other header", "open quote", "rubbish"])
def test_no_header_is_an_error(database, content):
    done = suppress(database, "import", "dnc", write(content), check=False)
    assert done.returncode == 1 and "has no header with a column phone or email" in done.stderr
    assert counts(database, "dnc") == {"dnc": 0}


def test_progress_is_shown_on_a_terminal_only(database):
    path = write("phone\n" + "".join(f"{2000000000 + n}\n" for n in range(300000)))
    terminal, its_end = pty.openpty()
    process = spawn([program("leadctl"), "suppress", "import", "dnc", path, "--dsn", database.dsn()], stderr=its_end, stdout=subprocess.DEVNULL)
    os.close(its_end)
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:
                break
        elif process.poll() is not None:
            break
    os.close(terminal)
    assert process.wait(60) == 0
    assert b" %  [" in shown and b"lines" in shown and shown.endswith(b"\r\x1b[K")
    assert suppress(database, "import", "mine", path).stderr == ""


ROWS = 1_250_000  # two chunks and a half


def test_a_killed_import_goes_on_where_it_was(database):
    path = os.path.join(temp_folder(), "many.csv")
    with open(path, "w") as file:
        file.write("phone\nfirst bad line\n")
        for n in range(0, ROWS, 1000):
            file.write("".join(f"{n + i:032x}\n" for i in range(1000)))
        file.write("last bad line\n")
    process = spawn([program("leadctl"), "suppress", "import", "dnc", path, "--dsn", database.dsn()], stdout=subprocess.DEVNULL)
    eventually(lambda: database.query_one("SELECT count(*) FROM suppression_import") == 1 or process.poll() is not None, 60, 0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "too fast for this test"
    begun = database.query_one("SELECT line FROM suppression_import")
    assert 500_000 <= begun < ROWS
    done = suppress(database, "import", "dnc", path)
    assert f"going on behind line {begun}, " in done.stderr
    assert done.stdout == f"imported into dnc: {ROWS} values, {ROWS} of them new; 2 bad lines, in {path}.rejected\n"
    assert [line.split("\t")[0] for line in read(path + ".rejected").splitlines()] == ["2", str(ROWS + 3)]
    assert counts(database, "dnc") == {"dnc": ROWS} and database.query_one("SELECT count(*) FROM suppression_import") == 0


def test_two_imports_into_one_list_wait_for_each_other(database):
    path = write("phone\n" + "".join(f"{n:032x}\n" for n in range(100_000)))
    processes = [spawn([program("leadctl"), "suppress", "import", "dnc", path, "--dsn", database.dsn()], stdout=subprocess.PIPE) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(int(text.split(" values, ")[1].split()[0]) for text in outputs) == [0, 100_000]


def test_only_the_owner_writes_lists(server, database):
    for role in ("gateway", "validator", "router", "dispatcher"):
        with database.connect(f"leadline-{role}") as connection:
            for sql in ("INSERT INTO suppression_entry VALUES (gen_random_uuid(), 1)", "DELETE FROM suppression_entry", "DELETE FROM suppression_list",
                        "SELECT * FROM suppression_import"):
                with pytest.raises(Exception, match="permission denied"):
                    connection.cursor().execute(sql)
                connection.rollback()
        connection.close()
    with database.connect("leadline-validator") as connection:
        connection.cursor().execute("SELECT * FROM suppression_use, suppression_entry")
        for sql in ("SELECT * FROM contract", "SELECT * FROM buyer"):
            with pytest.raises(Exception, match="permission denied"):
                connection.cursor().execute(sql)
            connection.rollback()
    connection.close()
