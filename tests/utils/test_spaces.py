import numpy as np
import pytest
from gymnasium import spaces

from keras_rlkit.utils import leaf_spaces, observation_parts

IMAGE = spaces.Box(0, 255, (4, 4), "uint8")


def test_an_array():
    assert observation_parts(IMAGE) == ((4, 4), np.dtype("uint8"), False)
    assert observation_parts(spaces.Discrete(3)) == (
        (),
        np.dtype("int64"),
        False,
    )
    assert leaf_spaces(IMAGE) == [("", IMAGE)]


def test_nests_and_their_mask():
    mask, number = spaces.MultiBinary(2), spaces.Discrete(2)
    space = spaces.Dict(
        {"z": spaces.Tuple([IMAGE, number]), "action_mask": mask}
    )
    shape, dtype, has_mask = observation_parts(space)
    assert shape == {"z": ((4, 4), ())} and has_mask
    assert dtype == {"z": (np.dtype("uint8"), np.dtype("int64"))}
    assert leaf_spaces(space) == [("['z'][0]", IMAGE), ("['z'][1]", number)]


def test_a_mask_deeper_inside_or_alone_is_an_array_as_others():
    inside = spaces.Dict(
        {"action_mask": spaces.MultiBinary(2), "a": spaces.Discrete(3)}
    )
    shape, _, has_mask = observation_parts(spaces.Dict({"b": inside}))
    assert shape == {"b": {"action_mask": (2,), "a": ()}} and not has_mask
    alone = spaces.Dict({"action_mask": spaces.MultiBinary(2)})
    assert observation_parts(alone)[::2] == ({"action_mask": (2,)}, False)
    assert [path for path, _ in leaf_spaces(alone)] == ["['action_mask']"]


@pytest.mark.parametrize(
    "space",
    [
        spaces.Text(3),
        spaces.Graph(IMAGE, None),
        spaces.Sequence(IMAGE),
        spaces.OneOf([IMAGE, spaces.Discrete(2)]),
    ],
)
def test_what_is_no_array(space):
    with pytest.raises(ValueError, match=r"observation_space\['a'\]="):
        observation_parts(spaces.Dict({"a": space}))
