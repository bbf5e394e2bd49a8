"""Parts of the kit and what bounds them, measured on command.

What is compared stands in one process, and takes turns there. The settings name
parts with their arguments: `fit` against a bare loop over the same compiled
step, `products` that such a step can't do without, `acting` against a bare
compiled forward pass, `sampling` and adding against bare NumPy.
"""

import itertools

import gymnasium
import keras
import networks
import numpy as np
from answering import serve
from recorded_play import FRAME, NUM_ENVS, STACK, Recording

import keras_rlkit as rlk

BATCH = 32
PACKAGES = ("keras", "tensorflow", "jax", "numpy", "ale-py", "gymnasium")
on_tensorflow = keras.backend.backend() == "tensorflow"


def frames(capacity: int) -> rlk.replay.ReplayBuffer:
    """Return a full buffer of Space Invaders."""
    replay = rlk.replay.ReplayBuffer(
        capacity,
        (*FRAME, STACK),
        "uint8",
        num_envs=NUM_ENVS,
        frame_stack=STACK,
        seed=0,
    )
    play = Recording(500).play()
    for step in itertools.islice(play, capacity // NUM_ENVS + 1):
        replay.add(*step)
    return replay


def vectors(capacity: int) -> rlk.replay.ReplayBuffer:
    """Return a full buffer of CartPole's size."""
    environment = gymnasium.make("CartPole-v1")
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment, capacity, seed=0
    )
    random = np.random.default_rng(0)
    no = np.array([False])
    for row in range(capacity):
        now, then = random.normal(size=(2, 1, 4)).astype("float32")
        action = np.array([row % 2])
        replay.add(now, action, np.ones(1), no, no, then)
    return replay


def fit(network: str, steps_per_execution: int) -> dict:
    """Return `fit` and a bare loop over its compiled step."""
    if network == "nature":
        replay, q_network = frames(2_000), networks.nature()
    else:
        replay, q_network = vectors(2_000), networks.dense((256, 256))
    agent = rlk.models.DoubleDQN(q_network, target_update_period=250)
    agent.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=keras.losses.Huber(),
        steps_per_execution=steps_per_execution,
    )
    name = "dataset" if on_tensorflow else "batches"
    batches = getattr(replay, name)(BATCH)

    def run(steps: int) -> None:
        agent.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)

    def bare(steps: int) -> None:
        calls = steps // steps_per_execution
        if on_tensorflow:
            iterator = iter(batches)
            for _ in range(calls):
                logs = agent.train_function(iterator)
            float(logs["loss"])
            return
        iterator = (batches[i] for i in itertools.count())
        parts = ("trainable", "non_trainable", "optimizer", "metrics")
        names = [f"{part}_variables" for part in parts]
        state = agent._get_jax_state(**dict.fromkeys(names, True))
        for _ in range(calls):
            logs, state = agent.train_function(state, iterator)
        float(logs["loss"])
        agent._jax_state = dict(zip(names, state, strict=True))
        agent._jax_state_synced = False
        agent.jax_state_sync()

    run(4 * steps_per_execution)
    bare(2 * steps_per_execution)
    return {"fit": run, "bare": bare}


def products() -> dict:
    """Return the products alone of a gradient step of the Nature network.

    Convolutions and matrix products of both networks' forward passes and of
    the backward pass, on data that are there, and nothing between them.
    """
    import tensorflow as tf

    layers = [layer for layer in networks.nature().layers if layer.weights]

    def product(layer: keras.Layer, x: tf.Tensor, kernel: tf.Tensor):
        if isinstance(layer, keras.layers.Conv2D):
            return tf.nn.conv2d(x, kernel, layer.strides, "VALID")
        return x @ kernel

    def make(layer: keras.Layer) -> tuple[tf.Tensor, ...]:
        shapes = [
            (BATCH, *layer.input.shape[1:]),
            layer.kernel.shape,
            (BATCH, *layer.output.shape[1:]),
        ]
        return tuple(tf.random.normal(shape) for shape in shapes)

    # Of its own for each network: equal products would be taken once.
    online, target = ([make(layer) for layer in layers] for _ in range(2))

    @tf.function
    def once() -> list:
        done = []
        for layer, (x, kernel, _) in zip(layers, target, strict=True):
            done.append(product(layer, x, kernel))
        for layer, (x, kernel, gradient) in zip(layers, online, strict=True):
            # Nobody asks for the gradient of the pixels.
            sources = [kernel] if layer is layers[0] else [kernel, x]
            with tf.GradientTape() as tape:
                tape.watch(sources)
                y = product(layer, x, kernel)
            done += [y, *tape.gradient(y, sources, output_gradients=gradient)]
        return done

    def run(steps: int) -> None:
        for _ in range(steps):
            once()

    run(4)
    return {"products": run}


