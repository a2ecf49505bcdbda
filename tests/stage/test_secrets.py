"""Secrets of buyers: leadctl secret rotate and list, apply and export after a rotation, and who may read them."""
import base64
import hashlib
import json

import psycopg2
import pytest

import leadline_testing as testing
from leadline_testing import SECRET, buyer, document, eventually, signature_is_right
from test_dispatcher import OTHER_SECRET, endpoint, router, start  # noqa: F401 (fixtures)

THIRD = "whsec_" + base64.b64encode(b"a third secret of 32 bytes, fine").decode()


@pytest.fixture
def secret(database):
    """Runs `leadctl secret …`; with --json, what it printed."""
    def run(*args, check=True):
        done = testing.leadctl("secret", *args, "--dsn", database.dsn(), check=check)
        return json.loads(done.stdout) if "--json" in args and done.returncode == 0 else done
    return run


def with_secrets(*secrets, url="http://127.0.0.1:9/"):
    return document(buyers=[buyer(url=url, secrets=secrets)])


def exported(database):
    return json.loads(testing.leadctl("export", "--dsn", database.dsn()).stdout)


def secrets_of(database):
    """Those in force, the first one first."""
    return [row[0] for row in database.query("SELECT secret FROM buyer_secret WHERE expires_at IS NULL OR expires_at > now() ORDER BY place")]


def end_grace(database):
    database.query("UPDATE buyer_secret SET expires_at = now() WHERE expires_at IS NOT NULL")


# rotate and list ------------------------------------------------------------------------------------------------------

def test_rotate_makes_a_secret_and_keeps_the_former_for_a_while(database, secret):
    database.apply(with_secrets(SECRET))
    version = database.query_one("SELECT catalog_version FROM installation")
    done = secret("rotate", "buyer_abc", "--grace", "24h")
    made = done.stdout.strip()
    assert done.stdout == made + "\n" and made.startswith("whsec_") and made not in done.stderr
    assert len(base64.b64decode(made[len("whsec_"):], validate=True)) == 32
    assert secrets_of(database) == [made, SECRET]
    assert database.query("SELECT expires_at IS NULL, expires_at - now() BETWEEN '23 h 59 min' AND '24 h' FROM buyer_secret ORDER BY place") == \
        [(True, None), (False, True)]
    assert database.query_one("SELECT catalog_version FROM installation") == version + 1
    again = secret("rotate", "buyer_abc", "--json")
    assert again["buyer_id"] == "buyer_abc" and again["former"] == 2 and again["former_until"].endswith("Z")
    assert secrets_of(database) == [again["secret"], made, SECRET]


def test_the_grace_of_a_former_secret_is_not_made_longer(database, secret):
    database.apply(with_secrets(SECRET))
    secret("rotate", "buyer_abc", "--grace", "1h")
    secret("rotate", "buyer_abc", "--grace", "7d")
    hours = [row[0] for row in database.query("SELECT round(extract(epoch FROM expires_at - now()) / 3600)::int FROM buyer_secret ORDER BY place")]
    assert hours == [None, 168, 1]


def test_no_grace(database, secret):
    database.apply(with_secrets(SECRET, OTHER_SECRET))
    done = secret("rotate", "buyer_abc", "--grace", "0")
    assert database.query("SELECT secret FROM buyer_secret") == [(done.stdout.strip(),)] and "alone" in done.stderr


def test_a_preview_is_signed_with_those_in_force(database, secret):
    def signatures():
        shown = json.loads(testing.leadctl("delivery", "preview", "buyer_abc", "--json", "--dsn", database.dsn()).stdout)
        return len({header["name"]: header["value"] for header in shown["headers"]}["webhook-signature"].split())
    database.apply(with_secrets(SECRET))
    secret("rotate", "buyer_abc", "--grace", "1h")
    assert signatures() == 2
    end_grace(database)
    assert signatures() == 1


def test_the_first_secret_of_a_buyer_without_one(database, secret):
    database.apply(with_secrets())
    made = secret("rotate", "buyer_abc").stdout.strip()
    database.apply(with_secrets())
    assert secrets_of(database) == [made]


def test_at_most_ten_sign(database, secret):
    database.apply(with_secrets(SECRET))
    for _ in range(9):
        secret("rotate", "buyer_abc")
    done = secret("rotate", "buyer_abc", check=False)
    assert done.returncode == 1 and "10 secrets" in done.stderr and done.stdout == ""
    assert len(secrets_of(database)) == 10
    secret("rotate", "buyer_abc", "--grace", "0")
    assert len(secrets_of(database)) == 1


