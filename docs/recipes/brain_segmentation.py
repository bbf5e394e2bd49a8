"""Find tumours in slices of the brain with a U-Net.

What you will see: a U-Net that outlines lesions in the slices of patients it
has never seen. It is the system of "Brain image segmentation with torch" from
Keras' own parts: Dice loss, layers that turn image and mask together, a
learning rate of one cycle, and the best model kept. It reads the LGG MRI set
(Buda, Saha and Mazurowski 2019), which can't be shipped: without `--data` it
first writes small made-up slices of 60 patients in the same layout of folders.
About two minutes on two CPU cores, on any backend:

    python docs/recipes/brain_segmentation.py

    --data DIR   a folder for each patient, with TIFs of three channels (before
                 contrast, FLAIR, after contrast) and a mask beside each:
                 `PATIENT/PATIENT_7.tif` and `PATIENT/PATIENT_7_mask.tif`
    --size N     edge of a slice in pixels, a multiple of 16 (default 256 for
                 your data, 64 for made-up ones)
    --width N    filters of the first block (default 64 for your data, 8 for
                 made-up ones). The whole set at 256 pixels and 64 filters wants
                 a GPU: two CPU cores would take days
    --quick      fewer patients and epochs: half a minute
    --epochs N   times to draw as many slices as there are (default 20)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/brain_segmentation). A run
                 that was cut off goes on from its last epoch

DIR then holds `predictions.png`, `augmentation.png`, `learning_curve.png`,
`history.csv`, `results.json`, `brain_segmentation.keras`, TensorBoard's files
in `logs/`, and the made-up slices in `slices/`.
"""

import argparse
import json
import pathlib
import time

import keras
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

# ## What to run

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--data", type=pathlib.Path)
parser.add_argument("--size", type=int)
parser.add_argument("--width", type=int)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--epochs", type=int)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument(
    "--out", type=pathlib.Path, default="runs/brain_segmentation"
)
options = parser.parse_args()

size = options.size or (256 if options.data else 64)
width = options.width or (64 if options.data else 8)
epochs = options.epochs or (5 if options.quick else 20)
num_patients = 24 if options.quick else 60
slices_per_patient = 10
batch_size = 4
out = options.out
out.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(options.seed)
generator = np.random.default_rng(options.seed)

# ## Slices to learn from, if there are none
#
# An oval head with a bright skull, folds, ventricles and one lesion, that is
# bright in FLAIR and grows and shrinks from slice to slice. Skull, noise and
# uneven light are as bright as some lesions: brightness alone won't do.


def smooth_field(cells):
    """Return smooth random numbers from about -1 to 1, one per pixel."""
    coarse = generator.uniform(-1, 1, (cells, cells)).astype("float32")
    return np.asarray(Image.fromarray(coarse).resize((size, size), 3))


def made_up_patient():
    """Yield the slices of one patient from bottom to top, with masks."""
    row, column = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    head_width = generator.uniform(0.6, 0.75)
    head_height = generator.uniform(0.78, 0.92)
    tilt = generator.uniform(-0.15, 0.15)
    x = column * np.cos(tilt) + row * np.sin(tilt)
    y = row * np.cos(tilt) - column * np.sin(tilt)
    angle = generator.uniform(0, 2 * np.pi)
    away = generator.uniform(0.15, 0.55)
    lesion_x = away * head_width * np.cos(angle)
    lesion_y = away * head_height * np.sin(angle)
    largest_radius = generator.uniform(0.16, 0.34)
    middle = generator.uniform(0.3, 0.7)
    reach = generator.uniform(0.25, 0.45)
    outline = 1 + 0.25 * smooth_field(7)
    brightness = generator.uniform(0.28, 0.48)
    gain = generator.uniform(0.8, 1.2, 3)
    for height in np.linspace(0, 1, slices_per_patient):
        bulge = np.sqrt(1 - (1.1 * (height - 0.5)) ** 2)
        edge = np.hypot(x / (head_width * bulge), y / (head_height * bulge))
        brain = edge < 0.86
        radius = largest_radius * np.sqrt(
            max(0, 1 - ((height - middle) / reach) ** 2)
        )
        distance = np.hypot(x - lesion_x, y - lesion_y) * outline
        lesion = brain & (distance < radius)
        ventricles = ((abs(x) - 0.1) / 0.09) ** 2 + (y / 0.28) ** 2 < 1
        ventricles &= abs(height - 0.5) < 0.3
        folds = smooth_field(14)
        tissue = 0.45 + 0.12 * folds
        flair = np.where(ventricles, 0.12, tissue)
        flair += brightness * lesion * (1 + 0.25 * folds)
        before = np.where(ventricles, 0.2, tissue) - 0.1 * lesion
        after = before + 0.25 * (lesion & (distance > 0.75 * radius))
        image = np.stack([before, flair, after], axis=-1) * brain[..., None]
        image[(edge > 0.9) & (edge < 1)] = [0.75, 0.6, 0.8]
        image *= gain * (1 + 0.2 * smooth_field(3)[..., None])
        image += 0.05 * generator.normal(size=image.shape)
        yield np.uint8(255 * np.clip(image, 0, 1.2) / 1.2), np.uint8(lesion)


