#!/bin/sh
# All tests. What a machine does not have is said in one line; with REQUIRE_SERVICES=1 it is an error.
set -eu
cd "$(dirname "$0")/.."
bin=.venv/bin
left_out=""
# Every worker and every server of a test would compile the code anew.
unset PYTHONDONTWRITEBYTECODE

# The shell has all that a page needs and none of a window, for a fifth less of the processor.
found=$(command -v chromium-headless-shell || command -v chromium || command -v chromium-browser || command -v google-chrome || true)
chromium=${CHROMIUM:-$found}
if [ -z "$chromium" ] && [ "${REQUIRE_SERVICES:-0}" = 1 ] && command -v apt-get >/dev/null; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root=sudo
    echo "Installing Chromium for the page's tests …"
    $as_root apt-get update -qq >/dev/null
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium-headless-shell >/dev/null ||
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
    chromium=$(command -v chromium-headless-shell || command -v chromium)
fi
# nginx and caddy for the shipped configurations, and the servers that tests start themselves. On a machine that has them
# not, those tests are left out. /usr/sbin is where Debian keeps servers.
missing=""
for program in nginx:nginx-light caddy:caddy redis-server:redis-server ip:iproute2; do
    PATH="$PATH:/usr/sbin" command -v "${program%%:*}" >/dev/null || missing="$missing ${program##*:}"
done
if [ -n "$missing" ] && [ "${REQUIRE_SERVICES:-0}" = 1 ] && command -v apt-get >/dev/null; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root=sudo
    echo "Installing$missing for the tests of several nodes …"
    $as_root apt-get update -qq >/dev/null
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null
    missing=""
fi
[ -z "$missing" ] || left_out="$left_out, several nodes behind a proxy (install$missing)"

[ -n "$chromium" ] || left_out="$left_out, the page in a browser (install chromium)"
export CHROMIUM="$chromium"

postgres=${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres}
if ! $bin/python -c "import psycopg, sys; psycopg.connect(sys.argv[1], connect_timeout=2).close()" "$postgres" 2>/dev/null; then
    left_out="$left_out, PostgreSQL (set TEST_DATABASE_URL)"
    postgres=""
fi

# A real model server, of which each machine has the wheel that fits it or none.
if ! $bin/python -c "import xllamacpp" 2>/dev/null && [ "${REQUIRE_SERVICES:-0}" = 1 ]; then
    echo "Installing llama.cpp for the tests with a real model server …"
    $bin/python -m pip install --quiet --no-compile --disable-pip-version-check --only-binary :all: -r requirements-live.lock
fi
$bin/python -c "import xllamacpp" 2>/dev/null ||
    left_out="$left_out, a real model server (.venv/bin/pip install -r requirements-live.lock)"

own=$($bin/python -c 'from tests.support.services import missing_services; print(", ".join(missing_services()))')
[ -z "$own" ] || left_out="$left_out, services that are broken on purpose ($own)"

if [ -n "$left_out" ] && [ "${REQUIRE_SERVICES:-0}" = 1 ]; then
    echo "REQUIRE_SERVICES=1, but these could not be tested: ${left_out#, }" >&2
    exit 1
fi

# More than there are cores, because many tests wait more than they work.
workers=${TEST_WORKERS:-4}

deploy/npm.sh test --silent
$bin/python manage.py collectstatic --noinput --clear --verbosity 0

# stage NAME MARKS HOW [FILES]: the tests with these marks, shared out among the workers in this way. Tests share the
# machine with one another, and some keep time by the clock. What misses its time has one more try with the machine to
# itself; what fails twice fails.
stage() {
    cache=.pytest_cache/$1
    began=$(date +%s)
    # shellcheck disable=SC2086
    if ! $bin/python -m pytest -q -n "$workers" $3 -m "$2" -o cache_dir="$cache" ${4:-tests}; then
        echo "Once more, each by itself:"
        # shellcheck disable=SC2086
        $bin/python -m pytest -q -x -m "$2" -o cache_dir="$cache" --last-failed --last-failed-no-failures none ${4:-tests}
    fi
    echo "$1: $(($(date +%s) - began)) s"
}
evenly="--dist worksteal"
# A file's tests often share a server; it is started once where they stay together. The longest files come first.
by_file="--dist loadfile --no-loadscope-reorder"
# Where the tests with servers and browsers are: to read seven thousand others for each of the workers takes longer than
# many of them. A file says itself that it has such tests; tests/conftest.py sees to that.
with_servers=$(grep -rlE "mark\.(process|browser)" tests --include="test_*.py" | tr "\n" " ")

if [ -n "$postgres" ]; then
    export DATABASE_URL="$postgres"
    echo "On PostgreSQL, everything that touches a database:"
    # Nothing here touches a database (tests/conftest.py sees to that), and each worker would read half of all tests.
    left=""
    for place in docs process browser laws sabotage bench chaos streaming/providers streaming/protocol streaming/tools; do
        left="$left --ignore=tests/$place"
    done
    stage postgres "database and not browser and not process" "$evenly$left"
    echo "On PostgreSQL, with real servers:"
    stage postgres-servers "process_on_both or (process and postgres)" "$by_file" "$with_servers"
    unset DATABASE_URL
    echo "On SQLite:"
fi
stage sqlite "not browser and not process and not postgres" "$evenly"
echo "With real servers and browsers:"
stage servers "(browser or process) and not postgres" "$by_file" "$with_servers"
[ -z "$left_out" ] || echo "Left out on this machine: ${left_out#, }."
