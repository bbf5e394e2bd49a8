"""`fit` beside bare loops of as many gradient steps."""

from gpu_figures import Figures, seconds_of
from gpu_kit import bare_step, make_agent, make_game, on_device
from gpu_settings import (
    BATCH,
    WARMUP,
)


def gradient_step(
    figures: Figures, repeats: int, steps: int, executions: tuple[int, ...]
) -> None:
    """Measure `fit` beside bare loops of as many steps."""
    import jax

    replay, collect = make_game(8, WARMUP)
    agents = {
        (double, count): make_agent(count, double)
        for double in (False, True)
        for count in executions
    }
    collect.set_model(agents[False, executions[0]])
    collect.on_train_begin()
    batches = replay.batches(BATCH)
    ready = on_device(batches)
    bare = {double: bare_step(double) for double in (False, True)}

    def run_bare(double: bool) -> None:
        step, state = bare[double]
        for _ in range(steps):
            state, value = step(state, next(ready))
        jax.block_until_ready(state)
        bare[double] = step, state

    def run_own(agent) -> None:
        """Call what `fit` has compiled, and hand the state back."""
        state = agent._get_jax_state(
            trainable_variables=True,
            non_trainable_variables=True,
            optimizer_variables=True,
            metrics_variables=True,
        )
        for _ in range(steps // agent.steps_per_execution):
            logs, state = agent.train_function(state, ready)
        jax.block_until_ready(state)
        parts = ("trainable", "non_trainable", "optimizer", "metrics")
        agent._jax_state = {
            f"{part}_variables": variables
            for part, variables in zip(parts, state, strict=True)
        }
        agent._jax_state_synced = False
        agent.jax_state_sync()
        agent._jax_state = None

    def run_fit(agent, steps: int) -> None:
        agent.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)

    for (double, count), agent in agents.items():
        run_fit(agent, max(executions))
        run_own(agent)
        if count == executions[0]:
            run_bare(double)
        figures.say(f"compiled: double={double}, {count} steps per execution")
    for _ in range(repeats):
        for (double, count), agent in agents.items():
            setting = "double" if double else "ordinary"
            setting += f", {count} steps per execution"
            by_hand = seconds_of(lambda double=double: run_bare(double))
            own = seconds_of(lambda agent=agent: run_own(agent))
            fit = seconds_of(lambda agent=agent: run_fit(agent, steps))
            for name, value in (
                ("bare jitted step", by_hand),
                ("the agent's step, batches on the device", own),
                ("`fit`", fit),
            ):
                figures.add(name, setting, "ms per step", 1000 * value / steps)
            for name, value in (
                ("`fit` / bare jitted step", by_hand),
                ("`fit` / the agent's step", own),
            ):
                figures.add(name, setting, "times", fit / value)
    figures.show("bare jitted step", "`fit`", "`fit` / bare jitted step")