data = options.data
if data is None:
    data = out / "slices"
    for patient in range(num_patients):
        folder = data / f"MADE_UP_{patient:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        for number, (image, mask) in enumerate(made_up_patient(), start=1):
            name = f"{folder.name}_{number}"
            Image.fromarray(image).save(folder / f"{name}.tif")
            Image.fromarray(255 * mask).save(folder / f"{name}_mask.tif")

# ## Reading the slices
#
# Each slice is stretched from its darkest to its brightest value and kept as
# one byte a channel. The real set takes 1 GB so.


def read_image(path):
    image = Image.open(path).convert("RGB").resize((size, size))
    image = np.asarray(image, dtype="float32")
    low, high = image.min(), image.max()
    return np.uint8(255 * (image - low) / max(high - low, 1))


def read_mask(path):
    mask = Image.open(path).convert("L").resize((size, size), Image.NEAREST)
    return np.uint8(np.asarray(mask) > 127)[..., None]


mask_files = sorted(data.glob("*/*_mask.tif"))
if not mask_files:
    raise SystemExit(f"No files like PATIENT/PATIENT_1_mask.tif in {data}/.")
if size % 16:
    raise SystemExit(f"`--size` must be a multiple of 16. Received: {size}.")
patients = np.array([path.parent.name for path in mask_files])
images = np.stack(
    [
        read_image(path.with_name(path.name.replace("_mask", "")))
        for path in mask_files
    ]
)
masks = np.stack([read_mask(path) for path in mask_files])

# ## Held out by patient
#
# Neighbouring slices of one patient look alike. A slice held out while its
# neighbour is learned would test memory. So whole patients are held out, 30 of
# 110 as in the original.

