"""Kill training at random instants, resume it, compare with no kill at all.

For each game and sampler one process trains without interruption. Then, again
and again, another process trains the same, is ended with SIGKILL at a random
instant of `fit`, and a third one resumes it to the end. Weights, optimizer,
buffer, priorities, `History` and the next batch must be the same bit for bit.

    python docs/results/exact_resume.py --kills 20
    KERAS_BACKEND=jax python docs/results/exact_resume.py --kills 4

`--child` is how the script calls itself.
"""

import argparse
import hashlib
import itertools
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

GAMES = ("cartpole", "space_invaders")
SAMPLERS = ("uniform", "prioritized")
EPOCHS = {"cartpole": 30, "space_invaders": 12}
STEPS_PER_EPOCH = 40
BEGUN, ENDED = "fit has begun", "fit has ended"


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--games", nargs="+", choices=GAMES, default=GAMES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=4, metavar="ARGUMENT")
    return parser.parse_args()


def make_parts(game, sampler):
    """Everything with a seed; small, but with all that has a state."""
    import gymnasium
    import keras

    import keras_rlkit as rlk

    keras.utils.set_random_seed(1)
    if game == "cartpole":
        environment = gymnasium.make_vec("CartPole-v1", 2, "sync")
        layers = [
            keras.Input((4,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dropout(0.1),
        ]
    else:
        environment = rlk.environments.atari("space_invaders", 2, seed=1)
        layers = [
            keras.Input((84, 84, 4), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(16, 8, strides=4, activation="relu"),
            keras.layers.Flatten(),
        ]
    num_actions = int(environment.single_action_space.n)
    layers.append(rlk.layers.DuelingHead(num_actions, units=32))
    agent = rlk.models.DoubleDQN(keras.Sequential(layers))
    agent.compile("adam", keras.losses.Huber(), steps_per_execution=4)
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment,
        capacity=700,
        frame_stack=None if game == "cartpole" else 4,
        n_step=3,
        sampler=rlk.replay.Prioritized() if sampler == "prioritized" else None,
        seed=2,
    )
    epsilon = keras.optimizers.schedules.PolynomialDecay(1.0, 500, 0.1)
    collect = rlk.callbacks.CollectSteps(
        environment,
        replay,
        rlk.policies.EpsilonGreedy(epsilon, seed=3),
        steps_per_update=2.5,
        warmup_steps=200,
        seed=4,
    )
    return agent, replay, collect


def train(game, sampler, folder, result):
    """Train to the end, from wherever the folder's save stands."""
    import keras

    import keras_rlkit as rlk

    agent, replay, collect = make_parts(game, sampler)
    on_tensorflow = keras.backend.backend() == "tensorflow"
    make_data = replay.dataset if on_tensorflow else replay.batches
    tell = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: print(BEGUN, flush=True),
        on_train_end=lambda logs: print(ENDED, flush=True),
    )
    # `prefetch` so that a batch has been drawn ahead whenever a save comes.
    agent.fit(
        make_data(32, prefetch=1),
        epochs=EPOCHS[game],
        steps_per_epoch=STEPS_PER_EPOCH,
        callbacks=[rlk.callbacks.ResumeTraining(folder), collect, tell],
        verbose=0,
    )
    pathlib.Path(result).write_text(json.dumps(fingerprints(agent, replay)))


def fingerprints(agent, replay):
    """One hash of every bit of each part."""
    import keras

    content = {
        "weights": agent.variables,
        "optimizer": agent.optimizer.variables,
        "buffer": list(replay.get_state()["arrays"].values()),
        "next batch": keras.tree.flatten(replay.sample(32)),
    }
    hashes = {
        part: hashlib.sha256(
            b"".join(
                keras.ops.convert_to_numpy(array).tobytes() for array in arrays
            )
        ).hexdigest()
        for part, arrays in content.items()
    }
    history = json.dumps([agent.history.epoch, agent.history.history])
    return {**hashes, "history": hashlib.sha256(history.encode()).hexdigest()}


def start(game, sampler, folder, result):
    """Start a training process, and wait until `fit` has begun."""
    command = [sys.executable, __file__, "--child", game, sampler]
    child = subprocess.Popen(
        [*command, str(folder), str(result)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(BEGUN, child)
    return child


def wait_for(text, child):
    for line in child.stdout:
        if line.strip() == text:
            return
    sys.exit(f"Training failed:\n{child.stderr.read()}")


def finish(child, saves):
    _, errors = child.communicate()
    if child.returncode:
        sys.exit(f"Training failed:\n{errors}")
    return json.loads((saves / "result").read_text())


def train_straight(case, folder):
    """Return the fingerprints, and how many seconds `fit` took."""
    saves = folder / "-".join(case)
    child = start(*case, saves, saves / "result")
    begin = time.perf_counter()
    wait_for(ENDED, child)
    duration = time.perf_counter() - begin
    return finish(child, saves), duration


def train_and_kill(case, saves, longest, instants):
    """Kill a training within `fit`; return after how many seconds."""
    while True:
        child = start(*case, saves, saves / "result")
        instant = instants.uniform(0, longest)
        time.sleep(instant)
        child.kill()
        if child.wait() == -signal.SIGKILL and not (saves / "result").exists():
            return instant
        # It was faster than the one before: another try.
        shutil.rmtree(saves)
        longest = instant


def count_saved_epochs(folder):
    saves = sorted(folder.glob("save_*.json"))
    return int(saves[-1].stem[5:]) if saves else 0


def main():
    arguments = read_arguments()
    if arguments.child:
        return train(*arguments.child)
    cases = list(itertools.product(arguments.games, SAMPLERS))
    instants = random.Random(arguments.seed)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        straight = {
            case: train_straight(case, folder)
            for case in cases[: arguments.kills]
        }
        for number in range(arguments.kills):
            case = cases[number % len(cases)]
            expected, longest = straight[case]
            saves = folder / str(number)
            instant = train_and_kill(case, saves, longest, instants)
            epochs = count_saved_epochs(saves)
            received = finish(start(*case, saves, saves / "result"), saves)
            differ = [p for p in expected if expected[p] != received[p]]
            wrong += bool(differ)
            print(
                f"{' '.join(case):27} killed after {instant:5.2f} s, "
                f"{epochs:2} of {EPOCHS[case[0]]} epochs saved: "
                + (f"DIFFERENT: {differ}" if differ else "the same"),
                flush=True,
            )
    print(f"{arguments.kills - wrong} of {arguments.kills} the same")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
