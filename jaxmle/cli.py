"""The command line: ``jaxmle fit data.csv "y ~ a + b" --model logistic``, ``jaxmle models``,
``jaxmle densities``, ``jaxmle demo``.

It estimates in float64. Its exit status is 0 for an estimate, 1 for a fit that is none (the table shows how
far it came, standard error says why), 2 for a request that cannot be carried out (one line on standard
error).
"""

import argparse
import difflib
import json
import math
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

_ALIASES = {
    "negative_binomial": "negative_binomial_regression",
    "ordinal": "ordinal_regression",
    "poisson": "poisson_regression",
    "survival": "survival_regression",
}
_COLUMNS = {
    "weights": "the column of case weights: weight 2 equals the row twice",
    "offset": "the column that is added to the linear predictor as it is",
    "exposure": "the column of times or sizes that counts are of",
    "event": "the column that is 1 where a time ended with the event and 0 where it was censored",
}

_DEMO_FORMULA = "stackloss ~ airflow + watertemp + acidconc"
_DEMO = """\
Brownlee (1965) recorded, on 21 days, how much ammonia escaped from a plant that makes nitric acid
(stackloss), with the flow of air, the temperature of the cooling water and the concentration of the acid.
Below, the loss is a linear function of these three with normal noise, fitted by maximum likelihood: coef is
the estimate, std err its standard error, and the last two columns a 95% interval. The scale of the noise,
sigma, is estimated with the rest; least squares divides by n - p where maximum likelihood divides by n, so
the standard errors in textbooks are a little larger.

{table}

The fit says: {message}.

The same in Python:

{recipe}
and on the command line:

    jaxmle fit "{path}" "{formula}" --model linear"""
