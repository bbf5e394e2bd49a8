import pytest

from keras_rlkit.testing.clauses import require, run_clauses


class Part:
    pass


def fail():
    raise ZeroDivisionError("the engine is on fire")


def test_the_message_names_the_part_and_the_clause():
    message = "`Part` breaks the clause 'b': it must hold"
    clauses = {"a": list, "b": lambda: require(False, "it must hold")}
    with pytest.raises(AssertionError, match=message):
        run_clauses(Part, clauses, None)


def test_any_error_breaks_a_clause():
    message = "clause 'a': ZeroDivisionError: the engine is on fire"
    with pytest.raises(AssertionError, match=message):
        run_clauses(Part, {"a": fail}, None)


def test_clauses_that_are_skipped_do_not_run():
    run_clauses(Part, {"a": fail, "b": list}, {"a": "it has no engine"})


@pytest.mark.parametrize("skip", [{"c": "no such clause"}, {"a": " "}])
def test_a_skip_needs_a_clause_and_a_reason(skip):
    with pytest.raises(ValueError, match="`skip` must give a reason.*Received"):
        run_clauses(Part, {"a": list}, skip)
