"""Measure how fast the kit is, alone and beside others, in one command.

    python tests/benchmarks/run.py [--quick] [--only NAME ...]
        [--repeats N] [--out docs/results/benchmarks.md]

Prints one table, and writes it into the page, with every repeat's value beside
it in `figures.json`; with `--only`, what the page had of other sections stays.
Without `--out` the page is `runs/benchmarks/speed.md`.

Everything that is measured runs in a process of its own, other libraries in an
environment of their own, which is installed into `runs/benchmarks/` at the
first run. What is compared takes turns (A B A B ...), so that a machine whose
speed drifts hits all of it, and a ratio is the median over the pairs. The
kit's backend is that of KERAS_BACKEND. Nothing else should run meanwhile.
About half an hour on two cores, some of it to install; `--quick` needs half a
minute, no other libraries and no network, and writes no page unless told to.
"""

import argparse
import os
import pathlib
import sys

import harness
import section_loops
import section_parts

SECTIONS = {
    "space_invaders": section_loops.space_invaders,
    "split": section_loops.split,
    "cartpole": section_loops.cartpole,
    "cartpole_wide": section_loops.cartpole_wide,
    "tutorial": section_loops.tutorial,
    "fit": section_parts.fit,
    "products": section_parts.products,
    "acting": section_parts.acting,
    "sampling": section_parts.sampling,
    "import": section_parts.importing,
    "growth": section_loops.growth,
}
# Ratios that other work on the machine disturbs least.
QUICK = ("fit", "sampling")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="NAME")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    repeats = options.repeats or (2 if options.quick else 5)
    names = options.only or (QUICK if options.quick else SECTIONS)
    sections, failed = {}, []
    out = options.out
    if out is None and not options.quick:
        out = pathlib.Path("runs", "benchmarks", "speed.md")
    command = "python tests/benchmarks/run.py"
    if options.quick:
        command += " --quick"
    if options.repeats:
        command += f" --repeats {options.repeats}"
    for name in names:
        print(f"{name} ...", flush=True)
        try:
            section = SECTIONS[name](repeats, options.quick)
        except RuntimeError as error:
            # One that breaks half-way doesn't cost the others.
            print(f"{name} failed: {error}", flush=True)
            failed.append(name)
            continue
        section.date, section.machine = harness.today(), harness.machine()
        sections[name] = section
        print(*harness.table([section]), sep="\n", flush=True)
        if out:
            # Each section at once: an interrupted run keeps what it has.
            harness.write(out, {name: section}, command, tuple(SECTIONS))
    print("\n" + harness.block(list(sections.values()), command))
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
