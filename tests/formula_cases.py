"""A frame of counts and categories that tests of formulas share."""

import numpy as np
import pandas as pd
import polars as pl
import statsmodels.api as sm

import jaxmle as jm

STAR = sm.datasets.star98.load_pandas().data
FRAME = pd.DataFrame(
    {
        "passed": STAR["NABOVE"].astype(int),
        "pupils": (STAR["NABOVE"] + STAR["NBELOW"]).astype(int),
        "rate": STAR["NABOVE"] / (STAR["NABOVE"] + STAR["NBELOW"]),
        "income": STAR["LOWINC"] / 100.0,
        "ratio": STAR["PTRATIO"],
        "region": np.array(["north", "east", "south"])[np.arange(len(STAR)) * 7 % 3],
        "year": np.array([1998, 1997, 1999, 1996])[np.arange(len(STAR)) * 5 % 4],
        "urban": STAR["PERHISP"] > 30.0,
        "cases": 1 + np.arange(len(STAR)) % 3,
        "known": 0.01 * STAR["PERBLACK"],
    }
)
POISSON = jm.models.poisson_regression


def as_polars(frame):
    """The same frame made without pyarrow, text as text."""
    columns = {name: [None if pd.isna(value) else value for value in frame[name].tolist()] for name in frame.columns}
    return pl.DataFrame(columns)


def coefficients(problem):
    return np.asarray(jm.fit(problem).raise_if_failed().params["beta"])


def labels(problem):
    return [row.label for row in jm.summary(problem, jm.fit(problem)).rows]
