import ast
import json

import imageio.v3 as iio
import keras
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.recipes.running import RECIPES, run_command, run_here

INSERT = RECIPES / "insert_into_pretrained.py"

pytestmark = pytest.mark.tensorflow_only


def check_pictures(folder, *names):
    for name in names:
        picture = iio.imread(folder / name)[..., :3]
        assert min(picture.shape[:2]) > 350, name
        # A blank picture, and one of empty axes, has hardly any dark pixel.
        assert np.mean(picture.min(axis=-1) < 200) > 0.01, name
        assert picture.std() > 10, name


def columns(folder):
    lines = (folder / "history.csv").read_text().splitlines()
    return lines[0].split(","), len(lines) - 1


def write_digits(path, count):
    """Write drawn digits, moved and turned, as MNIST stores its own."""
    generator = np.random.default_rng(0)
    digits = generator.integers(10, size=count)
    font = ImageFont.load_default(size=24)
    images = []
    for digit in digits:
        image = Image.new("L", (28, 28))
        ImageDraw.Draw(image).text(
            tuple(14 + generator.uniform(-2, 2, 2)),
            str(digit),
            fill=255,
            font=font,
            anchor="mm",
        )
        image = image.rotate(generator.uniform(-12, 12), Image.BILINEAR)
        images.append(np.asarray(image))
    np.savez(path, x=np.stack(images), y=digits.astype("uint8"))


def graph_operations(folder):
    from tensorboard.backend.event_processing import event_accumulator

    events = event_accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {node.op for node in events.Graph().node}


def test_mnist_three_layer(tmp_path, run):
    write_digits(tmp_path / "digits.npz", 2_500)
    out = tmp_path / "out"
    results, last = run(
        "mnist_three_layer", out, "--data", tmp_path / "digits.npz"
    )
    assert results["training_digits"] == 2_000
    assert results["held_out_digits"] == 500
    assert results["accuracy"] >= 0.9
    # The same network from low-level parts ends with the same weights.
    assert results["low_level_accuracy"] == results["accuracy"]
    assert results["largest_weight_difference"] < 1e-4
    assert f"{results['accuracy']:.2%}" in last
    header, epochs = columns(out)
    assert "val_accuracy" in header and epochs == 3
    check_pictures(out, "learning_curve.png", "mistakes.png")
    for name in ("layers", "low_level"):
        assert "MatMul" in graph_operations(out / "logs" / name)
    network = keras.models.load_model(out / "mnist.keras", safe_mode=True)
    data = np.load(tmp_path / "digits.npz")
    answers = network.predict(data["x"][-500:], verbose=0).argmax(axis=1)
    assert np.mean(answers == data["y"][-500:]) == pytest.approx(
        results["accuracy"]
    )


def test_brain_segmentation(tmp_path, run):
    results, _ = run("brain_segmentation", tmp_path)
    assert results["dice_mean"] >= 0.7
    assert results["best_validation_loss"] < 0.15
    # Masks move, and as their images do.
    assert results["mask_pixels_moved"] > 0.01
    assert results["masks_turned_as_images"] > 0.99
    # Patients are held out whole, three of eleven.
    assert results["training_patients"] == 18
    held_out = results["dice_of_patients"]
    assert len(held_out) == 6
    assert results["held_out_slices"] == 60
    header, epochs = columns(tmp_path)
    assert "val_loss" in header and epochs == 5
    check_pictures(
        tmp_path, "predictions.png", "augmentation.png", "learning_curve.png"
    )
    # The saved model finds the lesions of a held-out patient's files.
    network = keras.models.load_model(
        tmp_path / "brain_segmentation.keras", safe_mode=True
    )
    best = max(held_out, key=held_out.get)
    overlap = area = 0
    for path in (tmp_path / "slices" / best).glob("*_mask.tif"):
        truth = np.asarray(Image.open(path)) > 127
        image = np.asarray(
            Image.open(path.with_name(path.name.replace("_mask", ""))), float
        )
        assert image.shape == (64, 64, 3)
        image = 255 * (image - image.min()) / (image.max() - image.min())
        found = network.predict(image[None], verbose=0)[0, ..., 0] > 0.5
        overlap += 2 * np.sum(truth & found)
        area += truth.sum() + found.sum()
    assert overlap / area == pytest.approx(held_out[best], abs=0.02)


def write_lgg_slices(folder, patients, slices):
    """Write slices as the LGG MRI set has them; the first patient is healthy.

    Files and folders are named as there, at its size and compressed as there,
    with the table and the text that lie beside the folders.
    """
    generator = np.random.default_rng(0)
    row, column = np.mgrid[-1:1:256j, -1:1:256j]
    brain = np.hypot(column / 0.7, row / 0.85) < 1
    for patient in range(patients):
        name = f"TCGA_CS_{4941 + patient}_19960909"
        (folder / name).mkdir(parents=True)
        x, y = generator.uniform(-0.35, 0.35, 2)
        for number in range(1, slices + 1):
            radius = 0.3 * np.sin(np.pi * number / (slices + 1))
            mask = np.hypot(column - x, row - y) < radius * (patient > 0)
            image = 70 * brain + generator.normal(0, 8, (256, 256))
            image = np.stack([image, image + 90 * mask, image], axis=-1)
            for suffix, pixels in (
                ("", np.uint8(np.clip(image, 0, 255))),
                ("_mask", np.uint8(255 * mask)),
            ):
                Image.fromarray(pixels).save(
                    folder / name / f"{name}_{number}{suffix}.tif",
                    compression="tiff_lzw",
                )
    (folder / "data.csv").write_text("Patient,gender\n")
    (folder / "README.md").write_text("# LGG Segmentation Dataset\n")


