"""Train dozens of models in one process, in flat memory.

What you will see: a search for hyper-parameters by KerasTuner that trains model
after model in one process that does not grow; the same in two loops that do,
and why; and a process for each model, which pays for starting TensorFlow (on a
GPU, for starting CUDA too) every time. All train the same models and get the
same scores. About two minutes on two CPU cores, on any backend:

    pip install "keras-rlkit[recipes]"
    python docs/recipes/many_models_one_process.py

    --quick       few models: half a minute
    --models N    models to search through (default 24)
    --processes N how many of them to train again, each in a process of its own
                  (default 6)
    --epochs N    epochs of each model (default 20)
    --seed N      seed of everything (default 0)
    --out DIR     where the results go (default runs/many_models_one_process)

DIR then holds `memory.png`, `best_model.png`, `history.csv` with a line for
each model, `results.json`, `best.keras`, and KerasTuner's files in `search/`.
"""

import argparse
import csv
import gc
import json
import pathlib
import subprocess
import sys
import time

import keras
import keras_tuner
import numpy as np
import psutil
from matplotlib import pyplot as plt

# ## What to run

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--models", type=int)
parser.add_argument("--processes", type=int)
parser.add_argument("--epochs", type=int)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument(
    "--out", type=pathlib.Path, default="runs/many_models_one_process"
)
# This file also is the program of the processes that it starts.
parser.add_argument("--child", help=argparse.SUPPRESS)
options = parser.parse_args()

num_models = options.models or (6 if options.quick else 24)
num_processes = options.processes or (1 if options.quick else 6)
num_processes = min(num_processes, num_models)
epochs = options.epochs or (6 if options.quick else 20)
out = options.out

# ## A problem for small models
#
# To which of two spirals does a point belong?