everybody = np.unique(patients)
held_out_patients = generator.permutation(everybody)[: len(everybody) * 3 // 11]
held_out = np.isin(patients, held_out_patients)
x_train, y_train = images[~held_out], masks[~held_out]
x_held_out, y_held_out = images[held_out], masks[held_out]
if len(held_out_patients) == 0 or not y_train.any():
    raise SystemExit(
        f"Four patients or more, with lesions, are needed. There are "
        f"{len(everybody)} in {data}/, with {masks.any((1, 2, 3)).sum()} "
        "slices that show one."
    )
steps_per_epoch = -(-len(x_train) // batch_size)
# Turning a slice, and the network's convolutions.
seconds_per_slice = 1.5e-6 * size**2 + 8e-9 * width**2 * size**2
minutes = 0.3 + epochs * len(images) * seconds_per_slice / 60
print(
    f"{len(x_train):,} slices of {len(everybody) - len(held_out_patients)} "
    f"patients, {len(x_held_out):,} of {len(held_out_patients)} others held "
    f"out; {epochs} epochs, seed {options.seed}: about "
    f"{minutes:,.1f} minutes on two CPU cores. Results go to {out}/."
)

# ## Turned together
#
# Keras' preprocessing layers take images and masks in one dictionary, draw one
# random change for both and leave the mask's values whole numbers.

augment = keras.layers.Pipeline(
    [
        keras.layers.RandomFlip("horizontal", seed=options.seed),
        keras.layers.RandomRotation(
            15 / 360, fill_mode="constant", seed=options.seed + 1
        ),
        keras.layers.RandomZoom(
            (-0.05, 0.05), fill_mode="constant", seed=options.seed + 2
        ),
    ]
)


def augmented(images, masks):
    both = augment(
        {
            "images": images.astype("float32"),
            "segmentation_masks": masks.astype("float32"),
        }
    )
    return both["images"], both["segmentation_masks"]


# To see that they stay together: a mask in place of the image must come out as
# the mask does, but for pixels on its edge.
largest = np.argsort(y_train.sum((1, 2, 3)))[-64:]
largest = largest[y_train[largest].any((1, 2, 3))]
moved_image, moved_mask = map(
    keras.ops.convert_to_numpy,
    augmented(255 * np.repeat(y_train[largest], 3, -1), y_train[largest]),
)
agreement = np.mean((moved_image[..., :1] > 127) == moved_mask)
moved = np.mean(moved_mask != y_train[largest])

# ## Large lesions more often
#
# Most slices show no lesion. A slice is drawn with a probability that grows
# with the size of its lesion; a tenth of the draws is spread over all slices.


class WeightedSlices(keras.utils.PyDataset):
    """Batches of augmented slices, large lesions more often."""

    def __init__(self, images, masks):
        super().__init__()
        self.images, self.masks = images, masks
        lesion = masks.sum((1, 2, 3), dtype="float64")
        total = lesion.sum()
        self.probability = (lesion + 0.1 * total / len(masks)) / (1.1 * total)
        self.generator = np.random.default_rng(options.seed)

    def __len__(self):
        return steps_per_epoch

    def __getitem__(self, index):
        drawn = self.generator.choice(
            len(self.images), batch_size, p=self.probability
        )
        return augmented(self.images[drawn], self.masks[drawn])


batches = WeightedSlices(x_train, y_train)

# A large lesion far from the middle shows all changes best.
to_the_side = np.abs(
    np.tensordot(
        y_train[largest, ..., 0].sum(1) / y_train[largest].sum((1, 2)),
        np.linspace(-1, 1, size),
        axes=1,
    )
)
example = largest[[to_the_side.argmax()]]
figure, panels = plt.subplots(2, 6, figsize=(12, 4.3), layout="constrained")
sample_images, sample_masks = map(
    keras.ops.convert_to_numpy,
    augmented(
        np.repeat(x_train[example], 6, axis=0),
        np.repeat(y_train[example], 6, axis=0),
    ),
)
for (above, below), image, mask in zip(panels.T, sample_images, sample_masks):
    above.imshow(image / 255)
    above.contour(mask[..., 0], [0.5], colors="white", linewidths=1)
    below.imshow(mask[..., 0], cmap="gray", vmin=0, vmax=1)
    above.axis("off")
    below.axis("off")
figure.suptitle("One slice and its mask, turned together in six ways")
figure.savefig(out / "augmentation.png", dpi=110)
plt.close(figure)

# ## The U-Net
#
# Five levels. On the way down each halves the picture and doubles the filters;
# on the way up each joins what the level below saw with what this level saw on
# the way down (Ronneberger, Fischer and Brox, "U-Net", 2015, section 2).


def block(x, filters):
    x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    x = keras.layers.Dropout(dropout)(x)
    return keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)


dropout = 0.6 if width >= 32 else 0.1
inputs = keras.Input((size, size, 3))
x = block(keras.layers.Rescaling(1 / 255)(inputs), width)
bridges = []
for level in range(1, 5):
    bridges.append(x)
    x = block(keras.layers.MaxPooling2D()(x), width * 2**level)
for level in reversed(range(4)):
    x = keras.layers.Conv2DTranspose(width * 2**level, 2, strides=2)(x)
    x = keras.layers.Concatenate()([bridges[level], x])
    x = block(x, width * 2**level)
network = keras.Model(
    inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(x)
)

# ## Learning
#
# The loss weighs how well lesion and prediction overlap against each pixel
# being right. The learning rate rises for three tenths of the steps and falls
# to zero in the others (Smith and Topin, "Super-convergence", 2018). Clipped
# gradients keep the highest rates from killing units for good.

dice = keras.losses.Dice()
crossentropy = keras.losses.BinaryCrossentropy()


def overlap_and_pixels(truth, prediction):
    return 0.3 * dice(truth, prediction) + 0.7 * crossentropy(truth, prediction)


steps = epochs * steps_per_epoch
highest_rate = 0.1 if options.data else 0.05
one_cycle = keras.optimizers.schedules.CosineDecay(
    initial_learning_rate=highest_rate / 25,
    warmup_target=highest_rate,
    warmup_steps=steps * 3 // 10,
    decay_steps=steps - steps * 3 // 10,
)
network.compile(
    optimizer=keras.optimizers.SGD(one_cycle, momentum=0.9, clipnorm=1.0),
    loss=overlap_and_pixels,
    metrics=[
        keras.metrics.BinaryIoU(
            target_class_ids=[1], name="intersection_over_union"
        )
    ],
)
# A run that goes on knows the best loss so far from its history.
best, backup = out / "best.keras", out / "backup"
goes_on = backup.exists()
best_so_far = None
if goes_on:
    history = np.genfromtxt(out / "history.csv", delimiter=",", names=True)
    best_so_far = history["val_loss"].min()
start = time.time()
network.fit(
    batches,
    epochs=epochs,
    validation_data=(x_held_out, y_held_out),
    callbacks=[
        keras.callbacks.ModelCheckpoint(
            best, save_best_only=True, initial_value_threshold=best_so_far
        ),
        keras.callbacks.CSVLogger(out / "history.csv", append=goes_on),
        keras.callbacks.TensorBoard(out / "logs"),
        keras.callbacks.BackupAndRestore(backup),
    ],
    verbose=2,
)
wall_minutes = (time.time() - start) / 60

# ## What came of it
#
# The Dice coefficient, twice the overlap over the sum of both areas, of all
# slices of a patient together. A patient without a lesion scores 1 if none is
# found, and 0 otherwise. The best model is saved again without its loss, so
# that it loads anywhere.

network = keras.models.load_model(best, compile=False)
network.save(out / "brain_segmentation.keras")
best.unlink()
probability = network.predict(x_held_out, batch_size=16, verbose=0)
found = probability > 0.5


def dice_coefficient(truth, found):
    area = truth.sum() + found.sum()
    return float(2 * np.sum(truth * found) / area) if area else 1.0


scores = {
    str(patient): dice_coefficient(
        y_held_out[patients[held_out] == patient],
        found[patients[held_out] == patient],
    )
    for patient in sorted(held_out_patients)
}
history = np.atleast_1d(
    np.genfromtxt(out / "history.csv", delimiter=",", names=True)
)
figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
numbers = np.arange(1, len(history) + 1)
for start_of_name, label in (
    ("", "slices drawn for training"),
    ("val_", "held-out patients"),
):
    overlap = history[f"{start_of_name}intersection_over_union"]
    panels[0].plot(numbers, history[f"{start_of_name}loss"], label=label)
    panels[1].plot(numbers, 2 * overlap / (1 + overlap), label=label)
panels[0].set(title="loss", xlabel="epoch", ylim=(0, None))
panels[1].set(title="Dice of all pixels", xlabel="epoch", ylim=(0, 1))
for axes in panels:
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
panels[1].legend(frameon=False, loc="lower right")
figure.suptitle(f"U-Net on slices of the brain, seed {options.seed}")
figure.savefig(out / "learning_curve.png", dpi=120)
plt.close(figure)

# The slice with the largest lesion of six patients. The truth is outlined on
# the prediction.
shown = []
ranked = sorted(scores, key=scores.get)
for rank in np.unique(np.linspace(0, len(ranked) - 1, 6).round().astype(int)):
    of_patient = np.flatnonzero(patients[held_out] == ranked[rank])
    area = y_held_out[of_patient].sum((1, 2, 3))
    shown.append(of_patient[area.argmax()])
figure, panels = plt.subplots(
    3,
    len(shown),
    figsize=(max(2.1 * len(shown), 4.5), 6.6),
    layout="constrained",
    squeeze=False,
)
for column, index in zip(panels.T, shown):
    patient = patients[held_out][index]
    truth, guess = y_held_out[index, ..., 0], found[index, ..., 0]
    column[0].imshow(x_held_out[index])
    column[0].set_title(
        f"Dice {dice_coefficient(truth, guess):.2f}\n"
        f"(patient {scores[patient]:.2f})",
        fontsize=9,
    )
    column[1].imshow(truth, cmap="gray", vmin=0, vmax=1)
    column[2].imshow(probability[index, ..., 0], cmap="gray", vmin=0, vmax=1)
    if truth.any():
        column[2].contour(truth, [0.5], colors="C1", linewidths=1)
for axes, label in zip(panels[:, 0], ("slice", "truth", "prediction")):
    axes.set_ylabel(label)
for axes in panels.flat:
    axes.set(xticks=[], yticks=[])
figure.suptitle("Held-out patients, from the worst to the best")
figure.savefig(out / "predictions.png", dpi=120)
plt.close(figure)

results = {
    "seed": options.seed,
    "epochs": epochs,
    "wall_minutes": round(wall_minutes, 2),
    "training_slices": len(x_train),
    "training_patients": len(everybody) - len(held_out_patients),
    "held_out_slices": len(x_held_out),
    "best_epoch": int(history["val_loss"].argmin()) + 1,
    "best_validation_loss": float(history["val_loss"].min()),
    "dice_mean": float(np.mean(list(scores.values()))),
    "dice_std": float(np.std(list(scores.values()))),
    "dice_of_all_pixels": dice_coefficient(y_held_out, found),
    "dice_of_patients": scores,
    "masks_turned_as_images": float(agreement),
    "mask_pixels_moved": float(moved),
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
print(
    f"Dice {results['dice_mean']:.3f} +- {results['dice_std']:.3f} over "
    f"{len(scores)} patients the network has never seen, "
    f"{results['dice_of_all_pixels']:.3f} over all their pixels, after "
    f"{epochs} epochs in {wall_minutes:.1f} minutes."
)
