"""The demonstration: data, numbers, and what it says to repeat."""

import os
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from jaxmle import cli

DEMO_DATA = Path(cli.__file__).parent / "demo" / "stackloss.csv"


def test_the_demo_data_are_those_of_statsmodels():
    expected = sm.datasets.stackloss.load_pandas().data.rename(columns=str.lower)
    pd.testing.assert_frame_equal(pd.read_csv(DEMO_DATA), expected, check_dtype=False)


def test_demo_is_statsmodels_least_squares(capsys):
    assert cli.main(["demo"]) == 0
    out, err = capsys.readouterr()
    data = pd.read_csv(DEMO_DATA)
    expected = sm.OLS(data["stackloss"], sm.add_constant(data[["airflow", "watertemp", "acidconc"]])).fit()
    words = {line.split()[0]: line.split() for line in out.splitlines() if line}
    printed = [float(words[name][1]) for name in ("const", "airflow", "watertemp", "acidconc", "sigma")]
    np.testing.assert_allclose(printed, [*expected.params, np.sqrt(expected.ssr / 21)], atol=0.5e-4)  # as printed
    assert err == ""


def test_what_the_demo_says_to_repeat_gives_the_same_table(capsys):
    assert cli.main(["demo"]) == 0
    out = capsys.readouterr().out
    recipe, command = out.split("The same in Python:\n\n")[1].split("\nand on the command line:\n")
    exec(textwrap.dedent(recipe), {})
    by_python = capsys.readouterr().out
    assert "Linear regression: maximum likelihood" in by_python
    assert by_python in out
    program, *arguments = shlex.split(command)
    assert program == "jaxmle"
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == by_python


@pytest.mark.always
def test_demo_runs_as_a_program_of_its_own_in_float64(capsys):
    assert cli.main(["demo"]) == 0
    expected = capsys.readouterr().out
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    command = [sys.executable, "-m", "jaxmle.cli", "demo"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    assert "Precision:" not in ran.stdout  # the header names it where it is not float64
    assert ran.stdout.split("The fit says")[0] == expected.split("The fit says")[0]
