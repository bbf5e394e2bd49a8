from typing import Any


def check_axes(axes: Any) -> Any:
    """Return `axes`, or new matplotlib axes in place of `None`.

    Raises:
        ImportError: If `axes` is `None` and matplotlib is missing.
    """
    if axes is not None:
        return axes
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib. Install it with `pip install matplotlib`."
        ) from error
    return pyplot.figure().add_subplot()
