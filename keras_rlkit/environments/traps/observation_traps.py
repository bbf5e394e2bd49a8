"""The traps of observations: not finite, outside their space, misplaced."""

from collections.abc import Iterator

from keras_rlkit.environments.traps.finding import Finding
from keras_rlkit.environments.traps.observation_watch import (
    ObservationWatch,
)


def not_finite(watch: ObservationWatch) -> Iterator[Finding]:
    """Find observations and rewards that are NaN or infinite.

    Args:
        watch: What a random player saw.

    Yields:
        At most one finding.
    """
    if watch.not_finite:
        yield Finding(
            "values that are not finite",
            f"{watch.not_finite}; a single one makes every weight NaN.",
            "mend the environment, or put a finite number in the place of "
            "what is missing, `gymnasium.wrappers.TransformObservation("
            "environment, np.nan_to_num, environment.observation_space)`.",
        )


def outside_space(watch: ObservationWatch) -> Iterator[Finding]:
    """Find observations that their space doesn't contain.

    Args:
        watch: What a random player saw.

    Yields:
        At most one finding.
    """
    if watch.outside:
        yield Finding(
            "observations outside their space",
            f"{watch.outside}: whatever scales by the bounds of the space, or "
            "counts its elements, goes wrong there.",
            "declare the bounds that the environment really has, or clip to "
            "them with `gymnasium.wrappers.TransformObservation`.",
        )


def false_end(watch: ObservationWatch) -> Iterator[Finding]:
    """Find final observations that are the first ones of the next episode.

    Args:
        watch: What a random player saw.

    Yields:
        At most one finding.
    """
    if watch.false_ends:
        yield Finding(
            "final observation lost",
            f"{watch.false_ends} episodes ended with exactly the observation "
            "that the next one began with: their last transitions lead into "
            "another episode.",
            "let the environment return an array of its own in each step, "
            "`return observation.copy()`, and take the last observation of an "
            "episode before the reset; in SAME_STEP mode it belongs into "
            '`info["final_obs"]`.',
        )
