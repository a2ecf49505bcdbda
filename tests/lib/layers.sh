#!/usr/bin/env bash
# Proves from the #include lines who knows whom (STYLE.md, "Layers"): of this tree, or of the one given as $1.
#
#   common ← proto ← gateway, validator, router, dispatcher, leadctl; no daemon knows another
#   leadctl knows the pure headers of daemons with which it shows what they would do
#   a library's header appears only in the files that wrap it
#   includes begin at the root; a .c file's first include is its own header; ours come before the system's
#
# Prints every offence as file:line and fails; else the last line is "layers: N files, all well".
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

# What a folder may include besides its own files.
folders='
common
proto       common
gateway     common proto
validator   common proto
router      common proto
dispatcher  common proto
leadctl     common proto
tests/buyer common
tests/bench common proto
tests/unit  common proto gateway validator router dispatcher leadctl tests/lib tests/buyer
tests/fuzz  common proto gateway validator router dispatcher leadctl tests/lib
tests/lib   common proto'

# Headers of daemons that leadctl may include: decisions without SQL and sockets; and the stores of router and validator, because
# `leadctl explain` reads what they read by their own statements.
pure='gateway/ingest.h gateway/spec_example.h validator/judge.h router/decide.h router/plan.h router/reply.h router/wanted.h router/store.h router/keyring.h validator/suppressed.h validator/store.h dispatcher/webhook.h'

# Which files may include a library's header: header (a regular expression), then files.
libraries='
h2o(\.h|/.*)           ^gateway/(server[a-z_]*|loop|reply)\.[ch]$  ^tests/(buyer|bench)/ ^tests/unit/test_http_client_tls\.c$
zmq\.h                 ^common/queue\.[ch]$
msgpack\.h             ^proto/frame[a-z_]*\.[ch]$
libpq-fe\.h            ^common/db[a-z_]*\.[ch]$                   ^tests/bench/
curl/.*                ^common/http_(client|exchange)\.[ch]$
openssl/.*             ^common/digest\.c$ ^gateway/server[a-z_]*\.c$  ^tests/
jansson\.h             ^common/json_jansson\.h$
pcre2\.h               ^common/pattern\.[ch]$
systemd/.*             ^common/systemd\.[ch]$
microhttpd\.h          ^common/admin\.[ch]$
cmocka\.h              ^tests/unit/'

# The C library and the kernel: anybody. What is in neither list is a library that should get a line above.
system='arpa/.*|net/.*|netinet/.*|linux/.*|sys/.*|assert|byteswap|ctype|dirent|dlfcn|endian|err|errno|execinfo|fcntl|float
|fnmatch|getopt|glob|grp|ifaddrs|inttypes|ftw|libgen|limits|locale|malloc|math|netdb|poll|pthread|pwd|regex|sched|search|setjmp|signal|spawn
|stdarg|stdalign|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|termios|time|uchar|unistd|wchar'

# Made while building, so it has no place at the root.
generated='proto/embed.c embed_list.inc'

mapfile -t files < <(find . \( -path ./build -o -name '.?*' \) -prune -o -type f \( -name '*.[ch]' -o -name '*.def' -o -name '*.inc' \) -print |
    sed 's|^\./||' | LC_ALL=C sort)
[ "${#files[@]}" -gt 0 ] || { echo "layers: no files in $PWD" >&2; exit 1; }

printf '%s\n' "${files[@]}" | LC_ALL=C awk -v folders="$folders" -v libraries="$libraries" -v system_headers="${system//$'\n'/}" -v generated="$generated" -v pure="$pure" '
function offence(text) {
    printf "%s:%d: %s\n", file, line_number, text
    offences++
}
function folder_of(path,    parts, n) {
    n = split(path, parts, "/")
    return n < 2 ? "" : parts[1] == "tests" && n > 2 ? "tests/" parts[2] : parts[1]
}
function basename_of(path) {
    sub(/.*\//, "", path)
    return path
}
function quoted(name,    folder) {
    if (name ~ /(^|\/)\.\.?\//) {
        offence("\"" name "\" does not begin at the root")
        return
    }
    folder = folder_of(name)
    if (folder == "") {
        if (!((file, name) in made))
            offence("\"" name "\" does not begin at the root")
    } else if (!(folder in may)) {
        offence("\"" name "\" is in no folder of the tree")
    } else if (here == "leadctl" && index(" " pure " ", " " name " ") > 0) {
        return
    } else if (folder != here && index(may[here], " " folder " ") == 0) {
        offence(here "/ must not know " folder "/ (\"" name "\")")
    }
}
function bracketed(name,    i, j, n, patterns) {
    for (i = 1; i <= library_count; i++) {
        if (name !~ "^(" header[i] ")$")
            continue
        n = split(places[i], patterns, " ")
        for (j = 1; j <= n; j++)
            if (file ~ patterns[j])
                return
        offence("<" name "> is wrapped elsewhere: " places[i])
        return
    }
    if (name !~ "^((" system_headers ")\\.h|(arpa|net|netinet|linux|sys)/[a-z0-9_/-]+\\.h)$")
        offence("<" name "> is of no library that the table in tests/lib/layers.sh knows")
}
BEGIN {
    n = split(folders, rows, "\n")
    for (i = 1; i <= n; i++)
        if (split(rows[i], words, " ") > 0) {
            folder = words[1]
            sub(/^[^ ]+/, "", rows[i])
            gsub(/ +/, " ", rows[i])
            may[folder] = rows[i] " "
        }
    n = split(libraries, rows, "\n")
    for (i = 1; i <= n; i++)
        if (split(rows[i], words, " ") > 0) {
            header[++library_count] = words[1]
            sub(/^[^ ]+ +/, "", rows[i])
            gsub(/ +/, " ", rows[i])
            places[library_count] = rows[i]
        }
    split(generated, words, " ")
    made[words[1], words[2]] = 1
}
{ names[++count] = $0; exists[$0] = 1 }
END {
    for (f = 1; f <= count; f++) {
        file = names[f]
        here = folder_of(file)
        own = file
        sub(/\.c$/, ".h", own)
        has_own = file ~ /\.c$/ && own in exists
        includes = 0
        system_seen = 0
        line_number = 1
        if (!(here in may)) {
            offence("this folder has no place in the layers")
            continue
        }
        for (line_number = 1; (got = (getline line < file)) > 0; line_number++) {
            if (line !~ /^[ \t]*#[ \t]*include/)
                continue
            sub(/^[ \t]*#[ \t]*include[ \t]*/, "", line)
            includes++
            if (match(line, /^"[^"]+"/)) {
                name = substr(line, 2, RLENGTH - 2)
                if (has_own && includes == 1 && name != own)
                    offence("the first include is not \"" own "\"")
                if (system_seen && name ~ /\.h$/)
                    offence("\"" name "\" comes behind a header of the system")
                quoted(name)
            } else if (match(line, /^<[^>]+>/)) {
                name = substr(line, 2, RLENGTH - 2)
                if (has_own && includes == 1)
                    offence("the first include is not \"" own "\"")
                system_seen = 1
                bracketed(name)
            } else if (line !~ /^ITEM_DEF/) { # whoever defines that names the file in its own lines
                offence("this include cannot be read")
            }
        }
        if (got < 0)
            offence("cannot be read")
        if (has_own && includes == 0) {
            line_number = 1
            offence("does not include \"" own "\"")
        }
        close(file)
    }
    if (offences > 0) {
        printf "layers: %d files, %d offences\n", count, offences
        exit 1
    }
    printf "layers: %d files, all well\n", count
}'
