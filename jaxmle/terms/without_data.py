"""Terms that hold no data: log-densities of params alone."""

import abc
from typing import Any

import jax.numpy as jnp

from jaxmle.terms.objective import Term


class WithoutData(Term):
    """A term that speaks for no rows: all that it says is a log-density of params."""

    @abc.abstractmethod
    def log_density(self, params) -> Any:
        """The log-density at ``params``, a scalar."""

    def scores(self, lift, point):
        return None

    def nobs(self):
        return jnp.zeros(())

    def check_structure(self):
        pass

    def check_values(self, tries):
        pass

    def weights_of_rows(self):
        return None

    def explain_data(self):
        return []

    def explain(self, params):
        value = self.log_density(params)
        if jnp.isfinite(value):
            return []
        return [f"the log-prior is {float(value)} at the start: is its scale (or strength) positive and not extreme?"]
