#!/bin/sh
# Runs the style checks and the suite on both backends, with the Python of
# .venv if there is one, then prints how fast the parts are against what bounds
# them. Further arguments go to pytest, and then nothing is measured.
set -e
cd "$(dirname "$0")/.."
[ -d .venv ] && PATH="$PWD/.venv/bin:$PATH"
export PATH PYTHONHASHSEED=0 SDL_VIDEODRIVER=dummy
# No GPU is needed, and none is looked for.
export JAX_PLATFORMS=cpu TF_CPP_MIN_LOG_LEVEL=2
ruff check .
ruff format --check .
status=0
echo "== TensorFlow backend"
KERAS_BACKEND=tensorflow python -m pytest -n 2 --dist worksteal "$@" || status=$?
# Compiling takes JAX longer than running: each program once, and without what
# only pays in long runs.
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
export JAX_COMPILATION_CACHE_DIR="$programs"
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0
export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
echo "== JAX backend"
KERAS_BACKEND=jax XLA_FLAGS=--xla_llvm_disable_expensive_passes=true \
    python -m pytest -n 2 --dist worksteal "$@" || status=$?
if [ $# -eq 0 ]; then
    echo "== Speed (slow figures fail nothing)"
    KERAS_BACKEND=tensorflow python tests/benchmarks/run.py --quick || status=$?
fi
exit $status
