"""tests/lib/layers.sh finds what it is there to find, and passes the tree."""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests/lib/layers.sh"

GOOD = {
    "common/span.h": "#include <stddef.h>\n",
    "common/span.c": '#include "common/span.h"\n\n#include <string.h>\n',
    "common/queue.c": "#include <zmq.h>\n",
    "proto/reason.h": '#include "common/span.h"\n',
    "proto/reason.def": "REASON(NONE)\n",
    "proto/reason.c": '#include "proto/reason.h"\n\nenum {\n#include "proto/reason.def"\n};\n',
    "proto/embed.c": '#include "embed_list.inc"\n',
    "router/cap.h": '#include "proto/reason.h"\n',
    "router/cap.c": '#include "router/cap.h"\n',
    "gateway/server.c": "#include <h2o.h>\n#include <h2o/serverutil.h>\n#include <openssl/ssl.h>\n",
    "leadctl/explain_lead.c": '#include "router/plan.h"\n',
    "leadctl/main.c": '#include "proto/reason.h"\n\n#include <stdio.h>\n#include <sys/stat.h>\n',
    "dispatcher/webhook.h": '#include "proto/reason.h"\n',
    "leadctl/delivery_preview.c": '#include "dispatcher/webhook.h"\n',
    "tests/unit/test_cap.c": '#include "router/cap.h"\n\n#include <setjmp.h>\n#include <cmocka.h>\n',
    "tests/buyer/main.c": '#include "common/span.h"\n\n#include <h2o.h>\n',
}


def run(root):
    done = subprocess.run([SCRIPT, root], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def make(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def test_the_tree_holds():
    code, out, err = run(ROOT)
    assert code == 0, out + err
    assert re.fullmatch(r"layers: \d+ files, all well\n", out)


def test_a_good_tree_passes(tmp_path):
    make(tmp_path, GOOD)
    make(tmp_path, {"build/plain/x.c": "#include <zmq.h>\n"})
    assert run(tmp_path) == (0, f"layers: {len(GOOD)} files, all well\n", "")


@pytest.mark.parametrize(
    "path, text, line, phrase",
    [
        ("router/x.c", '#include "dispatcher/sign.h"\n', 1, "router/ must not know dispatcher/"),
        ("gateway/x.c", '\n  #  include "validator/rules.h"\n', 2, "gateway/ must not know validator/"),
        ("validator/x.c", '#include "leadctl/apply.h"\n', 1, "validator/ must not know leadctl/"),
        ("leadctl/x.c", '#include "router/cap.h"\n', 1, "leadctl/ must not know router/"),
        ("proto/x.h", '#include "router/plan.h"\n', 1, "proto/ must not know router/"),
        ("leadctl/x.c", '#include "dispatcher/store.h"\n', 1, "leadctl/ must not know dispatcher/"),
        ("router/x.c", '#include "dispatcher/webhook.h"\n', 1, "router/ must not know dispatcher/"),
        ("proto/x.h", '#include "router/cap.h"\n', 1, "proto/ must not know router/"),
        ("common/x.h", '#include "proto/reason.h"\n', 1, "common/ must not know proto/"),
        ("router/x.c", '#include "tests/lib/x.h"\n', 1, "router/ must not know tests/lib/"),
        ("tests/buyer/x.c", '#include "gateway/x.h"\n', 1, "tests/buyer/ must not know gateway/"),
        ("router/x.c", '#include "cap.h"\n', 1, "does not begin at the root"),
        ("router/x.c", '#include "../router/cap.h"\n', 1, "does not begin at the root"),
        ("router/x.c", '#include "router/../dispatcher/sign.h"\n', 1, "does not begin at the root"),
        ("router/x.c", '#include "embed_list.inc"\n', 1, "does not begin at the root"),
        ("router/x.c", '#include "elsewhere/sign.h"\n', 1, "in no folder of the tree"),
        ("router/cap.c", '#include "proto/reason.h"\n#include "router/cap.h"\n', 1, 'the first include is not "router/cap.h"'),
        ("router/cap.c", "#include <stdio.h>\n", 1, 'the first include is not "router/cap.h"'),
        ("router/cap.c", "int x;\n", 1, 'does not include "router/cap.h"'),
        ("router/x.c", '#include <stdio.h>\n#include "router/cap.h"\n', 2, "behind a header of the system"),
        ("router/x.c", "#include HEADER\n", 1, "cannot be read"),
        ("extra/x.c", "\n", 1, "no place in the layers"),
        ("x.c", "\n", 1, "no place in the layers"),
        ("router/x.c", "#include <brotli/encode.h>\n", 1, "is of no library"),
    ],
)
def test_an_offence_is_told(tmp_path, path, text, line, phrase):
    make(tmp_path, GOOD)
    make(tmp_path, {path: text})
    code, out, _ = run(tmp_path)
    told = out.splitlines()
    assert code == 1
    assert told[0].startswith(f"{path}:{line}: ") and phrase in told[0], out
    assert re.fullmatch(r"layers: \d+ files, 1 offences", told[-1]), out


@pytest.mark.parametrize(
    "header",
    ["h2o.h", "h2o/serverutil.h", "zmq.h", "msgpack.h", "libpq-fe.h", "curl/curl.h", "openssl/sha.h", "jansson.h", "pcre2.h",
     "systemd/sd-daemon.h", "microhttpd.h", "cmocka.h"],
)
@pytest.mark.parametrize("path", ["router/x.c", "common/span.h", "proto/reason.h", "gateway/main.c"])
def test_a_library_is_known_only_where_it_is_wrapped(tmp_path, path, header):
    make(tmp_path, GOOD)
    make(tmp_path, {path: f"#include <{header}>\n"})
    code, out, _ = run(tmp_path)
    assert code == 1 and out.startswith(f"{path}:1: <{header}> is wrapped elsewhere"), out


def test_an_empty_tree_is_no_success(tmp_path):
    code, out, err = run(tmp_path)
    assert code == 1 and out == "" and "no files" in err
