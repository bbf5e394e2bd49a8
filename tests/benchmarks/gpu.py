"""Measure Space Invaders on a GPU, beside Stable-Baselines3, in one run.

    KERAS_BACKEND=jax python tests/benchmarks/gpu.py [--quick] [--out FOLDER]

Runs on the JAX backend, on whatever device JAX finds; without a GPU it says so
and measures the same on the CPU. Four parts:

1. the gradient step: `fit` against two bare loops over batches that are on the
   device already, one of a jitted step written by hand, one of the agent's own;
2. the whole loop: environment steps per second with one gradient step of 32
   for each 4 environment steps, against Stable-Baselines3's DQN, and where
   the time goes;
3. memory over ten agents built, trained and deleted in one process;
4. how long a policy takes to choose actions.

What is compared is measured in turn (A B A B ...), so that a machine whose
speed drifts hits all; a ratio is the median over the rounds. The peer lives in
a process of its own; `--sb3_python` is its interpreter, which needs
stable-baselines3, ale-py and opencv-python-headless. `--sb3_python install`
makes one in `runs/benchmarks/`. Each program compiles once, into a folder that
is deleted afterwards. FOLDER then holds `gpu.csv`, a row for each measurement,
and `gpu.md`, the medians. Nothing else should run meanwhile.
"""

import argparse
import csv
import functools
import gc
import importlib.metadata
import itertools
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import harness

# Else JAX takes most of the device's memory at once, and tells nothing.
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"

BATCH, STACK, FRAME, NUM_ACTIONS = 32, 4, (84, 84), 6
CAPACITY, TARGET_PERIOD, LEARNING_RATE, DISCOUNT = 20_000, 2_000, 1e-4, 0.99
STEPS_PER_UPDATE, EPSILON = 4, 0.1
WARMUP, QUICK_WARMUP = 2_000, 200
EXECUTIONS, QUICK_EXECUTIONS = (1, 8, 32), (8,)
NUM_ENVS, QUICK_NUM_ENVS = (1, 8, 16, 32), (8,)
PEER_NUM_ENVS = (1, 8)
AGENTS, QUICK_AGENTS = 10, 2

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--repeats", type=int, help="rounds of parts 1, 2 and 4")
parser.add_argument("--out", type=pathlib.Path)
parser.add_argument("--sb3_python", default=sys.executable)
parser.add_argument("--peer", type=int, help=argparse.SUPPRESS)

# ---- the peer, in its own process