def test_brain_segmentation_reads_the_layout_of_the_real_set(tmp_path, run):
    data, out = tmp_path / "kaggle_3m", tmp_path / "out"
    write_lgg_slices(data, patients=5, slices=2)
    flags = ("--data", data, "--width", "4", "--epochs", "1")
    results, _ = run("brain_segmentation", out, *flags)
    assert results["training_patients"] == 4
    assert results["training_slices"] == 8
    assert results["held_out_slices"] == 2
    (held_out,) = results["dice_of_patients"]
    assert (data / held_out).is_dir()
    _, epochs = columns(out)
    assert epochs == 1
    check_pictures(out, "predictions.png", "learning_curve.png")
    # Slices keep the size they have.
    network = keras.models.load_model(out / "brain_segmentation.keras")
    assert network.input_shape == (None, 256, 256, 3)


@pytest.mark.parametrize(
    "patients, size, message",
    [
        (0, 16, "No files like PATIENT/PATIENT_1_mask.tif"),
        (1, 16, "Four patients or more, with lesions, are needed"),
        (1, 40, "`--size` must be a multiple of 16. Received: 40"),
    ],
)
def test_brain_segmentation_says_what_data_it_needs(
    tmp_path, monkeypatch, patients, size, message
):
    write_lgg_slices(tmp_path, patients, slices=2)
    flags = ("--data", tmp_path, "--out", tmp_path / "out", "--size", size)
    with pytest.raises(SystemExit, match=message):
        run_here(RECIPES / "brain_segmentation.py", monkeypatch, *flags)


def test_insert_into_pretrained(tmp_path, run):
    results, _ = run("insert_into_pretrained", tmp_path)
    for change in ("head", "inserted_layers", "regulariser"):
        assert results[f"unchanged_by_{change}"] is True
    assert results["same_when_inserted"] is True
    assert results["largest_difference_when_inserted"] < 1e-6
    assert results["trained_accuracy"] > 0.6
    # Of 20; random actions reach 5.
    assert results["evaluation_mean"] > 8
    assert results["negatives_after"] > results["negatives_before"] + 0.1
    assert 0.85 < results["interval_coverage"] <= 1
    # The attribute adds nothing; layers built anew add what they should.
    assert results["loss_added_by_attribute"] == pytest.approx(0, abs=1e-6)
    assert results["loss_expected"] > 0.01
    for added in ("loss_added", "loss_added_after_loading"):
        assert results[added] == pytest.approx(
            results["loss_expected"], rel=1e-3
        )
    header, epochs = columns(tmp_path)
    assert "evaluation_return" in header and epochs == 10
    check_pictures(
        tmp_path,
        "learning_curve.png",
        "size.png",
        "negatives.png",
        "regularisation.png",
    )
    picture = np.zeros((1, 32, 32, 3), "uint8")
    agent = keras.models.load_model(tmp_path / "agent.keras")
    assert agent.predict(picture, verbose=0).shape == (1, 4)
    size = keras.models.load_model(tmp_path / "size.keras")
    assert size(picture).stddev().shape == (1, 1)
    regularised = keras.models.load_model(tmp_path / "regularised.keras")
    assert regularised.losses
    # What the files hold, compared by hand: all layers below the new heads.
    trained = keras.models.load_model(tmp_path / "trained.keras")
    kept = [layer for layer in trained.layers[:-1] if layer.get_weights()]
    assert len(kept) == 7
    for model in (agent.q_network, size, regularised):
        for layer in kept:
            weights = model.get_layer(layer.name).get_weights()
            for weight, trained_weight in zip(
                weights, layer.get_weights(), strict=True
            ):
                np.testing.assert_array_equal(weight, trained_weight)


def base_model(kind):
    layers = [
        keras.Input((8, 8, 3)),
        keras.layers.Conv2D(4, 3),
        keras.layers.Activation("relu", name="relu"),
    ]
    if kind == "Sequential":
        return keras.Sequential(layers)
    x = layers[0]
    for layer in layers[1:]:
        x = layer(x)
    base = keras.Model(layers[0], x)
    if kind == "Functional":
        return base
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, base(inputs))


