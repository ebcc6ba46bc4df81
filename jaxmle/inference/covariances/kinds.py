"""The kinds of covariance: what each turns over, and what it puts in the middle."""

from collections.abc import Callable
from typing import NamedTuple

from jaxmle.core.evaluation import EXPECTED, OBSERVED, OPG
from jaxmle.inference.covariances.groups import cluster
from jaxmle.inference.covariances.hac import hac
from jaxmle.inference.covariances.hat import hc2, hc3
from jaxmle.inference.covariances.meat import hc0, hc1
from jaxmle.inference.covariances.replicated import bootstrap_covariance, jackknife_covariance
from jaxmle.inference.door import check_key


class Kind(NamedTuple):
    """One kind of covariance: the inverse of the information ``bread``, or with a ``meat`` the sandwich of the two, or
    what the ``whole`` gives.

    ``meat(asked)`` gives the sum of outer products in z and a dictionary of arrays, the facts that the table tells;
    ``whole(asked)`` the covariance in z itself, and such a dictionary.
    ``options`` names what else of :func:`jaxmle.infer` it takes.
    """

    bread: str = OBSERVED
    meat: Callable | None = None
    options: tuple[str, ...] = ()
    corrects: bool = False  # whether the small-sample factor is applied where nothing is said
    whole: Callable | None = None

    @property
    def carries_to_edges(self) -> bool:
        """Whether it says how what is not at an edge varies, where others that it is constrained together with have run
        there. Refits are in z, which is infinite there, and the scores of what no longer matters are no information."""
        return self.whole is None and self.bread != OPG


KINDS = {
    "observed": Kind(OBSERVED),
    "expected": Kind(EXPECTED, options=("key",)),
    "opg": Kind(OPG),
    "hc0": Kind(meat=hc0),
    "hc1": Kind(meat=hc1),
    "hc2": Kind(meat=hc2),
    "hc3": Kind(meat=hc3),
    "cluster": Kind(meat=cluster, options=("groups", "correction"), corrects=True),
    "hac": Kind(meat=hac, options=("lags", "correction")),
    "bootstrap": Kind(whole=bootstrap_covariance, options=("key", "groups", "draws")),
    "jackknife": Kind(whole=jackknife_covariance),
}
ALIASES = {"sandwich": "hc0"}


def kind_named(name: str) -> str:
    """The name of the kind that ``name`` stands for. Raises ``ValueError`` where there is none."""
    kind = ALIASES.get(name, name)
    if kind not in KINDS:
        known = ", ".join([*KINDS, *ALIASES])
        raise ValueError(f"there is no covariance {name!r}; the kinds are: {known}")
    return kind


def check_options(kind: str, given: dict, is_rough: bool = False) -> None:
    """Raise ``ValueError`` where an option was given that ``kind`` does not take, or one that it needs is missing;
    ``TypeError`` for a key that is none, and for refits with a prior that ``is_rough`` (has kinks)."""
    for option, value in given.items():
        takers = [name for name, other in KINDS.items() if option in other.options]
        if value is not None and option not in KINDS[kind].options:
            raise ValueError(f"{option}= goes with covariance={' or '.join(map(repr, takers))}, not with {kind!r}")
    if kind == "bootstrap" and given["key"] is None:
        raise ValueError("covariance='bootstrap' draws at random, which needs key=, such as key=jax.random.key(0)")
    if is_rough and KINDS[kind].whole is not None:
        raise TypeError(
            f"covariance={kind!r} would refit with a prior that has kinks (laplace, elastic_net, group_laplace), where "
            "which parameters are zero changes from refit to refit, so that their covariance gives no standard errors; "
            f"jm.{kind}(objective, fit, ...) shows the refits themselves"
        )
    if given["key"] is not None:
        check_key(given["key"])
    if kind == "cluster" and given["groups"] is None:
        raise ValueError("covariance='cluster' needs groups=, a label for each row (or a tuple of two such arrays)")