_RECIPE = f"""\
    import jax
    import pandas
    from importlib.resources import files
    import jaxmle as jm

    jax.config.update("jax_enable_x64", True)
    frame = pandas.read_csv(files("jaxmle.demo") / "stackloss.csv")
    problem = jm.models.linear.from_formula("{_DEMO_FORMULA}", frame)
    fit = jm.fit(problem)
    print(jm.summary(problem, fit))
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (by default that of the process) and return its exit status.

    ``--help`` and ``--version`` raise ``SystemExit(0)``, as argparse does.
    """
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
        if arguments.run is None:
            parser.print_help(sys.stderr)
            return 2
        _use_float64()
        status = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except _Refusal as refusal:
        print(f"jaxmle: {_one_line(str(refusal))}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader has left, as `head` does: what is still to be written goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


class _Refusal(Exception):
    """A request that cannot be carried out: what happened and what to do."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        raise _Refusal(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    import jaxmle

    parser = _Parser(
        prog="jaxmle",
        description="Maximum likelihood and maximum a posteriori estimation.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"jaxmle {jaxmle.__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    fit = commands.add_parser("fit", help="fit a regression to a CSV file and print its table", allow_abbrev=False)
    fit.set_defaults(run=_fit)
    fit.add_argument("data", metavar="DATA.csv", help="comma-separated text with a line of column names")
    fit.add_argument(
        "formula", metavar="FORMULA", help="such as 'y ~ a + C(b)'; it adds a constant, '0 +' takes it out"
    )
    fit.add_argument("--model", required=True, metavar="NAME", help="one of those that `jaxmle models` lists")
    for option, what in _COLUMNS.items():
        fit.add_argument(f"--{option}", metavar="COLUMN", help=what)
    families = "weibull (by default), exponential, gamma, lognormal or loglogistic"
    fit.add_argument("--family", metavar="NAME", help=f"that of the times of a survival regression: {families}")
    fit.add_argument(
        "--missing",
        choices=("raise", "drop"),
        default="raise",
        help="what becomes of rows with a missing value in a column that is used; the table reports dropped rows",
    )
    fit.add_argument(
        "--prior-scale",
        type=_positive,
        metavar="SCALE",
        help="add independent normal priors with mean zero and this standard deviation over all "
        "coefficients, the constant included",
    )
    fit.add_argument(
        "--json", type=Path, metavar="OUT.json", help="also write the table and the estimates to this file"
    )

    models = commands.add_parser("models", help="list the models", allow_abbrev=False)
    models.set_defaults(run=_list_models)
    catalogue = commands.add_parser("densities", help="print the catalogue of densities", allow_abbrev=False)
    catalogue.set_defaults(run=_list_densities)
    catalogue.add_argument("names", nargs="*", metavar="NAME", help="which; by default all of them")
    demo = commands.add_parser("demo", help="fit a small real data set and say how", allow_abbrev=False)
    demo.set_defaults(run=_demo)
    return parser


def _positive(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not 0 < scale < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number; give one such as 2.5")
    return scale


def _use_float64() -> None:
    import jax

    jax.config.update("jax_enable_x64", True)


def _fit(arguments: argparse.Namespace) -> int:
    import jaxmle as jm

    name, model = _model(arguments.model)
    _check_destination(arguments.json)
    columns = {option: getattr(arguments, option) for option in _COLUMNS}
    named = {option: column for option, column in columns.items() if column is not None}
    named |= {"family": arguments.family} if arguments.family is not None else {}
    problem = _problem(model, arguments.formula, _read(arguments.data), missing=arguments.missing, **named)
    if arguments.prior_scale is not None:
        problem = problem + jm.priors.normal("beta", scale=arguments.prior_scale)
    try:
        fit = jm.fit(problem)
    except ValueError as error:
        raise _Refusal(error) from error
    inference = jm.infer(problem, fit)
    print(inference.table())
    if arguments.json is not None:
        request = {"model": name, "formula": arguments.formula, "prior_scale": arguments.prior_scale}
        request |= {"missing": arguments.missing, "family": arguments.family, **columns}
        _write_json(arguments.json, request | _results(fit, inference))
    if not fit.ok:
        print(f"jaxmle: not an estimate: {fit.message}", file=sys.stderr)
    return 0 if fit.ok else 1


def _list_models(arguments: argparse.Namespace) -> int:
    models = _models()
    for name, model in models.items():
        also = "".join(f" (or {alias})" for alias, target in _ALIASES.items() if target == name)
        parameters = ", ".join(model([[1.0], [1.0]], [0, 1]).start)
        print(f"{name}{also}: {_first_sentence(model.__doc__ or '')} Parameters: {parameters}.")
    print("\nOne sample, in Python: jm.fit(jm.models.distribution(NAME, y)), where NAME is one of")
    for name, entry in _univariate().items():
        print(f"{name}: {entry.title} For {entry.support}. Parameters: {', '.join(entry.parameters)}.")
    return 0


def _univariate() -> dict[str, Any]:
    """What the catalogue says of the densities that have a one-sample model."""
    from jaxmle.densities import catalogue
    from jaxmle.models.families import FAMILIES

    return {name: entry for name, entry in catalogue.univariate().items() if name in FAMILIES}


def _list_densities(arguments: argparse.Namespace) -> int:
    from jaxmle.densities import catalogue

    unknown = [name for name in arguments.names if name not in catalogue.entries()]
    if unknown:
        raise _Refusal(f"there is no density {unknown[0]!r}; the densities are: {', '.join(catalogue.entries())}")
    print(catalogue.page(arguments.names or None), end="")
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from importlib.resources import as_file, files

    import jaxmle as jm

    with as_file(files("jaxmle.demo") / "stackloss.csv") as path:
        problem = _problem(jm.models.linear, _DEMO_FORMULA, _read(str(path)))
    fit = jm.fit(problem)
    table = jm.summary(problem, fit)
    print(_DEMO.format(table=table, message=fit.message, recipe=_RECIPE, path=path, formula=_DEMO_FORMULA))
    return 0 if fit.ok else 1


def _models() -> dict[str, Any]:
    """The models that can be fitted from a formula, by name."""
    from jaxmle import models

    return {name: getattr(models, name) for name in models.__all__ if hasattr(getattr(models, name), "from_formula")}


def _model(name: str) -> tuple[str, Any]:
    """The full name of the model ``name``, and the model."""
    models = _models()
    full = _ALIASES.get(name, name)
    if full in models:
        return full, models[full]
    near = difflib.get_close_matches(name.lower(), [*models, *_ALIASES], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise _Refusal(f"there is no model {name!r}; {hint}The models are: {', '.join(models)}")


def _read(path: str):
    """The data frame in a file of comma-separated values with a line of column names."""
    pandas = _pandas()
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            if b"\0" in file.peek(4096):
                raise _Refusal(f"{path} is binary, not text; save it as comma-separated text (CSV) in UTF-8")
            warnings.simplefilter("error", pandas.errors.ParserWarning)  # a row longer than the line of names
            frame = pandas.read_csv(file, index_col=False, skipinitialspace=True, low_memory=False)
    except OSError as error:
        raise _Refusal(f"cannot read {path}: {error.strerror}; give the path of a CSV file") from error
    except UnicodeDecodeError as error:
        raise _Refusal(f"{path} is not text in UTF-8; save it as comma-separated text (CSV) in UTF-8") from error
    except pandas.errors.EmptyDataError as error:
        raise _Refusal(f"{path} is empty; it needs a line of column names and a line for each row") from error
    except (ValueError, pandas.errors.ParserWarning) as error:
        raise _Refusal(
            f"{path} is not comma-separated text: {error}; give every line one value for each column name"
        ) from error
    if frame.shape[1] == 1 and re.search("[;\t]", str(frame.columns[0])):
        raise _Refusal(f"{path} is separated by semicolons or tabs; save it with commas (and points in numbers)")
    if frame.empty:
        raise _Refusal(f"{path} has column names but no rows; add a line for each row")
    return frame


def _pandas():
    try:
        import pandas
    except ImportError as error:
        raise _Refusal(
            "reading data needs pandas, which is not installed; run: pip install 'jaxmle[formula]'"
        ) from error
    return pandas


def _problem(model, formula: str, frame, **options):
    """The problem of ``formula`` on ``frame``."""
    try:
        return model.from_formula(formula, frame, **options)
    except (ValueError, TypeError, ImportError) as error:
        raise _Refusal(error) from error


def _results(fit, inference) -> dict[str, Any]:
    """What a fit found, every digit kept, as JSON can hold it."""
    import jax
    import numpy as np

    numbers = {
        "log_likelihood": inference.llf,
        "log_prior": inference.logprior,
        "aic": inference.aic,
        "bic": inference.bic,
        "nobs": inference.nobs,
        "estimates": fit.params,
    }
    lists = jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), numbers)
    outcome = {"ok": fit.ok, "status": int(fit.status), "message": fit.message}
    return outcome | _without_nan(lists) | inference.table().to_dict()


def _without_nan(value):
    """Lists and dictionaries of numbers with None for those that JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return value if math.isfinite(value) else None


def _check_destination(path: Path | None) -> None:
    """Refuse, before anything is fitted, a file that could never be written."""
    if path is None:
        return
    if os.path.exists(path) and not os.path.isfile(path):
        raise _Refusal(f"cannot write {path}: it is not a file (a directory or a device); give another path")
    if not os.path.isdir(path.parent):
        raise _Refusal(f"cannot write {path}: there is no directory {path.parent}; make it first")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Write the whole file or nothing: a reader never meets half of one, and a failure leaves the old one."""
    from jaxmle.core.files import write_whole

    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise _Refusal(f"cannot write {path}: {error.strerror}; give a file in a directory you can write to") from error


def _first_sentence(text: str) -> str:
    """The first sentence of a docstring, without its markup; a full stop between spaces is a product."""
    flat = " ".join(text.split()).replace("``", "")
    return re.split(r"(?<=\S\.)\s", flat, maxsplit=1)[0]


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    raise SystemExit(main())
