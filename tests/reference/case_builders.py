"""Published models, each written from its description.

A builder takes the columns of the data and the stated start; it returns an objective and a marked start whose
labels are the names that the case gives its parameters.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, i0e, logsumexp

import jaxmle as jm

normal, poisson, gamma = jm.densities.normal, jm.densities.poisson, jm.densities.gamma
negative_binomial, categorical = jm.densities.negative_binomial, jm.densities.categorical
BUILDERS = {}


def case(name):
    return lambda builder: BUILDERS.setdefault(name, builder)


def design(data, names):
    """The columns ``names`` of the data side by side; ``const`` is a column of ones."""
    ones = np.ones(len(next(iter(data.values()))))
    return np.stack([ones if name == "const" else data[name] for name in names], axis=1)


def coefficients(start, names):
    return jm.free(jnp.array([float(start[name]) for name in names]), names)


def mixture(p, first, second):
    """The log-density of a mixture that is ``first`` with probability p."""
    return jnp.logaddexp(jnp.log(p) + first, jnp.log1p(-p) + second)


# Ready-made models


@case("spector-logit")
@case("lbw-logit")
def _(data, start):
    names, response = list(start), "GRADE" if "GRADE" in data else "low"
    return jm.models.logistic(design(data, names), data[response], labels=names), None


@case("vaso-logit")
def _(data, start):
    data = {"y": data["y"], "logvolume": np.log(data["Volume"]), "lograte": np.log(data["Rate"])}
    return jm.models.logistic(design(data, list(start)), data["y"], labels=list(start)), None


@case("star98-binomial")
def _(data, start):
    x, trials = design(data, list(start)), data["NABOVE"] + data["NBELOW"]
    return jm.models.logistic(x, data["NABOVE"], trials=trials, labels=list(start)), None


@case("beetle-logit")
def _(data, start):
    return jm.models.logistic(design(data, list(start)), data["killed"], trials=data["n"], labels=list(start)), None


@case("baseball-bradleyterry")
def _(data, start):
    teams = np.array(list(start))
    x = (data["first"][:, None] == teams[None, :]) * 1.0 - (data["second"][:, None] == teams[None, :])
    y = np.repeat([1, 0], len(x))
    weights = np.concatenate([data["wins_first"], data["wins_second"]])
    return jm.models.logistic(np.vstack([x, x]), y, weights, labels=list(start)), None


@case("anes96-mnlogit")
def _(data, start):
    names = [name.removeprefix("1:") for name in start if name.startswith("1:")]
    return jm.models.softmax(design(data, names), data["PID"].astype(int), n_classes=7, labels=names), None


@case("randhie-poisson")
def _(data, start):
    x = design(data, list(start))
    return jm.models.poisson_regression(x, data["mdvis"].astype(int), labels=list(start)), None


@case("horsekicks-poisson")
def _(data, start):
    problem = jm.models.poisson(data["nDeaths"].astype(int), data["Freq"])
    return problem, {"rate": jm.positive(start["lam"], labels=["lam"])}


# Noise models around a prediction


def negbin2(params, x):
    return x @ params["beta"], 1.0 / params["alpha"]


@case("randhie-negbin2")
@case("randhie-geometric")
def _(data, start):
    names = [name for name in start if name != "alpha"]
    term = jm.regression(negative_binomial, negbin2, design(data, names), data["mdvis"])
    alpha = jm.positive(start["alpha"]) if "alpha" in start else jm.fixed(1.0)
    return term, {"beta": coefficients(start, names), "alpha": alpha}


@case("scotland-gamma")
def _(data, start):
    names = [name for name in start if name != "shape"]

    def predictor(params, x):
        return params["shape"], 1.0 / (x @ params["beta"]) / params["shape"]

    term = jm.regression(gamma, predictor, design(data, names), data["YES"])
    return term, {"beta": coefficients(start, names), "shape": jm.positive(start["shape"])}


@case("fishing-mixed-clogit")
def _(data, start):
    modes = ["beach", "pier", "boat", "charter"]
    x = {
        "price": design(data, [f"price_{mode}" for mode in modes]),
        "catch": design(data, [f"catch_{mode}" for mode in modes]),
        "income": data["income"],
    }

    def predictor(p, x):
        own = [p[f"asc_{mode}"] + p[f"income_{mode}"] * x["income"] for mode in modes[1:]]
        return (p["price"] * x["price"] + p["catch"] * x["catch"] + jnp.stack([jnp.zeros(()), *own]),)

    return jm.regression(categorical, predictor, x, data["mode"].astype(int)), start


def beta_logpdf(y, logit_mean, precision):
    mean = jax.nn.sigmoid(logit_mean)
    a, b = mean * precision, (1.0 - mean) * precision
    # Not jax.scipy.special.betaln, which has eight digits.
    return (a - 1.0) * jnp.log(y) + (b - 1.0) * jnp.log1p(-y) - gammaln(a) - gammaln(b) + gammaln(precision)


@case("food-betareg")
def _(data, start):
    names = [name for name in start if name != "phi"]
    term = jm.regression(
        beta_logpdf, lambda p, x: (x @ p["b"], p["phi"]), design(data, names), data["food"] / data["income"]
    )
    return term, {"b": coefficients(start, names), "phi": jm.positive(start["phi"])}


def zip_logpmf(y, logit_none, log_rate):
    """The Poisson distribution with more zeros: always zero with probability sigmoid(logit_none)."""
    some = -jax.nn.softplus(logit_none) + poisson.logpmf(y, log_rate)
    return jnp.where(y == 0, jnp.logaddexp(-jax.nn.softplus(-logit_none), some), some)


@case("randhie-zip-logit")
def _(data, start):
    inflate, count = ["lncoins", "const"], ["idp", "lpi", "fmde", "const"]

    def predictor(p, x):
        return x["inflate"] @ p["inflate"], x["count"] @ p["count"]

    x = {"inflate": design(data, inflate), "count": design(data, count)}
    term = jm.regression(zip_logpmf, predictor, x, data["mdvis"])
    labels = [f"inflate_{name}" for name in inflate]
    return term, {"inflate": coefficients(start, labels), "count": coefficients(start, count)}


# Likelihoods written out


@case("faithful-mixture-equal")
def _(data, start):
    def log_likelihood(p, y):
        return mixture(p["lambda1"], normal.logpdf(y, p["mu1"], p["sigma"]), normal.logpdf(y, p["mu2"], p["sigma"]))

    marks = {
        "lambda1": jm.interval(start["lambda1"], lower=0, upper=1),
        "sigma": jm.positive(start["sigma"]),
    }
    return jm.likelihood(log_likelihood, data["waiting"]), {**start, **marks}


@case("faithful-mixture-unequal")
def _(data, start):
    def log_likelihood(p, y):
        return mixture(p["lambda1"], normal.logpdf(y, p["mu1"], p["sigma1"]), normal.logpdf(y, p["mu2"], p["sigma2"]))

    marks = {
        "lambda1": jm.interval(start["lambda1"], lower=0, upper=1),
        "sigma1": jm.positive(start["sigma1"]),
        "sigma2": jm.positive(start["sigma2"]),
    }
    return jm.likelihood(log_likelihood, data["waiting"]), {**start, **marks}


@case("deaths-poisson-mixture")
def _(data, start):
    def log_likelihood(p, y):
        return mixture(p["p"], poisson.logpmf(y, jnp.log(p["lambda1"])), poisson.logpmf(y, jnp.log(p["lambda2"])))

    marks = {
        "p": jm.interval(start["p"], lower=0, upper=1),
        "lambda1": jm.positive(start["lambda1"]),
        "lambda2": jm.positive(start["lambda2"]),
    }
    return jm.likelihood(log_likelihood, data["deaths"], data["freq"]), marks


@case("linkage")
def _(data, start):
    cells = {"level": np.array([2.0, 1.0, 1.0, 0.0]) / 4, "slope": np.array([1.0, -1.0, -1.0, 1.0]) / 4}
    term = jm.likelihood(lambda p, x: jnp.log(x["level"] + x["slope"] * p["theta"]), cells, data["count"])
    return term, {"theta": jm.interval(start["theta"], lower=0, upper=1)}


@case("abo-alleles")
def _(data, start):
    def log_likelihood(p, which):
        a, b, o = p["alleles"]
        return which @ jnp.log(jnp.stack([a * a + 2 * a * o, b * b + 2 * b * o, 2 * a * b, o * o]))

    which = (data["phenotype"][:, None] == np.array(["A", "B", "AB", "O"])[None, :]) * 1.0
    alleles = [start["pA"], start["pB"], 1.0 - start["pA"] - start["pB"]]
    term = jm.likelihood(log_likelihood, which, data["count"])
    return term, {"alleles": jm.simplex(alleles, labels=["pA", "pB", "pO"])}


@case("capacitor-gaussian")
def _(data, start):
    def log_likelihood(p, d):
        mean = p["const"] + p["voltage"] * d["voltage"]
        seen = normal.logpdf(d["time"], mean, p["scale"])
        return jnp.where(d["status"] == 1, seen, normal.logsf(d["time"], mean, p["scale"]))

    return jm.likelihood(log_likelihood, data), {**start, "scale": jm.positive(start["scale"])}


@case("ovarian-exponential")
def _(data, start):
    def log_likelihood(p, d):
        log_hazard = -(p["const"] + p["ecog"] * d["ecog"] + p["rx"] * d["rx"])
        return d["fustat"] * log_hazard - d["futime"] * jnp.exp(log_hazard)

    return jm.likelihood(log_likelihood, data), start


def weibull_aft(time, event, log_scale, log_shape):
    shape = jnp.exp(log_shape)
    log_ratio = jnp.log(time) - log_scale
    return event * (log_shape - jnp.log(time) + shape * log_ratio) - jnp.exp(shape * log_ratio)


@case("gehan-weibull")
def _(data, start):
    def log_likelihood(p, d):
        return weibull_aft(d["time"], d["status"], p["const"] + p["drug"] * d["drug"], p["logshape"])

    return jm.likelihood(log_likelihood, data), start


def gev(y, loc, scale, shape):
    """The log-density of the generalised extreme value distribution for a shape other than zero."""
    log_t = -jnp.log1p(shape * (y - loc) / scale) / shape
    return -jnp.log(scale) + (1.0 + shape) * log_t - jnp.exp(log_t)


@case("portpirie-gev")
def _(data, start):
    term = jm.likelihood(lambda p, y: gev(y, p["mu"], p["sigma"], p["xi"]), data["SeaLevel"])
    return term, {**start, "sigma": jm.positive(start["sigma"])}


@case("turtles-vonmises")
def _(data, start):
    def log_likelihood(p, angle):
        return p["kappa"] * (jnp.cos(angle - p["mu"]) - 1.0) - jnp.log(2 * np.pi * i0e(p["kappa"]))

    term = jm.likelihood(log_likelihood, data["degrees"] * np.pi / 180)
    return term, {"mu": start["mu"], "kappa": jm.positive(start["kappa"])}


@case("blood-dirichlet")
def _(data, start):
    def log_likelihood(p, y):
        a = p["a"]
        return jnp.log(y) @ (a - 1.0) + gammaln(jnp.sum(a)) - jnp.sum(gammaln(a))

    y = np.stack(list(data.values()), axis=1)
    a = jm.positive(jnp.array(list(start.values())), labels=list(start))
    return jm.likelihood(log_likelihood, y / y.sum(axis=1, keepdims=True)), {"a": a}


@case("ucla-ordered-logit")
def _(data, start):
    names = ["pared", "public", "gpa"]

    def log_likelihood(p, d):
        eta = d["x"] @ p["beta"]
        first, second = jax.nn.sigmoid(p["t"][0] - eta), jax.nn.sigmoid(p["t"][1] - eta)
        return jnp.log(jnp.where(d["y"] == 0, first, jnp.where(d["y"] == 1, second - first, 1.0 - second)))

    t = jm.ordered([start["t1"], start["t2"]], labels=["t1", "t2"])
    rows = {"x": design(data, names), "y": data["apply"]}
    return jm.likelihood(log_likelihood, rows), {"beta": coefficients(start, names), "t": t}


@case("front41-sfa")
def _(data, start):
    def log_likelihood(p, d):
        residual = d["y"] - (p["const"] + p["log_capital"] * d["k"] + p["log_labour"] * d["l"])
        sigma, slope = jnp.sqrt(p["sigma2"]), jnp.sqrt(p["gamma"] / (1.0 - p["gamma"]))
        z = residual / sigma
        return jnp.log(2.0) + normal.logpdf(residual, 0.0, sigma) + normal.logcdf(-z * slope, 0.0, 1.0)

    data = {"y": np.log(data["output"]), "k": np.log(data["capital"]), "l": np.log(data["labour"])}
    marks = {
        "sigma2": jm.positive(start["sigma2"]),
        "gamma": jm.interval(start["gamma"], lower=0, upper=1),
    }
    return jm.likelihood(log_likelihood, data), {**start, **marks}


@case("lsat-rasch")
def _(data, start):
    points, masses = np.polynomial.hermite_e.hermegauss(81)
    grid = {"z": points, "log_mass": np.log(masses) - 0.5 * np.log(2 * np.pi)}

    def log_likelihood(p, d):
        logits = p["discr"] * (d["grid"]["z"][:, None] - p["d"][None, :])
        right, wrong = -jax.nn.softplus(-logits), -jax.nn.softplus(logits)
        given = d["items"] @ right.T + (1.0 - d["items"]) @ wrong.T
        return logsumexp(given + d["grid"]["log_mass"][None, :], axis=1)

    names = [f"d{j}" for j in range(1, 6)]
    rows = {"items": design(data, [f"i{j}" for j in range(1, 6)]), "grid": jm.shared(grid)}
    term = jm.likelihood(log_likelihood, rows, data["freq"])
    return term, {"d": coefficients(start, names), "discr": start["discr"]}


@case("dyestuff-ml")
def _(data, start):
    def log_likelihood(p, y):
        """One row is one batch: compound symmetry."""
        n = y.shape[1]
        between, within = p["sigma"] ** 2 + n * p["sd_batch"] ** 2, p["sigma"] ** 2
        means = jnp.mean(y, axis=1)
        squares = jnp.sum((y - means[:, None]) ** 2, axis=1) / within + n * (means - p["mean"]) ** 2 / between
        return -0.5 * (n * jnp.log(2 * np.pi) + (n - 1) * jnp.log(within) + jnp.log(between) + squares)

    y = np.stack([data["Yield"][data["Batch"] == batch] for batch in np.unique(data["Batch"])])
    marks = {"sd_batch": jm.positive(start["sd_batch"]), "sigma": jm.positive(start["sigma"])}
    return jm.likelihood(log_likelihood, y), {**start, **marks}


# Likelihoods that are not sums over rows


@case("nile-local-level")
def _(data, start):
    def log_likelihood(p, y):
        def step(state, y):
            level, variance = state
            total = variance + p["var_eta"] + p["var_eps"]
            gain = (variance + p["var_eta"]) / total
            state = level + gain * (y - level), gain * p["var_eps"]
            return state, normal.logpdf(y, level, jnp.sqrt(total))

        return jax.lax.scan(step, (y[0], p["var_eps"]), y[1:])[1]

    term = jm.likelihood(log_likelihood, data["volume"], rows=False)
    return term, {name: jm.positive(value) for name, value in start.items()}


# With a prior


@case("normal-normal-map")
def _(data, start):
    term = jm.likelihood(lambda p, y: normal.logpdf(y, p["mu"], 5.0), data["y"])
    return term + jm.priors.normal("mu", loc=90.0, scale=4.0), start


@case("horsekicks-gamma-map")
def _(data, start):
    term = jm.likelihood(lambda p, y: poisson.logpmf(y, jnp.log(p["lam"])), data["nDeaths"].astype(int), data["Freq"])
    prior = jm.log_prior(lambda p: gamma.logpdf(p["lam"], 3.0, 0.5))
    return term + prior, {"lam": jm.positive(start["lam"])}


@case("endometrial-firth-map")
def _(data, start):
    x = jnp.asarray(design(data, list(start)))

    def jeffreys(params):
        p = jax.nn.sigmoid(x @ params["beta"])
        return 0.5 * jnp.linalg.slogdet(x.T @ (x * (p * (1.0 - p))[:, None]))[1]

    return jm.models.logistic(x, data["HG"], labels=list(start)) + jm.log_prior(jeffreys), None
