#!/usr/bin/env bash
# Fuzzes every parser of outside bytes: builds each tests/fuzz/fuzz_NAME.c with clang's libFuzzer and the address and
# undefined-behaviour sanitizers, and runs it for FUZZ_SECONDS (30). With names as arguments, only those.
#
# What it learns stays in build/fuzz/corpus/NAME, begun with tests/fuzz/seeds/NAME; what breaks a parser goes to
# build/fuzz/found and is run again first the next time. Words of the format stand in tests/fuzz/NAME.dict.
# The last line is "fuzz: N targets, all well"; a target that does not build or finds something, or a file that does not
# compile, makes it fail.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${FUZZ_SECONDS:-30}
build=${BUILD:-build}/fuzz
libraries=(libzmq msgpack libpq libcurl libcrypto jansson libpcre2-8 libsystemd libmicrohttpd)
sanitize=-fsanitize=address,undefined
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "fuzz: FUZZ_SECONDS is not a number of seconds: $seconds" >&2; exit 2; }

tests/lib/deps.sh --missing-only --fuzz
mkdir -p "$build/bin" "$build/corpus" "$build/found" "$build/log"

names=()
for source in tests/fuzz/fuzz_*.c; do
    name=${source##*/fuzz_}
    name=${name%.c}
    [ -e "$source" ] || continue
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] && names+=("$name")
done
[ ${#names[@]} -gt 0 ] || { echo "fuzz: no target tests/fuzz/fuzz_NAME.c${*:+ of $*}" >&2; exit 2; }

# Everything but the programs' main(), by the Makefile's rules, with clang; what does not compile is told and left out.
objects=()
for source in {common,proto,gateway,validator,router,dispatcher,leadctl}/*.c; do
    [ -e "$source" ] && [ "${source##*/}" != main.c ] && objects+=("$build/plain/${source%.c}.o")
done
targets=()
for name in "${names[@]}"; do
    targets+=("$build/plain/tests/fuzz/fuzz_$name.o")
done
rm -f "$build/all.a"
env -u MAKEFLAGS -u MAKELEVEL make --no-print-directory -k -s -j"$(nproc)" BUILD="$build" CC=clang SAN= SAN_FLAGS= \
    CFLAGS="-O1 -g -fsanitize=fuzzer-no-link $sanitize -fno-sanitize-recover=undefined" "${objects[@]}" "${targets[@]}" || true
compiled=()
left_out=()
for object in "${objects[@]}"; do
    source=${object#"$build/plain/"}
    if [ -e "$object" ] && [ "$object" -nt "${source%.o}.c" ]; then
        compiled+=("$object")
    else
        left_out+=("${source%.o}.c")
        echo "fuzz: ${source%.o}.c does not compile and is left out"
    fi
done
[ ${#compiled[@]} -gt 0 ] && ar rcs "$build/all.a" "${compiled[@]}"

failed=()
for name in "${names[@]}"; do
    log=$build/log/$name
    corpus=$build/corpus/$name
    found=$build/found/$name
    program=$build/bin/fuzz_$name
    mkdir -p "$corpus" "$found"
    rm -f "$program"
    # shellcheck disable=SC2046
    if ! clang -fsanitize=fuzzer "$sanitize" -o "$program" "$build/plain/tests/fuzz/fuzz_$name.o" "$build/all.a" \
        -lh2o-evloop -lssl -lcrypto -lz $(pkg-config --libs "${libraries[@]}") -lm >"$log" 2>&1; then
        echo "fuzz $name: does not build"
        tail -n 20 "$log"
        failed+=("$name")
        continue
    fi
    [ -d "tests/fuzz/seeds/$name" ] && cp -r "tests/fuzz/seeds/$name/." "$corpus/"
    options=(-timeout=10 -rss_limit_mb=2048 -max_len=16384 "-artifact_prefix=$found/")
    [ -e "tests/fuzz/$name.dict" ] && options+=("-dict=tests/fuzz/$name.dict")

    mapfile -t old < <(find "$found" -type f)
    if { [ ${#old[@]} -eq 0 ] || "$program" "${options[@]}" "${old[@]}"; } >"$log" 2>&1 &&
        "$program" "${options[@]}" -max_total_time="$seconds" -print_final_stats=1 "$corpus" >>"$log" 2>&1; then
        rm -rf "$found"
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
        echo "fuzz $name: ${runs:-0} inputs in $seconds s, $(find "$corpus" -type f | wc -l) kept"
        [ "${runs:-0}" -gt 0 ] && continue
    fi
    echo "fuzz $name: found something, see $log and $found"
    grep -v '^#[0-9]' "$log" | grep -m 1 -A 30 -E 'ERROR: |runtime error: ' || tail -n 20 "$log"
    failed+=("$name")
done

if [ ${#failed[@]} -gt 0 ] || [ ${#left_out[@]} -gt 0 ]; then
    echo "fuzz: ${#failed[@]} of ${#names[@]} targets failed${failed[*]:+: ${failed[*]}}; ${#left_out[@]} files were left out"
    exit 1
fi
echo "fuzz: ${#names[@]} targets, all well"
