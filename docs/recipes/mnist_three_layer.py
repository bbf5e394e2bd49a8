"""Read handwritten digits with three layers, and look inside `fit`.

What you will see: the network of the tutorial "Python TensorFlow Tutorial -
Build a Neural Network" of Adventures in Machine Learning, 784 pixels, 300
hidden units and 10 digits, twice. First as one writes it today, then from the
tutorial's own low-level parts: variables, matrix products and a gradient step
by hand. Both train in `fit`, and both end with the same weights. The tutorial
trained eagerly, wrapping every batch in new variables; here each is one
compiled step. On TensorFlow, for its gradient tape and its graph; less than a
minute on two CPU cores:

    KERAS_BACKEND=tensorflow python docs/recipes/mnist_three_layer.py

    --data FILE  digits in an .npz file: `x_train`, `y_train`, `x_test` and
                 `y_test` as in Keras' mnist.npz, or `x` and `y`, whose last
                 fifth is held out. Without it, Keras downloads MNIST
    --quick      3 epochs instead of 10
    --epochs N   times to go through the digits (default 10)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/mnist_three_layer)

DIR then holds `learning_curve.png`, `mistakes.png`, `history.csv`,
`results.json`, `mnist.keras`, and TensorBoard's files in `logs/`:

    tensorboard --logdir runs/mnist_three_layer/logs
"""

import argparse
import json
import pathlib
import time

import keras
import numpy as np
import tensorflow as tf
from matplotlib import pyplot as plt

# ## What to run

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--data", type=pathlib.Path)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--epochs", type=int)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument(
    "--out", type=pathlib.Path, default="runs/mnist_three_layer"
)
options = parser.parse_args()
if keras.backend.backend() != "tensorflow":
    raise SystemExit(
        "TensorFlow is needed for its gradient tape and its graph: set "
        "KERAS_BACKEND=tensorflow."
    )

epochs = options.epochs or (3 if options.quick else 10)
out = options.out
out.mkdir(parents=True, exist_ok=True)

# ## The digits
#
# The official split, or the last fifth of a file that has none.

