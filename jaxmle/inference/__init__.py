"""Inference: what a fitted likelihood can honestly say.

Functions of an objective and a fit, indifferent to who found the estimate. :func:`infer` gives standard errors, tests
and intervals; :func:`summary` prints them; :func:`profile` gives intervals without the normal approximation.
:func:`delta`, :func:`predict` and :func:`margins` carry them to what is computed from the parameters; tests and
criteria judge hypotheses and models. Where something does not exist it is NaN, with its reason.
"""

from jaxmle.inference.bias import bias
from jaxmle.inference.checks.check import check
from jaxmle.inference.checks.consistency import Consistency, check_consistency
from jaxmle.inference.checks.diagnose import diagnose
from jaxmle.inference.checks.findings import Findings
from jaxmle.inference.compare import Comparison, compare
from jaxmle.inference.covariances.hat import leverage
from jaxmle.inference.criteria import aicc, effective_parameters, tic
from jaxmle.inference.delta import Derived, delta
from jaxmle.inference.hypotheses.hypothesis import Test
from jaxmle.inference.hypotheses.likelihood_ratio import likelihood_ratio_test
from jaxmle.inference.hypotheses.score import score_test
from jaxmle.inference.hypotheses.wald import wald_test
from jaxmle.inference.infer import infer, summary
from jaxmle.inference.inference import Inference
from jaxmle.inference.kaplan_meier import Survival, kaplan_meier
from jaxmle.inference.predictions.margins import Margins, margins
from jaxmle.inference.predictions.predict import Prediction, predict
from jaxmle.inference.profiles.curve import ProfileCurve, profile_curve
from jaxmle.inference.profiles.profile import Profile, profile
from jaxmle.inference.resampling.bootstrap import bootstrap
from jaxmle.inference.resampling.cross_validate import CrossValidation, cross_validate
from jaxmle.inference.resampling.drawn import Bootstrap
from jaxmle.inference.resampling.jackknife import Jackknife, jackknife
from jaxmle.inference.rows.influence import Influence, influence
from jaxmle.inference.rows.loo import LeaveOneOut, loo
from jaxmle.inference.rows.residuals import residuals
from jaxmle.inference.rows.scores import scores

__all__ = [
    "Bootstrap",
    "Comparison",
    "Consistency",
    "CrossValidation",
    "Derived",
    "Findings",
    "Inference",
    "Influence",
    "Jackknife",
    "LeaveOneOut",
    "Margins",
    "Prediction",
    "Profile",
    "ProfileCurve",
    "Survival",
    "Test",
    "aicc",
    "bias",
    "bootstrap",
    "check",
    "check_consistency",
    "compare",
    "cross_validate",
    "delta",
    "diagnose",
    "effective_parameters",
    "infer",
    "influence",
    "jackknife",
    "kaplan_meier",
    "leverage",
    "likelihood_ratio_test",
    "loo",
    "margins",
    "predict",
    "profile",
    "profile_curve",
    "residuals",
    "score_test",
    "scores",
    "summary",
    "tic",
    "wald_test",
]