def test_list_shows_no_secret(database, secret):
    database.apply(with_secrets(SECRET))
    made = secret("rotate", "buyer_abc").stdout.strip()
    listed = secret("list", "buyer_abc", "--json")
    assert listed["buyer_id"] == "buyer_abc"
    assert [one["sha256"] for one in listed["secrets"]] == [hashlib.sha256(text.encode()).hexdigest()[:12] for text in (made, SECRET)]
    assert [one["place"] for one in listed["secrets"]] == [1, 2] and all(0 <= one["age_s"] < 60 for one in listed["secrets"])
    assert listed["secrets"][0]["expires_at"] is None and listed["secrets"][1]["expires_at"].endswith("Z")
    for output in (json.dumps(listed), secret("list", "buyer_abc").stdout):
        assert made not in output and SECRET not in output and "whsec_" not in output
    end_grace(database)
    assert len(secret("list", "buyer_abc", "--json")["secrets"]) == 1


@pytest.mark.parametrize("args, code", [
    (("rotate",), 2), (("rotate", "a", "b"), 2), (("rotate", "buyer_abc", "--grace", "24"), 2), (("rotate", "buyer_abc", "--grace", "-1h"), 2),
    (("rotate", "buyer_abc", "--grace", "1 h"), 2), (("rotate", "buyer_abc", "--grace", "367d"), 2), (("rotate", "buyer_abc", "--grace", ""), 2),
    (("rotate", "buyer_abc", "--grace", "99999999999h"), 2), (("rotate", "nobody"), 1), (("list", "nobody"), 1), (("list",), 2)])
def test_wrong_usage(database, secret, args, code):
    database.apply(with_secrets(SECRET))
    done = secret(*args, check=False)
    assert done.returncode == code and done.stdout == "" and secrets_of(database) == [SECRET]


# apply and export after it --------------------------------------------------------------------------------------------

def test_an_old_document_does_not_undo_a_rotation(database, secret):
    database.apply(with_secrets(SECRET))
    made = secret("rotate", "buyer_abc").stdout.strip()
    rows = database.query("SELECT * FROM buyer_secret ORDER BY place")
    done = testing.apply(with_secrets(SECRET), "--dsn", database.dsn())
    assert "nothing changed" in done.stdout and database.query("SELECT * FROM buyer_secret ORDER BY place") == rows
    changed = with_secrets(SECRET)
    changed["buyers"][0]["name"] = "Another name"
    database.apply(changed)
    assert database.query("SELECT * FROM buyer_secret ORDER BY place") == rows and made == rows[0][2]
    for document_of in (with_secrets(), with_secrets(made), with_secrets(made, SECRET), with_secrets(SECRET, made)):
        database.apply(document_of)
        assert database.query("SELECT * FROM buyer_secret ORDER BY place") == rows


def test_a_retired_secret_stays_retired(database, secret):
    database.apply(with_secrets(SECRET))
    made = secret("rotate", "buyer_abc").stdout.strip()
    exported_then = exported(database)
    end_grace(database)
    database.query("SELECT drop_expired_secrets()")
    for old in (with_secrets(SECRET), exported_then):
        database.apply(old)
        assert database.query("SELECT secret, expires_at FROM buyer_secret") == [(made, None)]


def test_what_is_exported_changes_nothing_when_applied(database, secret):
    database.apply(with_secrets(SECRET))
    made = secret("rotate", "buyer_abc").stdout.strip()
    assert exported(database)["buyers"][0]["delivery"]["secrets"] == [made, SECRET]
    assert "nothing changed" in testing.apply(exported(database), "--dsn", database.dsn()).stdout
    end_grace(database)
    assert exported(database)["buyers"][0]["delivery"]["secrets"] == [made]
    assert "nothing changed" in testing.apply(exported(database), "--dsn", database.dsn()).stdout


def test_a_document_with_a_new_secret_holds_as_it_stands(database, secret):
    database.apply(with_secrets(SECRET))
    secret("rotate", "buyer_abc")
    database.apply(with_secrets(THIRD, SECRET))
    assert database.query("SELECT secret, expires_at FROM buyer_secret ORDER BY place") == [(THIRD, None), (SECRET, None)]
    assert database.query("SELECT * FROM rotated_secret") == []
    database.apply(with_secrets(SECRET))
    assert database.query("SELECT secret, expires_at FROM buyer_secret") == [(SECRET, None)]


