import re

import matplotlib.figure
import matplotlib.image
import numpy as np
import pytest

from keras_rlkit.plots import learning_curve

HEADER = "epoch,environment_steps,episode_return,evaluation_return,note\n"


@pytest.fixture
def figures(monkeypatch):
    """The figures that were saved, to look at what was drawn."""
    saved = []
    save = matplotlib.figure.Figure.savefig

    def keep(figure, *arguments, **options):
        saved.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", keep)
    return saved


def write(path, *rows):
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return path


def lines_of(figure):
    (axes,) = figure.axes
    return [line.get_xydata().tolist() for line in axes.lines]


def band_of(figure):
    """Lower and upper edge of the band at each of its steps."""
    (axes,) = figure.axes
    (band,) = axes.collections
    edges = {}
    for x, y in band.get_paths()[0].vertices.tolist():
        edges.setdefault(x, set()).add(round(y, 9))
    return {x: (min(ys), max(ys)) for x, ys in edges.items()}


def test_one_run(tmp_path, figures):
    run = write(
        tmp_path / "run.csv", "0,100,1.5,NA,a", "1,200,2.5,nan,b", "2,300,4,5,c"
    )
    path = tmp_path / "curve.png"
    learning_curve(
        run,
        x="environment_steps",
        y={"episode_return": "while learning", "evaluation_return": "greedy"},
        path=path,
        title="Run",
        x_label="steps",
        y_label="score",
    )
    learned, greedy = lines_of(figures[0])
    assert learned == [[100, 1.5], [200, 2.5], [300, 4.0]]
    # Nothing is drawn where there is no value yet.
    assert greedy == [[300, 5.0]]
    (axes,) = figures[0].axes
    assert axes.get_title() == "Run"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("steps", "score")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["while learning", "greedy"]
    assert not axes.collections
    picture = matplotlib.image.imread(path)
    assert picture.shape[:2] == (504, 840) and picture.std() > 0.05


def test_mean_and_spread_of_several_runs(tmp_path, figures):
    # The second run has stopped earlier, and knows its first score later.
    runs = [
        write(tmp_path / "0.csv", "0,100,1,1,", "1,200,2,2,", "2,300,3,3,"),
        write(tmp_path / "1.csv", "0,120,NA,1,", "1,220,6,2,"),
    ]
    learning_curve(
        [str(run) for run in runs],
        x="environment_steps",
        y={"episode_return": "five seeds"},
        path=tmp_path / "curve.png",
    )
    assert lines_of(figures[0]) == [[[110, 1], [210, 4]]]
    # Two values, 2 and 6, lie 2 from their mean.
    assert band_of(figures[0]) == {110: (1, 1), 210: (2, 6)}
    (axes,) = figures[0].axes
    assert axes.get_xlabel() == "environment_steps"


def test_runs_that_were_measured_in_different_epochs(tmp_path, figures):
    # The first run is at 1, 3 and 5 where it was measured, so at 2 halfway.
    # Nobody was measured at 400, and the second run not before 200.
    runs = [
        write(
            tmp_path / "0.csv",
            "0,100,1,NA,",
            "1,200,NA,NA,",
            "2,300,3,NA,",
            "3,400,NA,NA,",
            "4,500,5,NA,",
        ),
        write(
            tmp_path / "1.csv",
            "0,100,NA,NA,",
            "1,200,4,NA,",
            "2,300,NA,NA,",
            "3,400,NA,NA,",
            "4,500,10,NA,",
        ),
    ]
    learning_curve(
        runs,
        x="environment_steps",
        y={"episode_return": "two seeds"},
        path=tmp_path / "curve.png",
    )
    # At 300 the second run is a third of its way from 4 to 10.
    expected = [[100, 1], [200, (2 + 4) / 2], [300, (3 + 6) / 2], [500, 7.5]]
    assert lines_of(figures[0]) == [expected]
    assert band_of(figures[0]) == {
        100: (1, 1),
        200: (2, 4),
        300: (3, 6),
        500: (5, 10),
    }


def test_one_file_of_two_trainings(tmp_path, figures):
    # `append=True`, and the second one counts its epochs from 0 again.
    path = write(tmp_path / "0.csv", "0,100,1,,", "1,200,2,,", "0,300,7,,")
    learning_curve(
        path, x="epoch", y={"episode_return": "y"}, path=tmp_path / "curve.png"
    )
    assert lines_of(figures[0]) == [[[0, 1], [1, 2], [0, 7]]]


def test_lines_to_compare_with(tmp_path, figures):
    run = write(tmp_path / "run.csv", "0,100,1,1,")
    learning_curve(
        run,
        x="epoch",
        y={"episode_return": "agent"},
        path=tmp_path / "curve.png",
        references={"random": 148.4},
    )
    (axes,) = figures[0].axes
    assert axes.lines[1].get_ydata() == [148.4, 148.4]
    assert [text.get_text() for text in axes.texts] == ["random 148"]


def test_a_column_without_any_value(tmp_path, figures):
    run = write(tmp_path / "run.csv", "0,100,1,NA,", "1,200,2,NA,")
    learning_curve(
        run,
        x="epoch",
        y={"episode_return": "agent", "evaluation_return": "greedy"},
        path=tmp_path / "curve.png",
    )
    assert lines_of(figures[0]) == [[[0, 1], [1, 2]], []]


def test_other_formats(tmp_path):
    run = write(tmp_path / "run.csv", "0,100,1,1,")
    learning_curve(
        run, x="epoch", y={"episode_return": "a"}, path=tmp_path / "curve.svg"
    )
    assert "<svg" in (tmp_path / "curve.svg").read_text()


def test_no_window_system_is_touched(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("pyplot keeps figures and may open windows")

    monkeypatch.setattr("matplotlib.pyplot.figure", refuse)
    run = write(tmp_path / "run.csv", "0,100,1,1,")
    learning_curve(
        run, x="epoch", y={"episode_return": "a"}, path=tmp_path / "curve.png"
    )


def test_nothing_to_draw(tmp_path):
    y, path = {"episode_return": "a"}, tmp_path / "curve.png"
    with pytest.raises(ValueError, match=r"`runs` must name .*: runs=\[\]\."):
        learning_curve([], "epoch", y, path)
    empty = write(tmp_path / "empty.csv")
    with pytest.raises(
        ValueError, match="`runs` must be files with at least one epoch. Rec"
    ):
        learning_curve(empty, "epoch", y, path)
    with pytest.raises(FileNotFoundError, match="missing.csv"):
        learning_curve(tmp_path / "missing.csv", "epoch", y, path)
    assert not path.exists()


@pytest.mark.parametrize("x, y", [("steps", "loss"), ("epoch", "steps")])
def test_columns_that_are_not_there(tmp_path, x, y):
    run = write(tmp_path / "run.csv", "0,100,1,1,")
    missing = re.escape(str([name for name in (x, y) if name != "epoch"]))
    with pytest.raises(
        ValueError,
        match="`x` and `y` must name columns of .*run.csv', which has "
        rf"\['epoch', .*\]\. Received: {missing}\.",
    ):
        learning_curve(run, x, {y: "a"}, tmp_path / "curve.png")


def test_columns_that_are_not_drawn_may_hold_anything(tmp_path, figures):
    run = write(tmp_path / "run.csv", "0,100,1,x,hello")
    learning_curve(
        run, x="epoch", y={"episode_return": "a"}, path=tmp_path / "curve.png"
    )
    assert lines_of(figures[0]) == [[[0, 1]]]
    assert np.isfinite(figures[0].axes[0].get_ylim()).all()