def acting(network: str) -> dict:
    """Return policies, and bare functions, for one and eight observations."""
    if network == "nature":
        q_network, shape = networks.nature(), (84, 84, 4)
    else:
        q_network, shape = networks.dense((256, 256)), (4,)
    agent = rlk.models.DoubleDQN(q_network)
    policy = rlk.policies.EpsilonGreedy(0.0, seed=0)
    bare = bare_policy(q_network)
    random = np.random.default_rng(0)
    works = {}
    for count in (1, 8):
        observations = random.integers(0, 255, (count, *shape), dtype=np.uint8)
        if network != "nature":
            observations = observations.astype("float32")

        def act(times, observations=observations):
            for _ in range(times):
                policy(agent, observations, 0)

        def act_bare(times, observations=observations):
            for _ in range(times):
                bare(observations)

        act(10)
        act_bare(10)
        works |= {f"act{count}": act, f"bare{count}": act_bare}
    return works


def bare_policy(network: keras.Model):
    """Return a compiled forward pass with the best action, nothing else."""
    if on_tensorflow:
        import tensorflow as tf

        shape = network.input_shape
        spec = tf.TensorSpec(shape, network.inputs[0].dtype)

        @tf.function(input_signature=[spec])
        def best(observations):
            return tf.argmax(network(observations), axis=1)

        return lambda observations: best(observations).numpy()
    import jax

    variables = [
        [variable.value for variable in group]
        for group in (
            network.trainable_variables,
            network.non_trainable_variables,
        )
    ]

    @jax.jit
    def best(variables, observations):
        values, _ = network.stateless_call(*variables, observations)
        return jax.numpy.argmax(values, axis=1)

    return lambda observations: np.asarray(best(variables, observations))


def sampling(capacity: int) -> dict:
    """Return what draws batches and adds steps, and bare NumPy."""
    replay = frames(capacity)
    random = np.random.default_rng(0)
    bare = np.zeros((capacity, *FRAME), np.uint8)
    bare[:] = random.integers(0, 255, FRAME, dtype=np.uint8)
    # One window of five frames holds a transition's both stacks.
    places = random.integers(capacity, size=(2_000, BATCH * (STACK + 1)))
    steps = list(itertools.islice(Recording(64).play(), 64))
    newest = [np.ascontiguousarray(step[-1][..., -1]) for step in steps]

    def gather(count: int) -> None:
        for number in range(count):
            bare.take(places[number % len(places)], axis=0, mode="clip")

    def sample(count: int) -> None:
        for _ in range(count):
            replay.sample(BATCH)

    def add(count: int) -> None:
        for number in range(count // NUM_ENVS):
            replay.add(*steps[number % len(steps)])

    def store(count: int) -> None:
        for number in range(count // NUM_ENVS):
            start = number * NUM_ENVS % (capacity - NUM_ENVS)
            bare[start : start + NUM_ENVS] = newest[number % len(newest)]

    works = {"gather": gather, "sample": sample, "add": add, "store": store}
    if on_tensorflow:
        iterator = iter(replay.dataset(BATCH))
        next(iterator)

        def dataset(count: int) -> None:
            for _ in range(count):
                next(iterator)

        works["dataset"] = dataset
    works["report"] = {"bytes": replay.nbytes / capacity}
    return works


PARTS = {
    "fit": fit,
    "products": products,
    "acting": acting,
    "sampling": sampling,
}


def make(settings: dict) -> dict:
    """Return the works of some parts, as `KEY.WORK`."""
    works = {"report": {}}
    for key, (part, arguments) in settings.items():
        made = PARTS[part](**arguments)
        works["report"] |= made.pop("report", {})
        works |= {f"{key}.{name}": work for name, work in made.items()}
    return works


if __name__ == "__main__":
    serve(make, PACKAGES)
