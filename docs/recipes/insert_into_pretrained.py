"""Change a trained model without losing what it learned.

What you will see: one trained image classifier, changed in four ways. A
`DuelingHead` on its features makes it a Q network; a distribution head on the
same features predicts a size and how sure it is; layers put into its middle
teach it to read negatives; and regularisation is added to the layers it has,
with the way that looks right and does nothing beside it. Each time the trained
weights are compared before and after, bit for bit. About a minute and a half on
two CPU cores. On TensorFlow, as distribution heads need it; the other three
sections run on any backend:

    KERAS_BACKEND=tensorflow python docs/recipes/insert_into_pretrained.py

    --weights FILE  start from `keras.applications.MobileNetV2` (`alpha=0.35`,
                    96 pixels, no top) with the weights in FILE, as Keras
                    publishes them, in place of a small network trained here;
                    "imagenet" for FILE downloads them. Takes some ten times as
                    long
    --quick         a run of half a minute that shows all parts and learns less
    --steps N       environment steps of the Q network (default 2,000)
    --seed N        seed of everything (default 0)
    --out DIR       where the results go (default runs/insert_into_pretrained)

DIR then holds `learning_curve.png`, `size.png`, `negatives.png`,
`regularisation.png`, `history.csv`, `results.json`, and the models
`trained.keras`, `agent.keras`, `size.keras` and `regularised.keras`.
"""

import argparse
import json
import os
import pathlib
import time

import gymnasium
import keras
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image, ImageDraw

import keras_rlkit as rlk

# ## What to run

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--weights", metavar="FILE")
parser.add_argument("--quick", action="store_true")
parser.add_argument("--steps", type=int)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument(
    "--out", type=pathlib.Path, default="runs/insert_into_pretrained"
)
options = parser.parse_args()
download = options.weights == "imagenet"
if options.weights and not download and not os.path.isfile(options.weights):
    raise SystemExit(
        f"There is no file {options.weights}. `--weights` takes a file with "
        'the weights of MobileNetV2, or "imagenet" to download them.'
    )

steps = options.steps or (1_000 if options.quick else 2_000)
epochs = 5 if options.quick else 10
num_images = 1_500 if options.quick else 4_000
edge = 96 if options.weights else 32
out = options.out
out.mkdir(parents=True, exist_ok=True)
minutes = 0.4 + epochs / 15 + steps / 5_000
if options.weights:
    minutes *= 10
print(
    f"{epochs} epochs of {num_images:,} pictures and {steps:,} environment "
    f"steps, seed {options.seed}: about {minutes:.1f} minutes on two CPU "
    f"cores. Results go to {out}/."
)
keras.utils.set_random_seed(options.seed)
generator = np.random.default_rng(options.seed)
start = time.time()

# ## Pictures
#
# A triangle, a square, a disc or a star: of any size, anywhere, turned, in any
# light colour on a dark ground, under noise.

shape_names = ("triangle", "square", "disc", "star")


def draw(shape, radius):
    """Return one picture of a shape with this radius in pixels."""
    colour = generator.integers(110, 256, 3)
    ground = generator.integers(0, 60, 3)
    picture = Image.new("RGB", (edge, edge), tuple(map(int, ground)))
    centre = generator.uniform(radius + 1, edge - radius - 1, 2)
    corners = {"triangle": 3, "square": 4, "disc": 40, "star": 10}[shape]
    angle = generator.uniform(0, 2 * np.pi)
    angle = angle + np.arange(corners) * 2 * np.pi / corners
    reach = np.full(corners, radius)
    if shape == "star":
        reach[::2] *= 0.4
    points = centre + reach[:, None] * np.stack(
        [np.cos(angle), np.sin(angle)], axis=1
    )
    ImageDraw.Draw(picture).polygon(
        [tuple(map(float, point)) for point in points],
        fill=tuple(map(int, colour)),
    )
    noise = 12 * generator.normal(size=(edge, edge, 3))
    return np.uint8(np.clip(np.asarray(picture) + noise, 0, 255))


