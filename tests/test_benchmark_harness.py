"""The parts of the benchmarks that measure nothing: medians, pairs, tables."""

import json
import pathlib

import pytest

BENCHMARKS = pathlib.Path(__file__).parent / "benchmarks"


@pytest.fixture
def imported(monkeypatch):
    """Return a function that imports a benchmark's file by its name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name):
        return __import__(name)

    return load


@pytest.fixture
def harness(imported):
    return imported("harness")


def section(harness, title="loops", values=(10.0, 30.0, 20.0), **more):
    figure = harness.Figure("steps a second", list(values))
    return harness.Section(
        title,
        [figure],
        versions={"keras": "3.0"},
        date="2026-01-31",
        machine="a processor, 2 cores",
        **more,
    )


def test_turns_alternate(harness):
    order = []

    def work(name):
        order.append(name)
        return float(len(order))

    works = {name: lambda name=name: work(name) for name in "ab"}
    values = harness.take_turns(works, 3)
    assert order == list("ababab")
    assert values == {"a": [1, 3, 5], "b": [2, 4, 6]}


def test_ratio_is_the_median_over_pairs_not_of_medians(harness):
    # The machine slows down tenfold after the first pair.
    rates = {"ours": [200.0, 20.0, 30.0], "theirs": [100.0, 10.0, 10.0]}
    (figure,) = harness.comparisons(rates, "ours", ["theirs"], (">=", 2.0))
    assert figure.values == [2, 2, 3]
    assert figure.row() == (
        "| ratio: ours / theirs | 2.00 | 2.00 to 3.00, n = 3 | >= 2: met |"
    )


def test_pairs_must_be_complete(harness):
    with pytest.raises(ValueError):
        harness.pair_ratios([1.0, 2.0], [1.0])


def test_only_the_first_comparison_has_the_target(harness):
    rates = {"a": [1.0], "b": [2.0], "c": [4.0]}
    target = ("<=", 1.2)
    first, second = harness.comparisons(rates, "a", ["b", "c", "gone"], target)
    assert (first.target, second.target) == (target, None)


@pytest.mark.parametrize(
    "target, values, expected",
    [
        (None, [1.0], ""),
        ((">=", 0.8), [0.8], ">= 0.8: met"),
        ((">=", 2.0), [1.5], ">= 2: missed by 25.0%"),
        (("<=", 1.15), [1.0, 1.1, 9.0], "<= 1.15: met"),
        (("<=", 1.2), [1.5], "<= 1.2: missed by 25.0%"),
        ((">=", 6_000), [3_000.0], ">= 6,000: missed by 50.0%"),
    ],
)
def test_verdict(harness, target, values, expected):
    assert harness.verdict(target, values) == expected


def test_summary(harness):
    values = [3_000.0, 1_000.4, 1_200.0, 2_000.0]
    assert harness.summary(values) == ("1,600", "1,000 to 3,000")
    assert harness.cell(values) == "1,600 (1,000 to 3,000)"
    assert harness.cell([0.5], ".2f") == "0.50 (0.50 to 0.50)"
    assert harness.cell([]) == "-"


def test_table_has_four_cells_in_each_row(harness):
    lines = harness.table([section(harness), section(harness, "parts")])
    assert [line.count("|") for line in lines] == [5] * 6
    assert lines[2] == "| **loops** | | | |"
    assert lines[3] == "| steps a second | 20 | 10 to 30, n = 3 |  |"


def test_block_tells_how_it_was_measured(harness):
    other = section(harness, "parts", notes=["Nothing to see."])
    other.machine = "another processor, 8 cores"
    text = harness.block([section(harness), other], "python run.py")
    assert "\n    python run.py\n" in text
    assert "2026-01-31, a processor, 2 cores (loops)." in text
    assert "2026-01-31, another processor, 8 cores (parts)." in text
    assert "keras 3.0" in text
    assert "**parts.** Nothing to see." in text
    same = harness.block([section(harness)], "python run.py")
    assert "2026-01-31, a processor, 2 cores." in same


def test_only_the_measured_part_of_a_page_is_replaced(harness):
    old = harness.block([section(harness)], "python run.py")
    page = harness.put_block("# Speed\n\nWritten by hand.\n", old)
    page += "\n# Others\n"
    new = harness.block([section(harness, values=[5.0])], "python run.py")
    page = harness.put_block(page, new)
    assert page == f"# Speed\n\nWritten by hand.\n\n{new}\n\n# Others\n"
    assert "| 20 |" not in page


def test_a_cut_page_is_refused(harness):
    with pytest.raises(ValueError, match="without"):
        harness.put_block(harness.BEGIN, "anything")


def test_sections_that_were_not_measured_again_stay(harness, tmp_path):
    page = tmp_path / "speed.md"
    figure = harness.Figure("ratio", [0.5], ".2f", (">=", 1.0))
    parts = section(harness, "parts")
    parts.figures.append(figure)
    both = {"loops": section(harness), "parts": parts}
    harness.write(page, both, "python run.py")
    again = {"loops": section(harness, values=[7.0])}
    harness.write(page, again, "python run.py", ("parts", "loops"))
    text = page.read_text()
    assert text.index("**parts**") < text.index("**loops**")
    assert "| steps a second | 7 | 7 to 7, n = 1 |  |" in text
    assert "| ratio | 0.50 | 0.50 to 0.50, n = 1 | >= 1: missed by 50.0% |" in (
        text
    )
    raw = (tmp_path / "speed" / "figures.json").read_text()
    sections = harness.from_json(raw)
    assert sections["parts"] == parts
    assert sections["loops"].figures[0].values == [7.0]


PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
from answering import serve

def make(settings):
    print("what a library prints is no answer")
    if settings["fails"]:
        raise RuntimeError("no such library")
    return {{
        "run": lambda count: 2 * count,
        "idle": lambda count: None,
        "more": lambda count: {{"share": 0.5}},
        "report": {{"bytes": 7}},
    }}

serve(make, ("pytest",))
"""


