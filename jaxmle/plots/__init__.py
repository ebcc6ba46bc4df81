"""Plots: one picture a function, on matplotlib (``pip install "jaxmle[plots]"``), which is imported when one is drawn.

Every function takes ``ax=``, the Axes to draw on (by default those of a new figure), and returns them: change what you
like there, and save it with ``ax.figure.savefig``. Nothing is shown, saved or set for other plots. What is drawn is
computed by the functions of the same toolkit, so that the numbers behind a picture can be had: :func:`profile` draws
:func:`jaxmle.profile`, :func:`residuals` draws :func:`jaxmle.residuals`, and so on. Colours can be told apart by the
colour-blind; what is not an estimate is never drawn as one.

- The likelihood: :func:`likelihood_curve`, :func:`likelihood_surface`, :func:`profile`, :func:`contours`.
- Estimates: :func:`coefficients`, :func:`regularisation_path`, :func:`batch`.
- The model against the data: :func:`density`, :func:`residuals`, :func:`quantile_quantile`, :func:`influence`.
- The climb: :func:`convergence`, :func:`starts`.
- :func:`losses`.
"""

from jaxmle.plots.batch import batch
from jaxmle.plots.coefficients import coefficients
from jaxmle.plots.contours import contours
from jaxmle.plots.convergence import convergence
from jaxmle.plots.density import density
from jaxmle.plots.influence import influence
from jaxmle.plots.likelihood_curve import likelihood_curve
from jaxmle.plots.likelihood_surface import likelihood_surface
from jaxmle.plots.losses import losses
from jaxmle.plots.profile import profile
from jaxmle.plots.quantile_quantile import quantile_quantile
from jaxmle.plots.regularisation_path import regularisation_path
from jaxmle.plots.residuals import residuals
from jaxmle.plots.starts import starts

__all__ = [
    "batch",
    "coefficients",
    "contours",
    "convergence",
    "density",
    "influence",
    "likelihood_curve",
    "likelihood_surface",
    "losses",
    "profile",
    "quantile_quantile",
    "regularisation_path",
    "residuals",
    "starts",
]
