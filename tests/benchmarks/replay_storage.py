"""Measure what each storage of the replay buffer takes, and how fast it is.

    python tests/benchmarks/replay_storage.py [--transitions N]
        [--storages memory compressed disk] [--folder F] [--out FILE.md]

Eight environments play 20,000 steps of Space Invaders at random. These are
added again and again, and each time compressed or written anew, until N
transitions (a million by default) are stored; then batches are drawn. Each
storage has a process of its own. Memory is what the process grew by from
before the buffer was made until after the batches: `RssAnon`, its own memory,
and `RssFile`, mapped files, as Linux counts them. Rates are per second of
processor time, so that what else runs matters little; the file is in the page
cache where memory suffices. About two minutes a storage and a million
transitions; `disk` writes 7.3 GB, `memory` takes as much.
"""

import argparse
import concurrent.futures
import datetime
import multiprocessing
import os
import pathlib
import platform
import time

import numpy as np
from recorded_play import FRAME, NUM_ENVS, STACK, Recording

BATCH = 32
RECORDED, BATCHES, REPEATS = 20_000, 200, 5
HEADER = (
    "storage",
    "transitions",
    "RssAnon, MiB",
    "RssFile, MiB",
    "memory per transition, bytes",
    "`nbytes` per transition",
    "transitions added per second",
    "batches per second, `sample`",
    "batches per second, `draw`",
)


def resident(kind: str) -> int:
    """Return bytes that this process has in memory, as Linux counts them."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[kind].split()[0]) * 1024


def rates(work, count: int) -> str:
    """Return the median and range of calls per processor second."""
    values = []
    for _ in range(REPEATS):
        start = time.process_time()
        for _ in range(count):
            work()
        values.append(count / (time.process_time() - start))
    low, middle, high = np.percentile(values, [0, 50, 100])
    return f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"


def measure(storage: str, transitions: int, folder: str | None) -> list[str]:
    """Fill a buffer and draw from it; return a row of the table."""
    import keras_rlkit as rlk

    recording = Recording(RECORDED // NUM_ENVS)
    before = {kind: resident(kind) for kind in ("RssAnon", "RssFile")}
    replay = rlk.replay.ReplayBuffer(
        transitions,
        (*FRAME, STACK),
        "uint8",
        num_envs=NUM_ENVS,
        frame_stack=STACK,
        seed=0,
        storage=rlk.replay.Disk(folder) if storage == "disk" else storage,
    )
    adding, added = 0.0, 0
    for step in recording.play():
        start = time.process_time()
        replay.add(*step)
        adding += time.process_time() - start
        added += NUM_ENVS
        if added >= transitions:
            break
    sample = rates(lambda: replay.sample(BATCH), BATCHES)
    draw = rates(lambda: replay.feed.draw(BATCH), BATCHES)
    grown = {kind: resident(kind) - size for kind, size in before.items()}
    return [
        f'`"{storage}"`',
        f"{len(replay):,}",
        *(f"{size / 2**20:,.0f}" for size in grown.values()),
        f"{sum(grown.values()) / len(replay):,.0f}",
        f"{replay.nbytes / len(replay):,.0f}",
        f"{added / adding:,.0f}",
        sample,
        draw,
    ]


def main() -> None:
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--transitions", type=int, default=1_000_000)
    parser.add_argument(
        "--storages", nargs="+", default=["memory", "compressed", "disk"]
    )
    parser.add_argument("--folder")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    lines = ["| " + " | ".join(HEADER) + " |", "|---" * len(HEADER) + "|"]
    spawn = multiprocessing.get_context("spawn")
    for storage in options.storages:
        with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
            arguments = (storage, options.transitions, options.folder)
            row = pool.submit(measure, *arguments).result()
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    print(
        f"{datetime.date.today()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}\n\n{text}"
    )
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
