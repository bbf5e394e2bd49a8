#!/bin/sh
# Runs the parts that are the same on each backend on the newest nightly build of
# Keras, with JAX, whose trainer differs most between versions. It tells in
# advance what the next Keras will break, so a failure is news and no fault.
set -e
cd "$(dirname "$0")/.."
[ -d .venv ] && PATH="$PWD/.venv/bin:$PATH"
nightly=$(mktemp -d)
trap 'rm -rf "$nightly"' EXIT
python -m pip install -q --pre --no-deps --target "$nightly" keras-nightly
export PATH PYTHONHASHSEED=0 SDL_VIDEODRIVER=dummy JAX_PLATFORMS=cpu
export KERAS_BACKEND=jax PYTHONPATH="$nightly"
export XLA_FLAGS=--xla_llvm_disable_expensive_passes=true
python -c 'import keras; print("== JAX backend, Keras", keras.__version__)'
python -m pytest -n 2 --dist worksteal tests/models tests/losses tests/ops \
    tests/policies tests/layers/test_dueling_head.py \
    tests/callbacks/test_collect_steps.py \
    tests/callbacks/test_collect_rollout.py \
    tests/callbacks/test_resume_training.py "$@"