if options.data is None:
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
else:
    data = np.load(options.data)
    if "x_train" in data:
        x_train, y_train = data["x_train"], data["y_train"]
        x_test, y_test = data["x_test"], data["y_test"]
    else:
        x_train, x_test = np.split(data["x"], [len(data["x"]) * 4 // 5])
        y_train, y_test = np.split(data["y"], [len(x_train)])
batch_size = 100
steps = epochs * -(-len(x_train) // batch_size)
print(
    f"Training two networks on {len(x_train):,} digits, {len(x_test):,} held "
    f"out, {epochs} epochs, seed {options.seed}: about "
    f"{0.1 + 2 * steps * 4e-3 / 60:.1f} minutes on two CPU cores. Results go "
    f"to {out}/."
)

# ## As one writes it today
#
# The image goes in as it is stored. The last layer gives logits: the loss
# takes the softmax itself, which is exact where a probability rounds to zero.

keras.utils.set_random_seed(options.seed)
network = keras.Sequential(
    [
        keras.Input((28, 28), dtype="uint8"),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(
            300,
            activation="relu",
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.03),
        ),
        keras.layers.Dense(
            10, kernel_initializer=keras.initializers.RandomNormal(stddev=0.03)
        ),
    ]
)
initial_weights = network.get_weights()
network.compile(
    optimizer="adam",
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)


def train(model, callbacks):
    # The same seed before each `fit` gives both models the same batches.
    keras.utils.set_random_seed(options.seed)
    start = time.time()
    history = model.fit(
        x_train,
        y_train,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=(x_test, y_test),
        callbacks=callbacks,
        verbose=2,
    ).history
    return history, time.time() - start


history, seconds = train(
    network,
    [
        keras.callbacks.CSVLogger(out / "history.csv"),
        keras.callbacks.TensorBoard(out / "logs" / "layers"),
    ],
)

# ## The same from low-level parts
#
# Own variables, own arithmetic, own step. `fit` compiles `train_step` once and
# still brings the batches, the callbacks and the progress bar. The same
# operations give the same bits. With `/ 255` and `+ bias` in their place the
# sums round differently, which Adam makes larger: after ten epochs one weight
# differed by 0.03, and one digit in two thousand was read differently.


class LowLevelNetwork(keras.Model):
    """Three layers of bare variables, with a training step of its own."""

    def __init__(self):
        super().__init__()
        normal = keras.initializers.RandomNormal(stddev=0.03)
        self.hidden_kernel = self.add_weight((784, 300), normal, name="W1")
        self.hidden_bias = self.add_weight((300,), "zeros", name="b1")
        self.output_kernel = self.add_weight((300, 10), normal, name="W2")
        self.output_bias = self.add_weight((10,), "zeros", name="b2")
        self.loss_mean = keras.metrics.Mean(name="loss")
        self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    def call(self, images):
        pixels = tf.cast(images, tf.float32) * (1 / 255)
        pixels = tf.reshape(pixels, (-1, 784))
        hidden = tf.nn.relu(
            tf.nn.bias_add(pixels @ self.hidden_kernel, self.hidden_bias)
        )
        return tf.nn.bias_add(hidden @ self.output_kernel, self.output_bias)

    def score(self, labels, logits):
        """Return the loss of a batch, and count it in both metrics."""
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.cast(labels, tf.int32), logits=logits
        )
        self.loss_mean.update_state(losses)
        self.accuracy.update_state(labels, logits)
        return tf.reduce_mean(losses)

    def train_step(self, data):
        images, labels = data
        with tf.GradientTape() as tape:
            loss = self.score(labels, self(images, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return self.get_metrics_result()

    def test_step(self, data):
        images, labels = data
        self.score(labels, self(images, training=False))
        return self.get_metrics_result()


low_level = LowLevelNetwork()
low_level.set_weights(initial_weights)
low_level.compile(optimizer="adam")
low_level_history, low_level_seconds = train(
    low_level, [keras.callbacks.TensorBoard(out / "logs" / "low_level")]
)

# ## The graph
#
# Keras' callback writes the layers of the first network. The operations of
# either, as the tutorial showed them, are written here: in TensorBoard, tab
# "Graphs".

image = tf.TensorSpec((None, 28, 28), tf.uint8)
for name, model in (("layers", network), ("low_level", low_level)):
    with tf.summary.create_file_writer(str(out / "logs" / name)).as_default():
        tf.summary.graph(tf.function(model).get_concrete_function(image).graph)

# ## What came of it
#
# The two networks hold the same weights if the largest difference is zero.

difference = max(
    float(np.abs(weight - other).max())
    for weight, other in zip(network.get_weights(), low_level.get_weights())
)
logits = network.predict(x_test, batch_size=1_000, verbose=0)
low_level_logits = low_level.predict(x_test, batch_size=1_000, verbose=0)
prediction = logits.argmax(axis=1)
agreement = np.mean(prediction == low_level_logits.argmax(axis=1))

figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
numbers = np.arange(1, epochs + 1)
for colour, column, label in (
    ("C0", "val_accuracy", "held-out digits"),
    ("C1", "accuracy", "training digits, while learning"),
):
    axes.plot(numbers, history[column], color=colour, label=f"layers: {label}")
    axes.plot(
        numbers,
        low_level_history[column],
        "o",
        markerfacecolor="none",
        color=colour,
        label=f"low-level parts: {label}",
    )
axes.set(
    title=f"Three layers on digits, seed {options.seed}",
    xlabel="epoch",
    ylabel="accuracy",
)
axes.xaxis.get_major_locator().set_params(integer=True)
axes.grid(alpha=0.3)
axes.legend(frameon=False)
figure.savefig(out / "learning_curve.png", dpi=120)
plt.close(figure)

# The mistakes the network is surest of.
probability = keras.ops.convert_to_numpy(keras.ops.softmax(logits)).max(axis=1)
wrong = np.flatnonzero(prediction != y_test)
wrong = wrong[np.argsort(-probability[wrong])][:24]
figure, panels = plt.subplots(3, 8, figsize=(10, 4.8), layout="constrained")
for axes in panels.flat:
    axes.axis("off")
for axes, index in zip(panels.flat, wrong):
    axes.imshow(x_test[index], cmap="gray_r")
    axes.set_title(
        f"{y_test[index]} read as {prediction[index]}\n"
        f"{probability[index]:.0%} sure",
        fontsize=9,
    )
figure.suptitle("The mistakes it is surest of")
figure.savefig(out / "mistakes.png", dpi=120)
plt.close(figure)

network.save(out / "mnist.keras")
results = {
    "seed": options.seed,
    "epochs": epochs,
    "training_digits": len(x_train),
    "held_out_digits": len(x_test),
    "accuracy": history["val_accuracy"][-1],
    "accuracy_after_epoch_1": history["val_accuracy"][0],
    "low_level_accuracy": low_level_history["val_accuracy"][-1],
    "same_predictions": float(agreement),
    "largest_weight_difference": difference,
    "seconds": round(seconds, 1),
    "low_level_seconds": round(low_level_seconds, 1),
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
print(
    f"{results['accuracy']:.2%} of {len(x_test):,} held-out digits read right "
    f"by layers, {results['low_level_accuracy']:.2%} by low-level parts; their "
    f"weights differ by {difference:.1e} at most. {seconds:.0f} and "
    f"{low_level_seconds:.0f} seconds."
)
