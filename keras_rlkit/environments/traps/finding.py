"""What `check` reports."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One trap that `check` has seen in an environment.

    Attributes:
        trap: Name of the trap: `"frame skip applied twice"`,
            `"sticky actions with an old protocol"`, `"unscaled images"`,
            `"channel order"`, `"values that are not finite"`,
            `"observations outside their space"`, `"final observation lost"`,
            `"rewards of huge scale"`, `"no reward seen"`,
            `"time limit hidden as terminal"`, `"episodes without an end"` or
            `"a lost life ends the episode"`.
        seen: What was seen, with its numbers.
        fix: What to do about it.

    Example:

    ```python
    import gymnasium

    environment = gymnasium.make("CartPole-v1").unwrapped
    (finding,) = rlk.environments.check(environment, verbose=False)
    print(finding.trap)  # time limit hidden as terminal
    print(finding.fix)
    ```
    """

    trap: str
    seen: str
    fix: str

    def __str__(self) -> str:
        """Return the finding as a paragraph."""
        return f"{self.trap}: {self.seen}\n   Fix: {self.fix}"