@pytest.fixture
def program(tmp_path):
    file = tmp_path / "program.py"
    file.write_text(PROGRAM.format(folder=str(BENCHMARKS)))
    # An absolute path replaces the folder that it is joined to.
    return str(file)


def test_a_process_works_on_command(harness, program):
    probe = harness.Probe(program, {"fails": False})
    assert probe.report["bytes"] == 7
    assert probe.report["works"] == ["run", "idle", "more"]
    assert probe.report["versions"] == {"pytest": pytest.__version__}
    answers = [probe.work(name, 3) for name in ("run", "idle", "more")]
    assert [answer["done"] for answer in answers] == [6, 3, 3]
    assert answers[2]["share"] == 0.5
    assert all(answer["seconds"] >= 0 for answer in answers)
    probe.close()
    assert probe._process.poll() is not None


def test_what_does_not_start_is_noted(harness, program):
    makers = {
        name: lambda fails=fails: harness.Probe(program, {"fails": fails})
        for name, fails in (("good", False), ("bad", True))
    }
    with harness.Probes(makers) as probes:
        rates = probes.rates("run", 3, repeats=2)
        assert probes.names == ["good"]
        assert probes.notes == [
            "bad doesn't run: `RuntimeError: no such library`."
        ]
    assert list(rates) == ["good"] and len(rates["good"]) == 2


def test_every_section_of_quick_exists(imported):
    run = imported("run")
    assert set(run.QUICK) <= set(run.SECTIONS)
    # No other library takes part in a quick run.
    assert not {"space_invaders", "cartpole", "tutorial"} & set(run.QUICK)


@pytest.mark.parametrize(
    "flags, expected",
    [("fpu avx512_bf16 sse", True), ("fpu amx_bf16", True), ("fpu sse", False)],
)
def test_bfloat16_is_read_from_the_flags(harness, monkeypatch, flags, expected):
    monkeypatch.setattr(harness.pathlib.Path, "exists", lambda self: True)
    monkeypatch.setattr(
        harness.pathlib.Path, "read_text", lambda self: f"flags\t: {flags}\n"
    )
    assert harness.has_bfloat16() is expected