def test_a_buyer_that_goes_takes_its_secrets_along(database, secret):
    both = document(buyers=[buyer(), buyer("buyer_two", secrets=[OTHER_SECRET])])
    database.apply(both)
    made = secret("rotate", "buyer_two").stdout.strip()
    database.apply(document())
    assert secrets_of(database) == [SECRET] and database.query("SELECT * FROM rotated_secret") == []
    database.apply(both)
    assert made not in secrets_of(database) and sorted(secrets_of(database)) == sorted([SECRET, OTHER_SECRET])


def test_a_rotation_is_of_one_buyer(database, secret):
    database.apply(document(buyers=[buyer(), buyer("buyer_two", secrets=[OTHER_SECRET])]))
    made = secret("rotate", "buyer_two").stdout.strip()
    database.apply(document(buyers=[buyer(secrets=[THIRD]), buyer("buyer_two", secrets=[OTHER_SECRET])]))
    assert database.query("SELECT buyer_id, secret FROM buyer_secret ORDER BY buyer_id, place") == \
        [("buyer_abc", THIRD), ("buyer_two", made), ("buyer_two", OTHER_SECRET)]


# The dispatcher -------------------------------------------------------------------------------------------------------

def test_webhooks_are_signed_with_both_until_the_grace_is_over(database, router, start, endpoint, secret):  # noqa: F811
    changed = with_secrets(SECRET, url=endpoint.url)
    changed["buyers"][0]["delivery"]["legacy_signature"] = True
    database.apply(changed)
    one = start()
    made = secret("rotate", "buyer_abc", "--grace", "1h").stdout.strip()
    version = database.query_one("SELECT catalog_version FROM installation")
    eventually(lambda: one.metric("leadline_catalog_version") == version)
    router.wait_state(router.hand_over(one)[0], "DELIVERED")
    request = endpoint.requests[-1]
    signatures = request.headers["webhook-signature"].split(" ")
    assert len(signatures) == 2 and request.is_signed(made) and request.is_signed(SECRET)
    assert signature_is_right(made, {**request.headers, "webhook-signature": signatures[0]}, request.body), "the new one comes first"

    # Nobody applies anything: the moment alone ends it. The catalog that knows of that moment is read by a second rotation's bump.
    database.query("UPDATE buyer_secret SET expires_at = now() + interval '3 seconds' WHERE expires_at IS NOT NULL")
    database.query("UPDATE installation SET catalog_version = catalog_version + 1")
    eventually(lambda: one.metric("leadline_catalog_version") == version + 1)

    def is_over():
        router.wait_state(router.hand_over(one)[0], "DELIVERED")
        return len(endpoint.requests[-1].headers["webhook-signature"].split(" ")) == 1
    eventually(is_over, 20, 0.2)
    assert endpoint.requests[-1].is_signed(made) and not endpoint.requests[-1].is_signed(SECRET)
    assert one.metric("leadline_catalog_version") == version + 1
    assert made not in one.log() and SECRET not in one.log()


def test_the_dispatcher_takes_secrets_out_whose_time_is_over(database, start, secret):  # noqa: F811
    database.apply(with_secrets(SECRET))
    secret("rotate", "buyer_abc")
    end_grace(database)
    start()
    eventually(lambda: database.query_one("SELECT count(*) FROM buyer_secret") == 1)


def test_only_the_dispatcher_may_read_secrets(database, secret):
    database.apply(with_secrets(SECRET))
    secret("rotate", "buyer_abc")
    for stage in ("gateway", "validator", "router", "dispatcher"):
        role = database.connect(f"leadline-{stage}")
        try:
            if stage == "dispatcher":
                assert len(testing.query(role, "SELECT secret FROM buyer_secret")) == 2
                assert testing.query(role, "SELECT drop_expired_secrets()") == [(0,)]
            else:
                for statement in ("SELECT secret FROM buyer_secret", "SELECT drop_expired_secrets()"):
                    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                        testing.query(role, statement)
            for statement in ("SELECT * FROM rotated_secret", "UPDATE buyer_secret SET secret = ''", "DELETE FROM buyer_secret",
                              "INSERT INTO buyer_secret VALUES ('buyer_abc', 9, 'whsec_')"):
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    testing.query(role, statement)
        finally:
            role.close()
