#!/usr/bin/env bash
# Runs all tests: the unit programs in folder $1 (build/plain/unit), then pytest. Logs go to build/log; the last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../.."

unit_dir=${1:?usage: run_tests.sh FOLDER-OF-UNIT-PROGRAMS}
build=$(cd "$unit_dir/../.." && pwd)
logs=$build/log
passed=0 failed=0
mkdir -p "$logs"

# What the sanitizers find ends the process: no test can pass over it.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=1:disable_coredump=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:abort_on_error=1:print_stacktrace=1}
export PYTHONDONTWRITEBYTECODE=1
export LEADLINE_TEST_BIN=${LEADLINE_TEST_BIN:-$build/bin}

# Units: cmocka tells each test by a line of TAP. A program that ends badly without saying which test failed counts as one.
for program in "$unit_dir"/test_*; do
    [[ -x $program && -f $program && $program != *.* ]] || continue
    name=${program##*/}
    log=$logs/$name.log
    CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 "$program" >"$log" 2>&1
    status=$?
    good=$(grep -c '^ok ' "$log")
    bad=$(grep -c '^not ok ' "$log")
    [[ $status -ne 0 && $bad -eq 0 ]] && bad=1
    [[ $good -eq 0 && $bad -eq 0 ]] && bad=1
    passed=$((passed + good)) failed=$((failed + bad))
    if [[ $bad -gt 0 ]]; then
        echo "$name: $bad failed (status $status)"
        grep -v '^ok ' "$log" | tail -n 40
    else
        echo "$name: $good passed"
    fi
done

# Stages and pipeline: one pytest, told by its report; as many files at once as there are processors.
folders=()
for folder in tests/stage tests/pipeline; do
    compgen -G "$folder/test_*.py" >/dev/null && folders+=("$folder")
done
if [[ ${#folders[@]} -gt 0 ]]; then
    report=$logs/pytest.xml
    rm -f "$report"
    timeout -k 30 "${LEADLINE_TEST_SECONDS:-2400}" /usr/bin/python3 -m pytest -q -ra --durations=10 -p no:cacheprovider -n "${LEADLINE_TEST_WORKERS:-auto}" --dist loadfile \
        -o faulthandler_timeout=300 --junitxml="$report" ${PYTEST_ARGS:-} "${folders[@]}" 2>&1 | tee "$logs/pytest.log"
    status=${PIPESTATUS[0]}
    counts=$(/usr/bin/python3 - "$report" 2>/dev/null <<'PYTHON'
import sys
import xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
total, bad, skipped = (sum(int(suite.get(name)) for name in names) for names in (("tests",), ("failures", "errors"), ("skipped",)))
print(total - bad - skipped, bad)
PYTHON
    ) || counts="0 1"
    read -r good bad <<<"$counts"
    [[ $status -ne 0 && $bad -eq 0 ]] && bad=1
    passed=$((passed + good)) failed=$((failed + bad))
fi

[[ $passed -eq 0 && $failed -eq 0 ]] && failed=1 && echo "no test was found"
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
