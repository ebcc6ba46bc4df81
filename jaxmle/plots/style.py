"""The one style of all plots: colours, sizes, axes and their names. Nothing of matplotlib's own settings is changed."""

import importlib
from collections.abc import Sequence
from typing import Any

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE, WHITE = "#777777", "#D9D9D9", "#FFFFFF"

# Told apart by the colour-blind too. Source: Okabe and Ito (2008), "Color Universal Design"; its yellow is left out,
# which is too pale for lines on white.
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")

WIDTH, THIN = 1.8, 1.0
SMALL = 9
LETTER, LINE = 0.075, 0.19  # inches: about how wide a letter of small text is, and how high a line of a legend
_KEY, _MOST_OF_AXES = 0.55, 0.4  # inches before the text of an entry; a legend higher than this share is too high

_OF_NEW_AXES = {
    "font.size": 10,
    "axes.labelsize": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "figure.dpi": 100,
    "savefig.dpi": 150,
}


def axes(ax: Any = None, width: float = 6.0, height: float = 4.0) -> Any:
    """``ax`` itself, or the axes of a new figure of ``width`` by ``height`` inches, in this style.

    Raises ``ImportError`` where matplotlib is not installed, ``TypeError`` where ``ax`` is no axes of it.
    """
    matplotlib, pyplot = _matplotlib()
    if ax is None:
        with matplotlib.rc_context(_OF_NEW_AXES):
            ax = pyplot.subplots(figsize=(width, height), layout="constrained")[1]
            interactive = matplotlib.is_interactive()
        # The first figure loads the backend. That of notebooks then switches this on, and shows nothing without it.
        matplotlib.interactive(interactive)
    if not isinstance(ax, matplotlib.axes.Axes):
        raise TypeError(
            f"ax must be one Axes of matplotlib, not a {type(ax).__name__}: take one of those that "
            "matplotlib.pyplot.subplots returns, or leave it out for a new figure"
        )
    return ax


def _matplotlib():
    try:
        return importlib.import_module("matplotlib"), importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise ImportError(
            'plots need matplotlib, which is not installed: pip install "jaxmle[plots]" (or pip install matplotlib)'
        ) from error


def colour(i: int) -> str:
    """The colour of the i-th thing."""
    return COLOURS[i % len(COLOURS)]


def marker(i: int) -> str:
    """The marker of the i-th thing."""
    return MARKERS[i % len(MARKERS)]


def dashes(i: int) -> str:
    """The line style of the i-th thing: another one once all colours are used."""
    return DASHES[(i // len(COLOURS)) % len(DASHES)]


def name_axes(ax: Any, x: str, y: str, x_units: str | None = None, y_units: str | None = None) -> Any:
    """``ax`` with the names of its axes, with units in brackets where there are any."""
    ax.set_xlabel(with_units(x, x_units))
    ax.set_ylabel(with_units(y, y_units))
    return ax


def named(labels: Sequence[str], names: Sequence[str | None]) -> list[str]:
    """``names``, and the label where one is None.

    >>> named(["beta[1]", "sigma"], ("slope", None))
    ['slope', 'sigma']
    """
    return [label if name is None else name for label, name in zip(labels, names, strict=True)]


def with_units(name: str, units: str | None) -> str:
    """A name with its units.

    >>> with_units("time", "days"), with_units("mu", None)
    ('time (days)', 'mu')
    """
    return name if units is None else f"{name} ({units})"


def legend(ax: Any, **where: Any) -> None:
    """A legend of what has a label, where matplotlib finds room for it."""
    handles, _ = ax.get_legend_handles_labels()
    if handles:
        ax.legend(**{"fontsize": SMALL, "frameon": True, "framealpha": 0.85, "edgecolor": "none", **where})


def legend_above(ax: Any, columns: int = 3, **how: Any) -> None:
    """A legend above the axes, for pictures that fill them, in as many columns as there is room for, and no more than
    ``columns``. The axes make room for it, unless it would take most of theirs: then it may leave the figure."""
    wide, high = ax.bbox.size / ax.get_figure().dpi
    columns, lines = columns_for(ax.get_legend_handles_labels()[1], wide, columns)
    legend(ax, **{"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": columns, "borderaxespad": 0.3, **how})
    if ax.get_legend() is not None:
        ax.get_legend().set_in_layout(bool(LINE * lines <= _MOST_OF_AXES * high))


def columns_for(names: Sequence[str], wide: float, most: int) -> tuple[int, int]:
    """How many columns a legend of ``names`` has in ``wide`` inches, at ``most`` so many, and its lines.

    >>> columns_for(["a", "b", "c"], 4.0, 3), columns_for(["a name of thirty letters or so"] * 3, 4.0, 3)
    ((3, 1), (1, 3))
    """
    longest = max((len(line) for name in names for line in name.splitlines()), default=0)
    columns = max(1, min(most, len(names), int(wide / (_KEY + LETTER * longest))))
    return columns, -(-len(names) // columns) * max((name.count("\n") + 1 for name in names), default=1)


def ink(ax: Any) -> str:
    """The colour of what is black on white: white where the axes are dark.

    Source: the luminance of ITU-R BT.709.
    """
    colours = importlib.import_module("matplotlib.colors")
    red, green, blue, there = colours.to_rgba(ax.get_facecolor())
    return WHITE if there > 0.5 and 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.4 else BLACK


def percent(level: float) -> str:
    """A level in words.

    >>> percent(0.95), percent(0.995)
    ('95 %', '99.5 %')
    """
    return f"{100 * level:.4g} %"
