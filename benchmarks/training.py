"""Networks as likelihoods: how well do minibatches train them, and in what time?"""

import ast
import functools
import pathlib
import sysconfig
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import jaxmle as jm
from benchmarks.measure import Row
from benchmarks.question import Skip

CONTEXT = 64
_OTHER = "\x00"  # stands for every character that is rare


@functools.cache
def digits():
    """scikit-learn's digits in two parts, 1437 to train on and 360 kept apart: ``{"x": (n, 64), "y": (n,)}`` each."""
    x, y = load_digits(return_X_y=True)
    parts = train_test_split((x / 16).astype(np.float32), y, test_size=360, random_state=0, stratify=y)
    return {"x": parts[0], "y": parts[2]}, {"x": parts[1], "y": parts[3]}


def accuracy(logits, y) -> float:
    """The share of rows whose largest logit is their label's."""
    return float(np.mean(np.argmax(np.asarray(logits), axis=1) == y))


# A multilayer perceptron


def mlp_log_likelihood(model, rows):
    """Minus the cross-entropy of each row."""
    return jm.densities.categorical.logpmf(rows["y"], jax.vmap(model)(rows["x"]))


def weights_of(model):
    """All the numbers of a network."""
    return eqx.filter(model, eqx.is_inexact_array)


def train_mlp(epochs: int = 40):
    """An MLP on the digits with a normal prior (weight decay as MAP), and its held-out accuracy."""
    train, held_out = digits()
    model = eqx.nn.MLP(64, 10, 128, 2, key=jax.random.key(0), dtype=jnp.float32)
    objective = jm.likelihood(mlp_log_likelihood, train) + jm.priors.normal(weights_of, scale=1.0)
    steps = epochs * -(-len(train["y"]) // 64)
    fit = jm.train(
        objective,
        model,
        optax.adam(optax.cosine_decay_schedule(4e-3, steps)),
        key=jax.random.key(1),
        batch_size=64,
        epochs=epochs,
    )
    return fit, accuracy(jax.vmap(fit.params)(held_out["x"]), held_out["y"])


# A residual network with batch normalisation


class Residual(eqx.Module):
    """Two convolutions around which the input is carried."""

    convolutions: tuple
    norms: tuple

    def __init__(self, channels, key):
        keys = jax.random.split(key)
        self.convolutions = tuple(_convolution(channels, channels, key) for key in keys)
        self.norms = tuple(_norm(channels) for _ in keys)

    def __call__(self, x, state):
        y, state = self.norms[0](self.convolutions[0](x), state)
        y, state = self.norms[1](self.convolutions[1](jax.nn.relu(y)), state)
        return jax.nn.relu(x + y), state


class ResidualNetwork(eqx.Module):
    """8 by 8 pixels to ten logits through two residual blocks."""

    first: eqx.nn.Conv2d
    blocks: tuple
    last: eqx.nn.Linear

    def __init__(self, channels, key):
        keys = jax.random.split(key, 4)
        self.first = _convolution(1, channels, keys[0])
        self.blocks = tuple(Residual(channels, key) for key in keys[1:3])
        self.last = eqx.nn.Linear(channels * 16, 10, key=keys[3], dtype=jnp.float32)

    def __call__(self, x, state):
        x = jax.nn.relu(self.first(x.reshape(1, 8, 8)))
        for block in self.blocks:
            x, state = block(x, state)
        x = x.reshape(-1, 4, 2, 4, 2).max(axis=(2, 4))
        return self.last(x.ravel()), state


def _convolution(inside, outside, key):
    return eqx.nn.Conv2d(inside, outside, 3, padding=1, key=key, dtype=jnp.float32)


def _norm(channels):
    return eqx.nn.BatchNorm(channels, axis_name="batch", mode="ema", momentum=0.9, dtype=jnp.float32)


def shifted(x, key):
    """Every image moved by up to one pixel along each axis."""
    padded = jnp.pad(x.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    corners = jax.random.randint(key, (len(x), 2), 0, 3)

    def cut(image, corner):
        return jax.lax.dynamic_slice(image, (corner[0], corner[1]), (8, 8))

    return jax.vmap(cut)(padded, corners).reshape(x.shape)


def residual_logits(model, x, state, key):
    """The logits of rows of pixels, and the batch statistics after them; without a key nothing is learnt."""
    model = eqx.nn.inference_mode(model, key is None)
    x = x if key is None else shifted(x, key)
    return jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)


def residual_log_likelihood(model, rows, state, key):
    """Minus the cross-entropy of each row, and the state."""
    logits, state = residual_logits(model, rows["x"], state, key)
    return jm.densities.categorical.logpmf(rows["y"], logits), state


def train_residual(epochs: int = 40, channels: int = 16):
    """The residual network on shifted digits by AdamW, and its held-out accuracy."""
    train, held_out = digits()
    model, state = eqx.nn.make_with_state(ResidualNetwork)(channels, jax.random.key(0))
    steps = epochs * -(-len(train["y"]) // 64)
    fit = jm.train(
        jm.likelihood(residual_log_likelihood, train),
        model,
        optax.adamw(optax.cosine_decay_schedule(4e-3, steps), weight_decay=1e-2),
        key=jax.random.key(1),
        batch_size=64,
        epochs=epochs,
        state=state,
    )
    logits, _ = eqx.filter_jit(residual_logits)(fit.params, jnp.asarray(held_out["x"]), fit.state, None)
    return fit, accuracy(logits, held_out["y"])


# A character transformer


class Layer(eqx.Module):
    """Causal attention and a small network, around each of which the input is carried."""

    norms: tuple
    mix: eqx.nn.Linear
    out: eqx.nn.Linear
    wide: eqx.nn.Linear
    narrow: eqx.nn.Linear
    heads: int = eqx.field(static=True)

    def __init__(self, width, heads, key):
        keys = jax.random.split(key, 4)
        linear = functools.partial(eqx.nn.Linear, dtype=jnp.float32)
        self.norms = tuple(eqx.nn.LayerNorm(width, dtype=jnp.float32) for _ in range(2))
        self.mix, self.out = linear(width, 3 * width, key=keys[0]), linear(width, width, key=keys[1])
        self.wide, self.narrow = linear(width, 4 * width, key=keys[2]), linear(4 * width, width, key=keys[3])
        self.heads = heads

    def __call__(self, x):
        x = x + jax.vmap(self.out)(self._attend(jax.vmap(self.norms[0])(x)))
        hidden = jax.nn.relu(jax.vmap(self.wide)(jax.vmap(self.norms[1])(x)))
        return x + jax.vmap(self.narrow)(hidden)

    def _attend(self, x):
        length, width = x.shape
        q, k, v = jnp.split(jax.vmap(self.mix)(x).reshape(length, self.heads, -1), 3, axis=2)
        scores = jnp.einsum("ihd,jhd->hij", q, k) / np.sqrt(width / self.heads).astype(np.float32)
        past = jnp.tril(jnp.ones((1, length, length), bool))
        attention = jax.nn.softmax(jnp.where(past, scores, -jnp.inf), axis=-1)
        return jnp.einsum("hij,jhd->ihd", attention, v).reshape(length, width)


class Transformer(eqx.Module):
    """Characters to the logits of the next one."""

    embedding: jax.Array
    position: jax.Array
    layers: tuple
    norm: eqx.nn.LayerNorm

    def __init__(self, symbols, width, depth, key):
        keys = jax.random.split(key, depth + 2)
        self.embedding = 0.1 * jax.random.normal(keys[0], (symbols, width), jnp.float32)
        self.position = 0.1 * jax.random.normal(keys[1], (CONTEXT, width), jnp.float32)
        self.layers = tuple(Layer(width, 4, key) for key in keys[2:])
        self.norm = eqx.nn.LayerNorm(width, dtype=jnp.float32)

    def __call__(self, characters):
        # A product with ones and zeros: on a CPU its derivative is much faster than that of an index.
        x = jax.nn.one_hot(characters, len(self.embedding), dtype=jnp.float32) @ self.embedding + self.position
        for layer in self.layers:
            x = layer(x)
        return jax.vmap(self.norm)(x) @ self.embedding.T


def text_log_likelihood(model, windows):
    """The sum over a window of log P(next | before), for each window of CONTEXT + 1 characters."""
    logits = jax.vmap(model)(windows[:, :-1])
    chosen = jnp.sum(logits * jax.nn.one_hot(windows[:, 1:], logits.shape[-1], dtype=logits.dtype), axis=2)
    return jnp.sum(chosen - jax.nn.logsumexp(logits, axis=2), axis=1)


@functools.cache
def docstrings() -> str:
    """Every docstring of the modules at the top of the standard library, one after the other."""
    texts = []
    for path in sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8", errors="ignore"))
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
        texts.append("\n\n".join(text for text in found if text))
    return "\n\n".join(text for text in texts if text)


def text_in_two(characters: int | None = None):
    """The text as numbers, nine tenths to train on and the last tenth kept apart, and how many symbols it has."""
    text = docstrings()[:characters]
    common = [c for c, count in zip(*np.unique(list(text), return_counts=True), strict=True) if count >= 20]
    number = {c: i for i, c in enumerate([_OTHER, *common])}
    codes = np.asarray([number.get(c, 0) for c in text], np.uint8)
    cut = len(codes) * 9 // 10
    return codes[:cut], codes[cut:], len(number)


def windows(codes):
    """Windows of CONTEXT + 1 characters that share one with the next, so that each character is predicted once."""
    count = (len(codes) - 1) // CONTEXT
    return codes[np.arange(count)[:, None] * CONTEXT + np.arange(CONTEXT + 1)]


def ngram_bits(train, held_out, symbols: int, order: int) -> float:
    """Bits per held-out character of an interpolated n-gram model, weights by deleted interpolation.

    Each estimate is mixed with the next shorter one by P = (count + m P_shorter) / (total + m) (MacKay and Peto
    1995), with m that is best for the last tenth of the training text.
    """
    fit_on, tune_on = train[: len(train) * 9 // 10], train[len(train) * 9 // 10 :]
    strengths = []
    for n in range(1, order + 1):
        tries = [(_ngram(fit_on, tune_on, symbols, [*strengths, m])[n:].mean(), m) for m in 2.0 ** np.arange(-2, 9)]
        strengths.append(max(tries)[1])
    return float(-_ngram(train, held_out, symbols, strengths)[order:].mean())


def _ngram(train, text, symbols, strengths):
    """log2 P of each character of ``text`` given those before it; an order more for each strength."""
    chance = np.full(len(text), 1.0 / symbols)
    for n, m in enumerate(strengths):
        whole, before = _codes(train, n + 1, symbols), _codes(train, n, symbols)[:-1] if n else None
        counts = np.bincount(whole, minlength=symbols ** (n + 1))
        totals = np.bincount(before, minlength=symbols**n) if n else np.array([len(train)])
        its, its_before = _codes(text, n + 1, symbols), _codes(text, n, symbols)[:-1] if n else 0
        shorter = chance[n:]
        chance = np.concatenate([chance[:n], (counts[its] + m * shorter) / (totals[its_before] + m)])
    return np.log2(chance)


def _codes(text, n, symbols):
    """The n characters up to each place as one number, from the first place that has so many."""
    length = len(text) - n + 1
    return sum(text[i : i + length].astype(int) * symbols ** (n - 1 - i) for i in range(n))


def train_transformer(epochs: int = 2, characters: int | None = None, width: int = 64, depth: int = 2, rate=4e-3):
    """The transformer on docstrings, and bits per held-out character: its own, a trigram's and a bigram's."""
    train, held_out, symbols = text_in_two(characters)
    model = Transformer(symbols, width, depth, jax.random.key(0))
    rows = windows(train)
    steps = epochs * -(-len(rows) // 32)
    schedule = optax.warmup_cosine_decay_schedule(0.0, rate, steps // 20, steps)
    fit = jm.train(
        jm.likelihood(text_log_likelihood, rows),
        model,
        optax.chain(optax.clip_by_global_norm(50.0), optax.adamw(schedule, weight_decay=0.05)),
        key=jax.random.key(1),
        batch_size=32,
        epochs=epochs,
    )
    test = windows(held_out)
    term = jm.likelihood(text_log_likelihood, test, block=256)
    bits = -float(eqx.filter_jit(term)(fit.params)) / np.log(2.0) / test[:, 1:].size
    return fit, bits, ngram_bits(train, held_out, symbols, 3), ngram_bits(train, held_out, symbols, 2)


PEERS = ("MLP", "residual network, batch statistics", "transformer", "n-grams")
_OF = "bits per held-out character"


def rows(who: str, small: bool):
    """A row for each network: seconds of its training, compiling included, and what it reached on held-out data."""
    if small:
        raise Skip("training has no small size; tests/test_train.py trains for a few epochs")
    begun = time.perf_counter()
    if who in PEERS[:2]:
        fit, reached = (train_mlp if who == "MLP" else train_residual)()
        question, reached, of = f"digits, {who}", 1 - reached, "of held-out digits wrong"
    elif who == "transformer":
        fit, reached, _, _ = train_transformer()
        question, of = f"docstrings, {who}", _OF
    else:
        train, held_out, symbols = text_in_two()
        for name, order in (("trigram", 3), ("bigram", 2)):
            bits = ngram_bits(train, held_out, symbols, order)
            yield Row(f"docstrings, interpolated {name}", "counts", np.nan, np.nan, bits, _OF, "float64")
        return
    question += f", {fit.space.size:,} parameters, {int(fit.steps):,} steps"
    yield Row(question, "jaxmle train", time.perf_counter() - begun, np.nan, reached, of, "float32")