@pytest.mark.parametrize("kind", ["Functional", "Sequential", "two levels"])
@pytest.mark.parametrize("sequential", [False, True])
def test_insert_into_pretrained_looks_into_models_within(kind, sequential):
    # What the recipe defines, without what it trains.
    tree = ast.parse(INSERT.read_text())
    tree.body = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    recipe = {"keras": keras, "np": np, "strength": 0.01}
    recipe |= {"middle": ("relu",), "test_images": None, "test_shapes": None}
    exec(compile(tree, INSERT, "exec"), recipe)
    base, pool = base_model(kind), keras.layers.GlobalAveragePooling2D()
    dense = keras.layers.Dense(2)
    if sequential:
        trained = keras.Sequential([base, pool, dense])
    else:
        inputs = keras.Input((8, 8, 3))
        trained = keras.Model(inputs, dense(pool(base(inputs))))
    recipe["trained"] = trained
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype("float32")
    before = trained.predict(x, verbose=0)
    kernels = [w for w in trained.get_weights() if w.ndim > 1]
    assert len(kernels) == 2
    squares = sum(np.sum(kernel**2) for kernel in kernels)

    regularised = recipe["with_weights_of_trained"](recipe["with_regulariser"])
    np.testing.assert_allclose(
        sum(regularised.losses), 0.01 * squares, rtol=1e-5
    )
    np.testing.assert_allclose(
        recipe["squared_kernels"](trained), squares, rtol=1e-5
    )
    np.testing.assert_array_equal(regularised.predict(x, verbose=0), before)

    adapted = recipe["check_adapters"](recipe["with_adapters"](trained))
    np.testing.assert_array_equal(adapted.predict(x, verbose=0), before)
    added = len(adapted.weights) - len(trained.weights)
    assert added == 2
    # The trained layers are the same ones, within the adapted model too.
    adapted.layers[-1].kernel.assign(0 * dense.kernel)
    assert not np.any(dense.kernel.numpy())

    recipe["middle"] = ("relu", "gone")
    with pytest.raises(SystemExit, match=r"no layers \['gone'\]"):
        recipe["check_adapters"](recipe["with_adapters"](trained))


def test_insert_into_pretrained_starts_from_published_weights(
    tmp_path, monkeypatch
):
    # Keras 2 writes weights as they are published.
    import tf_keras

    published = tf_keras.applications.MobileNetV2(
        input_shape=(96, 96, 3), alpha=0.35, include_top=False, weights=None
    )
    published.save_weights(tmp_path / "weights.h5")

    # The recipe up to where it trains anything.
    class Started(Exception):
        pass

    def start(model, *arguments, **keywords):
        raise Started(model)

    monkeypatch.setattr(keras.Model, "fit", start)
    flags = ("--weights", tmp_path / "weights.h5", "--out", tmp_path / "out")
    with pytest.raises(Started) as started:
        run_here(INSERT, monkeypatch, "--quick", *flags)
    (model,) = started.value.args
    assert len(published.get_weights()) == 260
    for layer in filter(lambda layer: layer.weights, published.layers):
        weights = model.get_layer(layer.name).get_weights()
        for weight, expected in zip(weights, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, expected)
    # They stay: only the new layer on top learns.
    assert [weight.shape for weight in model.trainable_weights] == [
        (1280, 4),
        (4,),
    ]


@pytest.mark.parametrize(
    "weights, message",
    [
        ("gone.h5", "There is no file gone.h5"),
        ("imagenet", "can't be downloaded. No network.\nFetch that file"),
    ],
)
def test_insert_into_pretrained_says_what_weights_it_needs(
    tmp_path, monkeypatch, weights, message
):
    def no_network(*arguments, **keywords):
        raise OSError("No network.")

    monkeypatch.setattr(keras.applications, "MobileNetV2", no_network)
    flags = ("--weights", weights, "--out", tmp_path)
    with pytest.raises(SystemExit, match=message):
        run_here(INSERT, monkeypatch, "--quick", *flags)


def test_many_models_one_process(tmp_path):
    pytest.importorskip("keras_tuner")
    # Alone in its process, since it measures that one's memory.
    flags = ("--quick", "--models", "5", "--seed", "1", "--out", tmp_path)
    printed = run_command(RECIPES / "many_models_one_process.py", *flags)
    assert "minutes on two CPU cores" in printed
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["models"] == 5
    assert results["best_score"] > 0.65
    # A model scores the same in the search, in a loop, in its own process.
    assert results["largest_score_difference"] < 1e-6
    # What models leave behind: next to nothing, their graphs, or everything.
    rows = np.genfromtxt(tmp_path / "history.csv", delimiter=",", names=True)
    freed, cleared, kept = (
        rows[column][-1] - rows[column][0]
        for column in (
            "memory_mib",
            "memory_if_cleared_mib",
            "memory_if_kept_mib",
        )
    )
    assert freed < cleared / 2
    assert cleared < kept
    header, models = columns(tmp_path)
    assert models == 5
    assert header[:4] == ["model", "score", "seconds", "memory_mib"]
    check_pictures(tmp_path, "memory.png", "best_model.png")
    best = keras.models.load_model(tmp_path / "best.keras", safe_mode=True)
    assert best.predict(np.zeros((1, 2)), verbose=0).shape == (1, 1)