def test_a_section_that_fails_costs_no_other(imported, monkeypatch, tmp_path):
    run, harness = imported("run"), imported("harness")

    def fail(repeats, quick):
        raise RuntimeError("the process ended")

    sections = {
        "fit": fail,
        "acting": lambda repeats, quick: section(harness, "acting"),
    }
    monkeypatch.setattr(run, "SECTIONS", sections)
    page = tmp_path / "speed.md"
    words = ["run.py", "--only", "fit", "acting", "--out", str(page)]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit, match="fit"):
        run.main()
    assert "| **acting** |" in page.read_text()


class TwiceAsFast:
    """A process that isn't one: whatever is the kit's takes half as long."""

    works = ("gather", "sample", "add", "store", "dataset")

    def __init__(self, script, settings, peer=None, backend=None):
        self.script = script
        json.dumps(settings)  # They travel as JSON.
        self.report = {
            "versions": {"keras": "3.0"},
            "works": [f"replay.{work}" for work in self.works],
            "bytes": 7_056,
        }

    def work(self, name, count):
        seconds = 1.0 if self.script.endswith("_kit.py") else 2.0
        shares = dict.fromkeys(
            ("environment", "acting", "storing", "sampling", "training"), 20.0
        )
        return {"seconds": seconds, "done": count, **shares}

    def rate(self, name, count):
        answer = self.work(name, count)
        return answer["done"] / answer["seconds"]

    def close(self):
        pass


@pytest.fixture
def sections(imported, monkeypatch):
    """The sections, measuring processes that aren't any."""
    run = imported("run")
    for name in ("section_loops", "section_parts"):
        monkeypatch.setattr(imported(name), "Probe", TwiceAsFast)
    return {k: v for k, v in run.SECTIONS.items() if k != "import"}


def test_every_section_has_every_repeat_of_every_figure(sections, harness):
    for measure in sections.values():
        made = measure(3, False)
        once = "bytes of a stored transition"
        counts = {
            len(figure.values)
            for figure in made.figures
            if not figure.name.startswith(once)
        }
        assert counts == {3}
        names = [figure.name for figure in made.figures]
        assert len(set(names)) == len(names)
        assert not any("doesn't run" in note for note in made.notes)


@pytest.mark.parametrize(
    "name, ratio, targets",
    [
        ("space_invaders", 2.0, [(">=", 2.0)]),
        ("cartpole", 2.0, [(">=", 2.0)]),
        ("cartpole_wide", 2.0, [(">=", 2.0)]),
        ("tutorial", 2.0, [(">=", 2.5)]),
        ("fit", 1.0, [(">=", 0.95), (">=", 0.9)] * 2),
        ("acting", 1.0, [("<=", 1.2)] * 4),
        ("sampling", 1.0, [(">=", 0.8), (">=", 6_000)]),
    ],
)
def test_targets_stand_beside_the_kit_s_ratio(
    sections, monkeypatch, imported, name, ratio, targets
):
    loops = imported("section_loops")
    monkeypatch.setattr(loops, "has_bfloat16", lambda: False)
    figures = sections[name](2, False).figures
    with_target = [figure for figure in figures if figure.target]
    assert [figure.target for figure in with_target] == targets
    for figure in with_target:
        if "ratio" in figure.name or "rate of" in figure.name:
            assert figure.values == [ratio] * 2


def test_bfloat16_has_a_row_and_a_target_where_there_is_any(
    sections, monkeypatch, imported
):
    loops = imported("section_loops")
    monkeypatch.setattr(loops, "has_bfloat16", lambda: True)
    made = sections["space_invaders"](2, False)
    rows = {f.target: f for f in made.figures if "bfloat16" in f.name}
    assert set(rows) == {None, (">=", 2.5)}
    monkeypatch.setattr(loops, "has_bfloat16", lambda: False)
    made = sections["space_invaders"](2, False)
    assert not any("bfloat16" in figure.name for figure in made.figures)
    assert any("doesn't compute in bfloat16" in note for note in made.notes)
