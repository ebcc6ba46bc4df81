"""Small samples and refusals that tests of bad input share."""

import numpy as np

import jaxmle as jm

normal = jm.densities.normal


def assert_says(message, *words):
    for word in words:
        assert word.lower() in str(message).lower(), f"{word!r} is not in: {message}"


def normal_rows(params, y):
    return normal.logpdf(y, params["mu"], params["sigma"])


def normal_start():
    return {"mu": 0.0, "sigma": jm.positive(1.0)}


X = np.array([[1.0, 2.0], [1.0, 1.0], [1.0, 3.0], [1.0, 5.0], [1.0, 4.0], [1.0, 6.0]])
Y = np.array([1.1, 0.8, 1.9, 3.2, 2.6, 3.1])
LABELS = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])


def with_value(array, index, value):
    changed = np.array(array, dtype=float)
    changed[index] = value
    return changed