def serve_peer(num_envs: int, warmup: int) -> None:
    """Train Stable-Baselines3's DQN by commands from standard input."""
    import ale_py
    import gymnasium
    import stable_baselines3 as sb3
    import torch
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import VecFrameStack

    gymnasium.register_envs(ale_py)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    environment = VecFrameStack(
        make_atari_env(
            "ALE/SpaceInvaders-v5",
            n_envs=num_envs,
            seed=0,
            wrapper_kwargs={"terminal_on_life_loss": False},
            env_kwargs={"frameskip": 1, "repeat_action_probability": 0.0},
        ),
        STACK,
    )
    # One step of all environments is followed by as many gradient steps as
    # keep the ratio.
    freq = max(1, STEPS_PER_UPDATE // num_envs)
    model = sb3.DQN(
        "CnnPolicy",
        environment,
        learning_rate=LEARNING_RATE,
        buffer_size=CAPACITY,
        optimize_memory_usage=False,
        learning_starts=warmup,
        batch_size=BATCH,
        train_freq=freq,
        gradient_steps=freq * num_envs // STEPS_PER_UPDATE,
        gamma=DISCOUNT,
        target_update_interval=TARGET_PERIOD * STEPS_PER_UPDATE,
        exploration_fraction=1e-6,
        exploration_final_eps=EPSILON,
        seed=0,
        device=device,
    )
    model.learn(warmup + 100)
    observation = environment.reset()

    def learn(steps: int) -> dict:
        steps_before, updates_before = model.num_timesteps, model._n_updates
        start = time.perf_counter()
        model.learn(steps, reset_num_timesteps=False)
        if device == "cuda":
            torch.cuda.synchronize()
        return {
            "seconds": time.perf_counter() - start,
            "steps": model.num_timesteps - steps_before,
            "updates": model._n_updates - updates_before,
        }

    def act(count: int) -> dict:
        model.predict(observation, deterministic=True)
        start = time.perf_counter()
        for _ in range(count):
            model.predict(observation, deterministic=True)
        return {"seconds": time.perf_counter() - start, "steps": count}

    names = ("stable-baselines3", "torch")
    answer({"device": device, "versions": versions(names)})
    for line in sys.stdin:
        command, count = line.split()
        answer({"learn": learn, "act": act}[command](int(count)))


def answer(message: dict) -> None:
    """Write an answer of a peer."""
    print("@" + json.dumps(message), flush=True)


class Peer:
    """Stable-Baselines3 in another process."""

    def __init__(self, interpreter: str, num_envs: int, quick: bool):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [interpreter, __file__, "--peer", str(num_envs)]
            + ["--quick"] * quick,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.about: dict = {}

    def wait(self) -> None:
        """Wait until it is warmed up."""
        self.about = self._answer()

    def ask(self, command: str, count: int) -> dict:
        """Let it measure something."""
        self.process.stdin.write(f"{command} {count}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        for line in self.process.stdout:
            if line.startswith("@"):
                return json.loads(line[1:])
        self.log.seek(0)
        error = self.log.read().strip().splitlines()
        raise RuntimeError(error[-1] if error else "no answer")


def start_peers(interpreter: str, quick: bool) -> dict[int, Peer]:
    """Start the peers, which then warm up on their own."""
    if interpreter == "install":
        from peer_environments import python_of

        interpreter = python_of("sb3")
    return {count: Peer(interpreter, count, quick) for count in PEER_NUM_ENVS}


# ---- figures


class Figures:
    """What was measured: rows of figure, setting, unit and values."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str, str], list[float]] = {}
        self.notes: list[str] = []
        self._begin = time.perf_counter()

    def add(self, figure: str, setting: str, unit: str, value: float) -> None:
        """Add one measurement."""
        self.values.setdefault((figure, setting, unit), []).append(value)

    def say(self, text: str) -> None:
        """Print where we are."""
        seconds = time.perf_counter() - self._begin
        print(f"[{seconds:5.0f} s] {text}", flush=True)

    def show(self, *figures: str) -> None:
        """Print the medians of some figures."""
        for (figure, setting, unit), values in self.values.items():
            if figure in figures:
                self.say(f"{figure}, {setting}: {median(values)} {unit}")

    def write(self, folder: pathlib.Path, head: list[str]) -> None:
        """Write all measurements as CSV, their medians as Markdown."""
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "gpu.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["figure", "setting", "unit", "round", "value"])
            for key, values in self.values.items():
                for number, value in enumerate(values):
                    writer.writerow([*key, number, repr(value)])
        lines = [
            *head,
            "",
            "| figure | setting | unit | median | range |",
            "|---|---|---|---|---|",
        ]
        for key, values in self.values.items():
            low, high = form(min(values)), form(max(values))
            spread = f"{low} to {high}, n = {len(values)}"
            lines.append(f"| {' | '.join((*key, median(values), spread))} |")
        lines += [part for note in self.notes for part in ("", note)]
        (folder / "gpu.md").write_text("\n".join(lines) + "\n")


def form(value: float) -> str:
    """Return a number in four digits or whole."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def median(values: list[float]) -> str:
    """Return the median of some numbers as text."""
    return form(statistics.median(values))


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Return what the machine is called: device, processor, cores."""
    import jax

    device = jax.local_devices()[0]
    return (
        f"{device.device_kind} ({device.platform}), {harness.machine()}, "
        f"Python {platform.python_version()}"
    )


# ---- the kit


def make_agent(steps_per_execution: int, double: bool = False):
    """Return a compiled agent."""
    import keras
    import networks

    import keras_rlkit as rlk

    agent = rlk.models.DoubleDQN(
        networks.nature(NUM_ACTIONS),
        target_update_period=TARGET_PERIOD,
        double=double,
    )
    agent.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss=keras.losses.Huber(),
        steps_per_execution=steps_per_execution,
    )
    return agent


def make_game(num_envs: int, warmup: int):
    """Return a buffer and what fills it."""
    import keras_rlkit as rlk

    environment = rlk.environments.atari("space_invaders", num_envs, seed=0)
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment,
        capacity=CAPACITY,
        frame_stack=STACK,
        discount=DISCOUNT,
        seed=0,
    )
    collect = rlk.callbacks.CollectSteps(
        environment,
        replay,
        rlk.policies.EpsilonGreedy(EPSILON, seed=0),
        steps_per_update=STEPS_PER_UPDATE,
        warmup_steps=warmup,
        reward_range=(-1, 1),
        seed=0,
        log_time=True,
    )
    return replay, collect


def on_device(batches) -> itertools.cycle:
    """Return some batches, again and again, that are on the device."""
    import jax

    return itertools.cycle([jax.device_put(batches[i]) for i in range(8)])


def bare_step(double: bool) -> tuple[Callable, tuple]:
    """Return a jitted DQN step written by hand, and its first state."""
    import jax
    import jax.numpy as jnp
    import keras
    import networks

    network = networks.nature(NUM_ACTIONS)
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build(network.trainable_variables)
    huber = keras.losses.Huber()

    def values(weights, observation):
        return network.stateless_call(weights, [], observation)[0]

    def chosen(values, action):
        return jnp.take_along_axis(values, action[:, None], 1)

    def loss(weights, target_weights, observation, transition):
        following = transition["next_observation"]
        next_target = values(target_weights, following)
        judge = values(weights, following) if double else next_target
        next_value = chosen(next_target, judge.argmax(1))[:, 0]
        target = transition["reward"] + transition["discount"] * next_value
        value = chosen(values(weights, observation), transition["action"])
        return huber(jax.lax.stop_gradient(target)[:, None], value)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, batch):
        weights, target_weights, optimizer_state, count = state
        value, gradient = jax.value_and_grad(loss)(
            weights, target_weights, *batch
        )
        weights, optimizer_state = optimizer.stateless_apply(
            optimizer_state, gradient, weights
        )
        count += 1
        target_weights = jax.lax.cond(
            count % TARGET_PERIOD == 0,
            lambda: weights,
            lambda: target_weights,
        )
        return (weights, target_weights, optimizer_state, count), value

    def copies(variables):
        return [jnp.array(v.value, copy=True) for v in variables]

    weights = network.trainable_variables
    state = copies(weights), copies(weights), copies(optimizer.variables)
    return step, (*state, jnp.array(0))


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


def whole_loop(
    figures: Figures,
    peers: dict[int, Peer],
    repeats: int,
    updates: int,
    sizes: tuple[int, ...],
) -> None:
    """Measure environment steps per second, beside the peer."""
    games = {}
    for num_envs in sizes:
        replay, collect = make_game(num_envs, WARMUP)
        games[num_envs] = make_agent(8), replay.batches(BATCH), collect

    def fit(num_envs: int, updates: int) -> tuple[float, dict]:
        """Return environment steps per second, and where the time went."""
        agent, batches, collect = games[num_envs]
        before, start = collect.environment_steps, time.perf_counter()
        history = agent.fit(
            batches,
            steps_per_epoch=updates,
            callbacks=[collect],
            shuffle=False,
            verbose=0,
        ).history
        rate = collect.environment_steps - before
        rate /= time.perf_counter() - start
        shares = {
            name.removeprefix("time_"): values[-1]
            for name, values in history.items()
            if name.startswith("time_")
        }
        return rate, shares

    for num_envs in sizes:
        fit(num_envs, 16)
        figures.say(f"compiled: {num_envs} environments")
    for num_envs, peer in list(peers.items()):
        try:
            peer.wait()
            figures.say(f"Stable-Baselines3 with {num_envs} is ready")
        except RuntimeError as error:
            figures.notes.append(f"Stable-Baselines3 doesn't run: `{error}`")
            figures.say(figures.notes[-1])
            del peers[num_envs]
    unit = "environment steps per second"
    for _ in range(repeats):
        rates = {}
        for count in sizes:
            rates[count], shares = fit(count, updates)
            setting = f"{count} environments"
            figures.add("whole loop", setting, unit, rates[count])
            for part, share in shares.items():
                figures.add(f"time, {part}", setting, "%", 100 * share)
        for peer_count, peer in peers.items():
            # Whole rounds of the peer's environments, half as many: it is
            # slower and need not be waited for.
            done = peer.ask("learn", updates * STEPS_PER_UPDATE // 2)
            rate = done["steps"] / done["seconds"]
            name = f"Stable-Baselines3, {peer_count} environments"
            figures.add("whole loop", name, unit, rate)
            ratio = done["steps"] / max(done["updates"], 1)
            figures.add("environment steps per gradient step", name, "", ratio)
            for count in sizes:
                setting = f"{count} environments / {name}"
                figures.add(
                    "whole loop, ratio", setting, "times", rates[count] / rate
                )
    figures.show("whole loop", "whole loop, ratio")
    for part in ("environment", "acting", "storing", "sampling", "training"):
        figures.show(f"time, {part}")


def acting(
    figures: Figures, peers: dict[int, Peer], repeats: int, count: int
) -> None:
    """Measure how long choosing actions takes."""
    import numpy as np

    import keras_rlkit as rlk

    agent = make_agent(1)
    policy = rlk.policies.EpsilonGreedy(0.0, seed=0)
    random = np.random.default_rng(0)
    observations = {
        size: random.integers(255, size=(size, *FRAME, STACK), dtype=np.uint8)
        for size in (1, 8, 32)
    }

    def act(size: int) -> None:
        for _ in range(count):
            policy(agent, observations[size], 0)

    for size in observations:
        act(size)
    for _ in range(repeats):
        for size in observations:
            value = seconds_of(lambda size=size: act(size)) / count
            setting = f"{size} observations"
            figures.add("acting", setting, "ms per call", 1000 * value)
        for size, peer in peers.items():
            done = peer.ask("act", count)
            figures.add(
                "acting",
                f"Stable-Baselines3, {size} observations",
                "ms per call",
                1000 * done["seconds"] / done["steps"],
            )
    figures.show("acting")


def memory(figures: Figures, steps: int, agents: int) -> None:
    """Measure the memory that is left after each of several agents."""
    import jax
    import psutil

    statistics_of_device = jax.local_devices()[0].memory_stats()
    if statistics_of_device is None:
        figures.notes.append(
            "This device tells nothing of its memory: only the process' "
            "resident memory was measured."
        )
        figures.say(figures.notes[-1])
    replay, collect = make_game(8, WARMUP)
    batches = replay.batches(BATCH)
    for number in range(agents):
        agent = make_agent(8)
        agent.fit(
            batches,
            steps_per_epoch=steps,
            callbacks=[collect],
            shuffle=False,
            verbose=0,
        )
        del agent
        collect._model = None
        gc.collect()
        resident = psutil.Process().memory_info().rss / 2**20
        figures.add("resident memory", "after each agent", "MiB", resident)
        text = f"agent {number + 1} of {agents}: {resident:,.0f} MiB resident"
        if statistics_of_device is not None:
            used = jax.local_devices()[0].memory_stats()["bytes_in_use"]
            used /= 2**20
            figures.add("device memory in use", "after each agent", "MiB", used)
            text += f", {used:,.2f} MiB on the device"
        figures.say(text)
    for (figure, _, _), values in list(figures.values.items()):
        if figure in ("resident memory", "device memory in use"):
            figures.notes.append(
                f"{figure}, MiB, after agents 1 to {agents}: "
                + ", ".join(f"{value:,.2f}" for value in values)
                + "."
            )


def head_of(about: str, peers: dict[int, Peer]) -> list[str]:
    """Return the page's first lines."""
    known = versions(("keras", "jax", "numpy", "ale-py", "gymnasium"))
    for peer in peers.values():
        known |= peer.about["versions"]
    used = ", ".join(f"{name} {number}" for name, number in known.items())
    devices = {peer.about["device"] for peer in peers.values()}
    return [
        "# Space Invaders on a GPU",
        "",
        f"{harness.today()}, {about}; {used}; Stable-Baselines3 on "
        f"{', '.join(devices) or 'nothing'}.",
        "",
        f"    KERAS_BACKEND=jax {' '.join(['python', *sys.argv])}",
    ]


def main() -> None:
    options = parser.parse_args()
    if options.peer:
        serve_peer(options.peer, QUICK_WARMUP if options.quick else WARMUP)
        return
    quick = options.quick
    repeats = options.repeats or (2 if quick else 5)
    figures = Figures()
    peers = start_peers(options.sb3_python, quick)
    import jax
    import keras

    if keras.backend.backend() != "jax":
        parser.error("this needs the JAX backend: set KERAS_BACKEND=jax")
    about = machine()
    figures.say(about)
    if jax.local_devices()[0].platform == "cpu":
        figures.notes.append("No GPU was found: all of this is on the CPU.")
        figures.say(figures.notes[-1])

    def save() -> None:
        """Write what is known so far, should the run be ended."""
        if options.out:
            figures.write(options.out, head_of(about, peers))

    with tempfile.TemporaryDirectory() as folder:
        # Agents alike share one program, as those of two runs would.
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        try:
            whole_loop(
                figures,
                peers,
                repeats,
                16 if quick else 384,
                QUICK_NUM_ENVS if quick else NUM_ENVS,
            )
            save()
            acting(figures, peers, repeats, 10 if quick else 200)
            save()
        finally:
            for peer in peers.values():
                peer.process.kill()
        gradient_step(
            figures,
            repeats,
            8 if quick else 384,
            QUICK_EXECUTIONS if quick else EXECUTIONS,
        )
        save()
        memory(figures, 8 if quick else 32, QUICK_AGENTS if quick else AGENTS)
        save()
    figures.say("done")


if __name__ == "__main__":
    main()
