"""The catalogue: what the docstrings of the densities say of each, in one form, and the page made of it.

A density writes its name, parameters, formula and source once, in its own file; everything here is read from there.
"""

import inspect
import re
from types import ModuleType
from typing import NamedTuple

from jaxmle import densities
from jaxmle.densities._derived import is_discrete, log_density_of, parameters_of

FREE, POSITIVE, KNOWN = "any real number", "positive", "known"
_INTRODUCTION = """\
# The densities

Generated from the docstrings of `jaxmle.densities`: `jaxmle densities > CATALOGUE.md`.
One sample of a univariate density is fitted by `jm.fit(jm.models.distribution("weibull", y))`.
"""


class Entry(NamedTuple):
    """What is known of one density. ``parameters`` has a description of each, ``kinds`` whether it is any real number,
    positive, or known; ``mean`` is None where there is none; ``is_univariate``: one observation and each of its
    parameters are single numbers."""

    name: str
    title: str
    support: str
    parameters: dict[str, str]
    kinds: dict[str, str]
    formula: str
    mean: str | None
    source: str
    is_discrete: bool
    is_univariate: bool


def entry(density: ModuleType) -> Entry:
    """What the docstrings of ``density`` say.

    >>> from jaxmle.densities import weibull
    >>> entry(weibull).title, entry(weibull).support, entry(weibull).kinds
    ('The Weibull distribution, of minima.', 'a positive number', {'c': 'positive', 'scale': 'positive'})
    """
    text = inspect.getdoc(log_density_of(density)) or ""
    arguments = _arguments(_section(text, "Args:"))
    parameters = {name: arguments[name] for name in parameters_of(density)}
    mean = getattr(density, "mean", None)
    return Entry(
        name=density.__name__.rsplit(".", 1)[-1],
        title=(density.__doc__ or "").splitlines()[0],
        support=density.SUPPORT,
        parameters=parameters,
        kinds={name: _kind(words) for name, words in parameters.items()},
        formula=_section(text, "Formula:"),
        mean=None if mean is None else (inspect.getdoc(mean) or "").splitlines()[0],
        source=_section(text, "Source:"),
        is_discrete=is_discrete(density),
        is_univariate=", K" not in _section(text, "Args:"),
    )


def entries() -> dict[str, Entry]:
    """An entry for each density, by name.

    >>> "gamma" in entries()
    True
    """
    modules = {name: getattr(densities, name) for name in densities.__all__}
    return {name: entry(module) for name, module in modules.items() if isinstance(module, ModuleType)}


def univariate() -> dict[str, Entry]:
    """The entries of univariate densities: those with one-sample models.

    >>> "gamma" in univariate(), "dirichlet" in univariate()
    (True, False)
    """
    return {name: found for name, found in entries().items() if found.is_univariate}


def page(names=None) -> str:
    """The catalogue in Markdown; where there are ``names``, only their entries.

    >>> page().splitlines()[0], page(["gamma"]).splitlines()[0]
    ('# The densities', '## gamma')
    """
    if names is not None:
        return "\n".join(_in_markdown(entries()[name]) for name in names)
    return "\n".join([_INTRODUCTION, *map(_in_markdown, entries().values())])


def _in_markdown(found: Entry) -> str:
    parameters = "".join(f"  - `{name}`: {words}\n" for name, words in found.parameters.items())
    return (
        f"## {found.name}\n\n{found.title}\n\n"
        f"- **Support**: {found.support}\n- **Parameters**:\n{parameters}"
        f"- **{'Log-probability' if found.is_discrete else 'Log-density'}**: {found.formula}\n"
        f"- **Mean**: {_without_article(found.mean)}\n"
        f"- **Source**: {found.source}\n"
    )


def _without_article(mean: str | None) -> str:
    """The mean without saying again what it is."""
    if mean is None:
        return "none, or none in closed form."
    return re.sub(r"^The means?,? ?", "", mean)


def _section(text: str, heading: str) -> str:
    """What stands under ``heading`` in a docstring: up to the next paragraph that begins with a heading. Lines of
    ordinary text are joined."""
    found = re.search(rf"^{heading}\s*(.*?)(?=\n\n[A-Z][a-z]+:|\Z)", text, re.MULTILINE | re.DOTALL)
    words = "" if found is None else found.group(1)
    return words if heading == "Args:" else " ".join(words.split())


def _arguments(text: str) -> dict[str, str]:
    """The arguments that an "Args:" section lists, and what it says of each."""
    pairs = re.findall(r"^ *(\w+): (.*?)(?=\n *\w+: |\Z)", text, re.MULTILINE | re.DOTALL)
    return {name: " ".join(words.split()) for name, words in pairs}


def _kind(words: str) -> str:
    """Whether a parameter described by these words is any real number, positive, or known."""
    if "a known number" in words or "not a parameter to be estimated" in words:
        return KNOWN
    return POSITIVE if "any real number" not in words and re.search(r"\bpositive\b", words) else FREE