def pictures(count):
    """Return pictures, the numbers of their shapes, and their radii.

    Radii are in tenths of the edge.
    """
    shapes = generator.integers(len(shape_names), size=count)
    radii = generator.uniform(1.6, 4.2, size=count)
    images = [
        draw(shape_names[shape], radius / 10 * edge)
        for shape, radius in zip(shapes, radii)
    ]
    return np.stack(images), shapes, radii.astype("float32")


images, shapes, radii = pictures(num_images)
test_images, test_shapes, test_radii = pictures(1_000)

# ## The model that is there already
#
# Any functional model. `middle` names the layers after which something will be
# put in later. They may lie in a model that is a layer of this one, as a base
# model called on inputs is: what follows looks into it.

if options.weights:
    inputs = keras.Input((edge, edge, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scaled")(inputs)
    try:
        backbone = keras.applications.MobileNetV2(
            input_shape=(edge, edge, 3),
            input_tensor=scaled,
            alpha=0.35,
            include_top=False,
            pooling="avg",
            weights=options.weights,
        )
    except Exception as error:  # Keras has no class of its own for it.
        if not download:
            raise
        raise SystemExit(
            f"The weights can't be downloaded. {error}\nFetch that file where "
            "there is a network, and give it as `--weights FILE`."
        ) from error
    backbone.trainable = False
    features = backbone.output
    middle = ("scaled", "block_2_add", "block_5_add")
else:
    inputs = keras.Input((edge, edge, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scaled")(inputs)
    for filters in (16, 32, 64):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same")(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.Activation("relu", name=f"relu_{filters}")(x)
    x = keras.layers.Conv2D(128, 3, padding="same", activation="relu")(x)
    features = keras.layers.GlobalAveragePooling2D()(x)
    middle = ("scaled", "relu_16", "relu_32")
logits = keras.layers.Dense(len(shape_names), name="shape")(features)
trained = keras.Model(inputs, logits)


def compile_classifier(model, learning_rate):
    model.compile(
        keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


def evaluate(model, images=test_images):
    """Return loss and accuracy."""
    return model.evaluate(images, test_shapes, batch_size=500, verbose=0)


compile_classifier(
    trained,
    keras.optimizers.schedules.CosineDecay(
        3e-3, epochs * -(-len(images) // 32)
    ),
)
trained.fit(images, shapes, batch_size=32, epochs=epochs, verbose=2)
trained_accuracy = evaluate(trained)[1]
print(f"The trained model tells {trained_accuracy:.1%} of shapes.")
trained.save(out / "trained.keras")

# Every weight of it, those of `BatchNormalization` included, and what it says.
# Frozen, that layer normalises with the statistics it has and leaves them be.
trained.trainable = False
weights_before = [np.copy(weight) for weight in trained.get_weights()]
logits_before = trained.predict(test_images, batch_size=500, verbose=0)


def unchanged(weights):
    """Return whether these are the trained weights, bit for bit."""
    return len(weights) == len(weights_before) and all(
        before.tobytes() == after.tobytes()
        for before, after in zip(weights_before, weights)
    )


# ## A dueling head on top
#
# A new model from the old inputs to a new end of the same graph: the layers
# are the same objects, and frozen. What is to be learned is not what the
# classifier knew: each shape has its own bin, and bins change places.


class SortingBelt(gymnasium.Env):
    """Twenty pictures an episode; a reward of 1 for each in its bin."""

    observation_space = gymnasium.spaces.Box(0, 255, (edge, edge, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(len(shape_names))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.remaining = 20
        return self._next_picture(), {}

    def _next_picture(self):
        self.index = self.np_random.integers(len(images))
        return images[self.index]

    def step(self, action):
        bin_of_shape = (shapes[self.index] + 1) % len(shape_names)
        reward = float(action == bin_of_shape)
        self.remaining -= 1
        return self._next_picture(), reward, False, self.remaining == 0, {}


agent = rlk.models.DoubleDQN(
    keras.Model(
        trained.input,
        rlk.layers.DuelingHead(len(shape_names), units=64)(features),
    ),
    target_update_rate=0.05,
)
agent.compile(keras.optimizers.Adam(1e-3), loss=keras.losses.Huber())
environment = SortingBelt()
replay = rlk.replay.ReplayBuffer.for_environment(
    environment, capacity=steps, discount=0.5, seed=options.seed
)
on_tensorflow = keras.backend.backend() == "tensorflow"
evaluation = rlk.callbacks.EvaluatePolicy(
    SortingBelt(), rlk.policies.Greedy(), episodes=10, seed=options.seed + 1000
)
agent_epochs = 10
agent.fit(
    (replay.dataset if on_tensorflow else replay.batches)(batch_size=32),
    epochs=agent_epochs,
    steps_per_epoch=(steps - 200) // agent_epochs // 2,
    callbacks=[
        rlk.callbacks.CollectSteps(
            environment,
            replay,
            rlk.policies.EpsilonGreedy(
                keras.optimizers.schedules.PolynomialDecay(
                    1.0, steps // 2, 0.05
                ),
                seed=options.seed + 1,
            ),
            steps_per_update=2,
            warmup_steps=200,
            seed=options.seed,
        ),
        evaluation,
        keras.callbacks.CSVLogger(out / "history.csv"),
    ],
    shuffle=False,
    verbose=2,
)
evaluation_mean = float(evaluation.evaluate(agent).mean())
agent.save(out / "agent.keras")
head_left_weights = unchanged(trained.get_weights())
print(
    f"The dueling head sorts {evaluation_mean:.1f} of 20. Trained weights "
    f"unchanged: {head_left_weights}."
)
history = np.genfromtxt(out / "history.csv", delimiter=",", names=True)
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for column, label in (
    ("evaluation_return", "greedy, 10 episodes"),
    ("episode_return", "while learning"),
):
    # Not every epoch has a score.
    known = ~np.isnan(history[column])
    axes.plot(
        history["environment_steps"][known],
        history[column][known],
        label=label,
    )
axes.axhline(5, color="0.4", linestyle=":", label="random")
axes.set(
    title="A dueling head on frozen features",
    xlabel="environment steps",
    ylabel="pictures in their bins, of 20",
    ylim=(0, 21),
)
axes.grid(alpha=0.3)
axes.legend(frameon=False, loc="lower right")
figure.savefig(out / "learning_curve.png", dpi=120)
plt.close(figure)

# ## A distribution head on top
#
# The same features, learned to tell shapes, also know sizes. `NormalHead`
# learns from them the radius and its spread.

coverage = mean_error = None
if on_tensorflow:
    size = keras.Model(trained.input, rlk.layers.NormalHead()(features))
    size.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(
                0.01, epochs * -(-len(images) // 32)
            )
        ),
        loss=rlk.losses.NegativeLogLikelihood(),
        metrics=["mae", rlk.metrics.IntervalCoverage(0.95)],
    )
    size.fit(images, radii[:, None], batch_size=32, epochs=epochs, verbose=2)
    scores = size.evaluate(
        test_images,
        test_radii[:, None],
        batch_size=500,
        verbose=0,
        return_dict=True,
    )
    coverage, mean_error = scores["interval_coverage"], scores["mae"]
    size.save(out / "size.keras")
    order = np.argsort(test_radii)[::10]
    prediction = size(test_images[order])
    figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
    axes.errorbar(
        test_radii[order],
        keras.ops.convert_to_numpy(prediction.mean())[:, 0],
        1.96 * keras.ops.convert_to_numpy(prediction.stddev())[:, 0],
        fmt="o",
        markersize=3,
        elinewidth=0.8,
        label="predicted, with 95 % interval",
    )
    axes.plot(*[[radii.min(), radii.max()]] * 2, "k--", label="truth")
    axes.set(
        title=f"A normal head on frozen features: {coverage:.0%} in the 95 % "
        "interval",
        xlabel="radius, tenths of the edge",
        ylabel="predicted radius, tenths of the edge",
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(out / "size.png", dpi=120)
    plt.close(figure)

# ## Layers in the middle
#
# `clone_model` calls the layers of a model again, one by one. Given the layers
# themselves to call, it keeps their weights; what `call_function` returns goes
# to the layers that follow. Here that is the layer's output plus a convolution
# of it whose kernel starts at zero, so that the new model first says what the
# old one does. A model within the model is one layer of it: its own layers are
# called again in the same way.


def layers_of(model):
    """Yield all layers, those of models within the model included."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


def insert_adapter(layer, *args, **kwargs):
    if isinstance(layer, keras.Model):
        return with_adapters(layer)(*args, **kwargs)
    output = layer(*args, **kwargs)
    if layer.name not in middle:
        return output
    change = keras.layers.Conv2D(
        output.shape[-1],
        3,
        padding="same",
        kernel_initializer="zeros",
        name=f"adapter_of_{layer.name}",
    )
    return keras.layers.Add()([output, change(output)])


def with_adapters(model):
    """Return a model of the same layers with adapters among them."""
    if isinstance(model, keras.Sequential):
        # `clone_model` doesn't call the layers of one.
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.models.clone_model(
        model,
        clone_function=lambda layer: layer,
        call_function=insert_adapter,
    )


def check_adapters(model):
    names = {layer.name for layer in layers_of(model)}
    missing = [name for name in middle if f"adapter_of_{name}" not in names]
    if missing:
        raise SystemExit(f"Nothing inserted: there are no layers {missing}.")
    return model


adapted = check_adapters(with_adapters(trained))
logits_at_first = adapted.predict(test_images, batch_size=500, verbose=0)
difference = float(np.abs(logits_at_first - logits_before).max())
# TensorFlow gives the same bits. XLA, which JAX compiles with, rounds another
# graph differently.
same_at_first = difference <= (0 if on_tensorflow else 1e-4)

# The new layers, and only they, learn to read negatives.

negatives, test_negatives = 255 - images, 255 - test_images
compile_classifier(adapted, learning_rate=3e-3)
before_adapting = evaluate(adapted, test_negatives)[1]
adapted.fit(negatives, shapes, batch_size=32, epochs=epochs, verbose=2)
after_adapting = evaluate(adapted, test_negatives)[1]
adapters_left_weights = unchanged(trained.get_weights())
print(
    f"Same predictions when inserted: {same_at_first} (largest difference "
    f"{difference:.1e}). Negatives told "
    f"{before_adapting:.1%}, with trained adapters {after_adapting:.1%}. "
    f"Trained weights unchanged: {adapters_left_weights}."
)
figure, panels = plt.subplots(2, 8, figsize=(11, 3.6), layout="constrained")
answers = [
    model.predict(test_negatives[:8], verbose=0).argmax(axis=1)
    for model in (trained, adapted)
]
for column, (above, below) in enumerate(panels.T):
    above.imshow(test_images[column])
    below.imshow(test_negatives[column])
    above.axis("off")
    below.axis("off")
    above.set_title(
        shape_names[logits_before[column].argmax()],
        fontsize=9,
    )
    below.set_title(
        f"{shape_names[answers[0][column]]} → "
        f"{shape_names[answers[1][column]]}",
        fontsize=9,
    )
figure.suptitle(
    "Above: what the trained model says. Below: of negatives, before → after "
    f"the inserted layers learned ({before_adapting:.0%} → "
    f"{after_adapting:.0%} right)"
)
figure.savefig(out / "negatives.png", dpi=120)
plt.close(figure)

# ## Regularisation of the layers it has
#
# A layer asks for its regulariser once, when it makes its weights. Setting the
# attribute later looks right and does nothing. Building the layers anew from
# their configurations, with the regulariser in, and giving them their weights
# back does; with `recursive`, in models within the model too. All layers are to
# learn here: those that are frozen are not regularised either.

strength = 1e-3
trained.trainable = True


def with_weights_of_trained(clone_function=None):
    """Return a copy with layers of its own and the trained weights."""
    model = keras.models.clone_model(
        trained, clone_function=clone_function, recursive=True
    )
    model.set_weights(trained.get_weights())
    compile_classifier(model, learning_rate=3e-4)
    return model


def kernel_regularizers(layer):
    """Return the names of the arguments that a layer has for its kernels."""
    names = ("kernel_regularizer", "depthwise_regularizer")
    return [name for name in names if name in layer.get_config()]


def with_regulariser(layer):
    config = layer.get_config()
    for name in kernel_regularizers(layer):
        config[name] = keras.regularizers.L2(strength)
    return layer.__class__.from_config(config)


plain = with_weights_of_trained()
attribute_set = with_weights_of_trained()
for layer in layers_of(attribute_set):
    for name in kernel_regularizers(layer):
        setattr(layer, name, keras.regularizers.L2(strength))
compile_classifier(attribute_set, learning_rate=3e-4)
regularised = with_weights_of_trained(with_regulariser)
regularised_has_weights = unchanged(regularised.get_weights())


def squared_kernels(model):
    """Return the sum of all kernels' squares, wherever in the model."""
    return sum(
        float(np.sum(np.square(weight.numpy(), dtype="float64")))
        for weight in model.weights
        if weight.name == "kernel"
    )


plain_loss = evaluate(plain)[0]
added_by_attribute = evaluate(attribute_set)[0] - plain_loss
added = evaluate(regularised)[0] - plain_loss
expected = strength * squared_kernels(plain)
print(
    f"Added to the loss: {added_by_attribute:.4f} by the attribute, "
    f"{added:.4f} by layers built anew; {strength} times the kernels' squares "
    f"is {expected:.4f}. These have the trained weights: "
    f"{regularised_has_weights}."
)
if abs(added - expected) > 0.01 * expected:
    raise SystemExit(
        "Some kernels are not regularised: they lie in layers that build "
        "layers of their own, such as `TimeDistributed`, or take their "
        "regulariser by another name."
    )

# What it does in training, and that it is still there after saving.

regularised.save(out / "regularised.keras")
regularised = keras.models.load_model(out / "regularised.keras")
added_after_loading = evaluate(regularised)[0] - plain_loss
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
models = {
    "as trained": (plain, "-"),
    "attribute set on the layers": (attribute_set, "--"),
    "layers built anew, saved and loaded": (regularised, "-"),
}
shrinking = {}
for label, (model, style) in models.items():
    keras.utils.set_random_seed(options.seed)
    sizes = shrinking[label] = [squared_kernels(model)]
    model.fit(
        images,
        shapes,
        batch_size=32,
        epochs=epochs // 2,
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs, model=model, sizes=sizes: (
                    sizes.append(squared_kernels(model))
                )
            )
        ],
        verbose=2,
    )
    axes.plot(sizes, style, linewidth=2, label=label)
axes.set(
    title="Fine-tuning all layers: which regulariser acts?",
    xlabel="epoch",
    ylabel="sum of the kernels' squares",
)
axes.grid(alpha=0.3)
axes.legend(frameon=False)
figure.savefig(out / "regularisation.png", dpi=120)
plt.close(figure)

# ## What came of it

wall_minutes = (time.time() - start) / 60
results = {
    "seed": options.seed,
    "wall_minutes": round(wall_minutes, 2),
    "environment_steps": steps,
    "trained_accuracy": trained_accuracy,
    "evaluation_mean": evaluation_mean,
    "interval_coverage": coverage,
    "mean_error_of_radius": mean_error,
    "negatives_before": before_adapting,
    "negatives_after": after_adapting,
    "same_when_inserted": same_at_first,
    "largest_difference_when_inserted": difference,
    "loss_added_by_attribute": added_by_attribute,
    "loss_added": added,
    "loss_added_after_loading": added_after_loading,
    "loss_expected": expected,
    "kernels_squared": shrinking,
    "unchanged_by_head": head_left_weights,
    "unchanged_by_inserted_layers": adapters_left_weights,
    "unchanged_by_regulariser": regularised_has_weights,
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
print(
    f"{evaluation_mean:.1f} of 20 sorted by the dueling head; negatives from "
    f"{before_adapting:.0%} to {after_adapting:.0%} by layers in the middle; "
    f"{added:.3f} added to the loss by regularisation; all trained weights "
    f"unchanged. {wall_minutes:.1f} minutes."
)
