"""How a small convolutional score network memorizes digits, and when its training is best stopped.

    python convolution_on_digits.py [digits.csv [digits.png]]

Three layers of 3 x 3 filters on images of 8 x 8 pixels, trained by Adam on n digits with m = 8 fixed noise
draws. `memorization` is the error at the training digits under fresh noise, `test` that at digits of fresh
draws: what is between them is what the network knows of its own digits alone. The architecture is fixed,
d = 64: there is no limit and no theory, and every number is that of this size.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import simdiff

DATA = simdiff.data.Digits()
SIDE, CHANNELS = 8, 8
BASIS = DATA.basis().astype(np.float32)
"""Trials have images in the eigenbasis of their covariance; filters want pixels."""


def init(key, d):
    """Three layers of filters, output x input x 3 x 3; the last is small, so that the score starts near 0."""
    shapes = [(CHANNELS, 1, 3, 3), (CHANNELS, CHANNELS, 3, 3), (1, CHANNELS, 3, 3)]
    keys = jax.random.split(key, len(shapes))
    scales = [(9 * shape[1]) ** -0.5 for shape in shapes[:2]] + [1e-2]
    return [scale * jax.random.normal(k, s) for k, s, scale in zip(keys, shapes, scales, strict=True)]


def apply(layers, x):
    """An estimate of the noise: x, the best at high noise, and what the filters add."""
    basis = jnp.asarray(BASIS, x.dtype)
    image = (x @ basis).reshape(1, 1, SIDE, SIDE)
    for layer in layers[:-1]:
        image = jax.nn.gelu(convolved(image, layer))
    return x + basis @ convolved(image, layers[-1]).reshape(-1)


def convolved(image, filters):
    """Of the same size, with zeros around the image."""
    return jax.lax.conv_general_dilated(image, filters, (1, 1), "SAME")


def problem(n, steps, t=0.3, batch=32):
    """Training on n digits."""
    network = simdiff.models.Network(init, apply, predicts="noise", extrapolates=False)
    trainer = simdiff.trainers.Optax("adam", 3e-3, steps=steps, batch=batch, records=12)
    return simdiff.DenoisingScoreMatching(DATA, network, trainer, psi_n=n / 64, m=8, t=t)


def main(table=None, figure=None, counts=(32, 128, 512), steps=3000, trials=2):
    """The errors along training for every n, and where the test error is least."""
    import pandas as pd

    frames = []
    for n in counts:
        rows = simdiff.simulate(problem(n, steps), trials=trials)
        means = rows.groupby("time")[["train", "memorization", "test"]].mean().reset_index()
        frames.append(means.assign(n=n, stop=means["time"] == means["time"][means["test"].idxmin()]))
    found = pd.concat(frames, ignore_index=True).rename(columns={"time": "step"})
    print(found.to_string(index=False, float_format="%.4f"))
    if table:
        found.to_csv(table, index=False, float_format="%.6g")
    if figure:
        draw(found, figure)
    return found


def draw(found, path):
    """Test errors in full lines, those at training digits in dashed ones; a dot where stopping is best."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(5, 3.6), layout="constrained")
    axes = canvas.subplots()
    for number, (n, rows) in enumerate(found.groupby("n")):
        axes.plot(rows["step"], rows["test"], f"C{number}-", label=f"n = {n}")
        axes.plot(rows["step"], rows["memorization"], f"C{number}--")
        axes.plot(rows["step"][rows["stop"]], rows["test"][rows["stop"]], f"C{number}o")
    axes.set(xscale="log", xlabel="step", ylabel="error: test (full), at training digits (dashed)")
    axes.legend()
    canvas.savefig(path, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:3])