def spirals(count, seed):
    """Return points in the plane and the number of their spiral."""
    generator = np.random.default_rng(seed)
    spiral = generator.integers(2, size=count)
    turn = 3 * np.pi * np.sqrt(generator.uniform(size=count))
    angle = turn + np.pi * spiral
    points = turn[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = points / 5 + 0.06 * generator.normal(size=points.shape)
    return points.astype("float32"), spiral


x, y = spirals(2_000, seed=0)
x_held_out, y_held_out = spirals(2_000, seed=1)

# ## A model for each set of hyper-parameters


def build(hyperparameters):
    """Return a compiled model, always with the same start."""
    keras.utils.set_random_seed(options.seed)
    model = keras.Sequential([keras.Input((2,))])
    for _ in range(hyperparameters.Int("layers", 1, 3)):
        model.add(
            keras.layers.Dense(
                hyperparameters.Int("units", 16, 128, step=16),
                activation=hyperparameters.Choice(
                    "activation", ["relu", "tanh", "silu"]
                ),
            )
        )
    model.add(keras.layers.Dense(1))
    model.compile(
        keras.optimizers.Adam(
            hyperparameters.Float(
                "learning_rate", 1e-3, 3e-2, sampling="log", default=1e-2
            )
        ),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        steps_per_execution=16,
    )
    return model


def train(model):
    """Return the accuracy on held-out points, as a number of Python.

    A number holds on to nothing. A `History` holds on to its model.
    """
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
    scores = model.evaluate(
        x_held_out, y_held_out, batch_size=500, verbose=0, return_dict=True
    )
    return float(scores["accuracy"])


def memory():
    """Return the resident memory of this process in MiB."""
    return psutil.Process().memory_info().rss / 2**20


# ## Letting go of a model
#
# `clear_session` drops Keras' own references, and the collector the cycles. On
# TensorFlow (2.21, since 2.19 at the least) something stays: the optimizer sums
# gradients by a function with a gradient of its own, which TensorFlow registers
# under a name like "CustomGradient-877" and never removes. It holds the whole
# graph of the training step, some 6 MiB for the smallest model (tensorflow
# issues 27492 and 97697). No public function removes it. Doing so is safe when
# no function made before is differentiated for the first time after.


def let_go():
    """Free what models left that nothing refers to any more."""
    keras.backend.clear_session()
    if keras.backend.backend() == "tensorflow":
        from tensorflow.python.framework import ops

        registered = getattr(ops.gradient_registry, "_registry", {})
        for name in list(registered):
            if name.startswith("CustomGradient-"):
                del registered[name]
    gc.collect()


# ## What a process of its own does
#
# It trains the models it is told to and prints the scores: a number set in a
# variable of the parent would be lost with the child. Between models it keeps
# them all, or it clears Keras' state.

if options.child:
    task = json.loads(options.child)
    kept = []
    for config in task["configs"]:
        if task["clears"]:
            kept.clear()
            keras.backend.clear_session()
            gc.collect()
        kept.append(build(keras_tuner.HyperParameters.from_config(config)))
        line = {"score": train(kept[-1]), "memory": memory()}
        print(json.dumps(line), flush=True)
    raise SystemExit


def in_a_process(configs, clears=False):
    """Train models in a new process; return its lines and its seconds."""
    task = json.dumps({"configs": configs, "clears": clears})
    start = time.time()
    process = subprocess.run(
        [
            *(sys.executable, __file__, "--child", task),
            *("--epochs", str(epochs), "--seed", str(options.seed)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in process.stdout.splitlines()]
    return lines, time.time() - start


# ## One process for all
#
# Let go before each model is built, and hold on to no model, history or
# optimizer: keep numbers. KerasTuner does the rest.

out.mkdir(parents=True, exist_ok=True)
seconds = num_models * 3 * (1 + epochs * 0.02) + num_processes * 6
print(
    f"Searching through {num_models} models of {epochs} epochs in one process; "
    f"the same in loops that grow; and {num_processes} in a process each. "
    f"Seed {options.seed}: about {0.1 + seconds / 60:.1f} minutes on two "
    f"CPU cores. Results go to {out}/."
)


class Spirals(keras_tuner.HyperModel):
    """Models for spirals that note what each one took."""

    def __init__(self):
        super().__init__()
        self.configs, self.scores = [], []
        self.memory, self.finished = [memory()], [time.time()]

    def build(self, hyperparameters):
        """Return a compiled model."""
        let_go()
        return build(hyperparameters)

    def fit(self, hyperparameters, model, **kwargs):
        """Train the model; return the score that the search compares.

        KerasTuner's callbacks in `kwargs` would save each model's weights.
        """
        self.configs.append(hyperparameters.get_config())
        self.scores.append(train(model))
        self.memory.append(memory())
        self.finished.append(time.time())
        return {"accuracy": self.scores[-1]}


models = Spirals()
tuner = keras_tuner.RandomSearch(
    models,
    objective=keras_tuner.Objective("accuracy", direction="max"),
    max_trials=num_models,
    seed=options.seed + 1,  # KerasTuner takes a seed of 0 for none.
    directory=out,
    project_name="search",
    overwrite=True,
)
tuner.search(verbose=0)
search_seconds = np.diff(models.finished)
best_values = tuner.get_best_hyperparameters()[0].values
print(f"Best of {num_models}: {max(models.scores):.1%} with {best_values}.")

# ## The same models in loops that grow
#
# One keeps its models, as it goes when models or histories end in a list. The
# other clears Keras' state after each, and no more.

kept, _ = in_a_process(models.configs)
cleared, _ = in_a_process(models.configs, clears=True)

# ## One process for each model

processes = [
    in_a_process([config]) for config in models.configs[:num_processes]
]
process_seconds = np.array([seconds for _, seconds in processes])
process_lines = [lines[0] for lines, _ in processes]

# ## What came of it
#
# The slope of a line through the second half of the models tells what each one
# leaves behind; the first ones load code and fill caches.


def growth(memory):
    """Return MiB that each further model adds."""
    later = np.asarray(memory)[len(memory) // 2 :]
    return float(np.polyfit(np.arange(len(later)), later, 1)[0])


searched = models.memory[1:]
kept_memory = [line["memory"] for line in kept]
cleared_memory = [line["memory"] for line in cleared]
process_memory = [line["memory"] for line in process_lines]
score_difference = max(
    abs(line["score"] - score)
    for lines in (kept, cleared, process_lines)
    for line, score in zip(lines, models.scores)
)
with open(out / "history.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(
        [
            *("model", "score", "seconds", "memory_mib"),
            *("memory_if_cleared_mib", "memory_if_kept_mib"),
        ]
    )
    writer.writerows(
        zip(
            range(1, num_models + 1),
            models.scores,
            search_seconds.round(2),
            np.round(searched, 1),
            np.round(cleared_memory, 1),
            np.round(kept_memory, 1),
        )
    )

figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 4.2), width_ratios=(2, 1), layout="constrained"
)
numbers = np.arange(1, num_models + 1)
for line, color, label in (
    (kept_memory, "C1", "one process, models kept"),
    (cleared_memory, "C3", "one process, clear_session()"),
    (searched, "C0", "one process, let_go()"),
):
    left.plot(numbers, line, color=color, linewidth=2, label=label)
left.plot(
    numbers[:num_processes],
    process_memory,
    "o",
    color="C2",
    label="a process for each model",
)
left.set(
    title="resident memory after each model",
    xlabel="model",
    ylabel="MiB",
    ylim=(0, None),
)
left.grid(alpha=0.3)
left.legend(frameon=False, loc="lower right")
bars = right.bar(
    ["one process,\nlet_go()", "a process\neach"],
    [search_seconds.mean(), process_seconds.mean()],
    color=["C0", "C2"],
)
right.bar_label(bars, fmt="%.1f s")
right.margins(y=0.12)
right.set(title="time for one model", ylabel="seconds")
figure.savefig(out / "memory.png", dpi=120)
plt.close(figure)

# Only numbers were kept, so the best model is trained once more.

let_go()
best = build(tuner.get_best_hyperparameters()[0])
best_score = train(best)
best.save(out / "best.keras")
grid = np.stack(np.meshgrid(*[np.linspace(-2.2, 2.2, 200)] * 2), axis=-1)
logits = best.predict(grid.reshape(-1, 2), batch_size=2_000, verbose=0)
figure, axes = plt.subplots(figsize=(5.2, 5), layout="constrained")
axes.contourf(
    grid[..., 0],
    grid[..., 1],
    logits.reshape(200, 200) > 0,
    levels=[-0.5, 0.5, 1.5],
    colors=["C0", "C1"],
    alpha=0.3,
)
for spiral in range(2):
    axes.plot(
        *x_held_out[y_held_out == spiral].T, ".", ms=3, color=f"C{spiral}"
    )
axes.set(
    title=f"The best of {num_models} models: {best_score:.1%} right",
    aspect="equal",
    xlabel="x",
    ylabel="y",
)
figure.savefig(out / "best_model.png", dpi=120)
plt.close(figure)

results = {
    "seed": options.seed,
    "models": num_models,
    "epochs": epochs,
    "best_score": best_score,
    "best_hyperparameters": best_values,
    "largest_score_difference": score_difference,
    "memory_after_first_mib": round(searched[0], 1),
    "memory_after_last_mib": round(searched[-1], 1),
    "growth_mib_per_model": round(growth(searched), 3),
    "growth_if_cleared_mib_per_model": round(growth(cleared_memory), 3),
    "growth_if_kept_mib_per_model": round(growth(kept_memory), 3),
    "memory_of_a_process_mib": round(float(np.mean(process_memory)), 1),
    "seconds_per_model": round(float(search_seconds.mean()), 2),
    "processes": num_processes,
    "seconds_per_process": round(float(process_seconds.mean()), 2),
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
print(
    f"A model adds {results['growth_mib_per_model']:+.2f} MiB and takes "
    f"{results['seconds_per_model']:.1f} s in one process "
    f"({results['growth_if_cleared_mib_per_model']:+.2f} MiB with "
    f"clear_session() alone, {results['growth_if_kept_mib_per_model']:+.2f} if "
    f"kept), and {results['seconds_per_process']:.1f} s in a process of its "
    f"own. Best score {best_score:.1%}."
)
