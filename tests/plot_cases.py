"""What the tests of plots share: figures that are closed again, and what to look for on Axes."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot


@pytest.fixture(autouse=True)
def _closed():
    """Matplotlib's settings are as they were after each plot, and its figures are closed."""
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    for number in pyplot.get_fignums():
        pyplot.figure(number).canvas.draw()  # what cannot be drawn fails here
    pyplot.close("all")


def line(ax, label):
    """The data of the line whose label begins so."""
    found = [one for one in ax.lines if str(one.get_label()).startswith(label)]
    assert len(found) == 1, f"{len(found)} lines are called {label}"
    return np.asarray(found[0].get_xdata(), float), np.asarray(found[0].get_ydata(), float)


def entries(ax):
    """The texts of the legend."""
    return [] if ax.get_legend() is None else [text.get_text() for text in ax.get_legend().get_texts()]


def names(ax):
    """The names of both axes."""
    return ax.get_xlabel(), ax.get_ylabel()


def colours(ax):
    """The colours of the lines."""
    return {matplotlib.colors.to_hex(one.get_color()).upper() for one in ax.lines}
