import pytest

from keras_rlkit.testing.docstring_checks import check_docstring
from tests.testing.faulty_parts import DOCSTRING, Scale


def documented(text):
    def __init__(self, factor=1.0):
        self.factor = factor

    return type("Part", (), {"__doc__": text, "__init__": __init__})


def test_a_whole_docstring_passes():
    check_docstring(documented(DOCSTRING), ("Input shape", "Output shape"))


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "a docstring of its own"),
        ("", "a docstring of its own"),
        (DOCSTRING.replace("Args:", "Arguments:"), "a section `Args:`"),
        (DOCSTRING.replace("factor:", "other:"), "must describe `factor`"),
        (DOCSTRING.replace("Input shape:", ""), "a section `Input shape:`"),
        (DOCSTRING.replace(">>>", ""), "an example"),
    ],
)
def test_what_is_missing(text, message):
    with pytest.raises(AssertionError, match=message):
        check_docstring(documented(text), ("Input shape",))


def test_an_inherited_docstring_is_none_of_its_own():
    class Other(Scale):
        pass

    with pytest.raises(AssertionError, match="a docstring of its own"):
        check_docstring(Other)
