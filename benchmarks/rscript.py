"""R's glm, where ``Rscript`` is on the path: asked in its own process, which times itself."""

import pathlib
import shutil
import subprocess
import tempfile

import numpy as np

from benchmarks.question import Answer, Skip

_PROGRAM = """
folder <- commandArgs(TRUE)[1]; n <- {n}; p <- {p}
x <- matrix(readBin(file.path(folder, "x"), "double", n * p), n, p)
y <- readBin(file.path(folder, "y"), "double", n)
run <- function() glm.fit(x, y, family = {family}(), control = glm.control(epsilon = 1e-10))
fit <- run()
times <- sapply(1:3, function(i) system.time(run())[["elapsed"]])
bse <- sqrt(diag(chol2inv(fit$qr$qr[1:p, 1:p, drop = FALSE])))
cat(median(times), fit$coefficients, bse[order(fit$qr$pivot)], sep = " ")
"""


def available() -> bool:
    """Whether there is an R to ask."""
    return shutil.which("Rscript") is not None


class Timed:
    """A function that has been timed elsewhere: its answer, and the seconds that it took there."""

    def __init__(self, answer: Answer, seconds: float):
        self.answer, self.seconds = answer, seconds

    def __call__(self) -> Answer:
        return self.answer


def glm(family: str, data) -> Timed:
    """``glm.fit`` of the design and response in ``data``; raises :class:`Skip` without R."""
    if not available():
        raise Skip("Rscript is not on the path")
    x, y = data
    with tempfile.TemporaryDirectory() as folder:
        at = pathlib.Path(folder)
        np.asfortranarray(x).ravel(order="F").tofile(at / "x")
        y.tofile(at / "y")
        (at / "program.R").write_text(_PROGRAM.format(n=x.shape[0], p=x.shape[1], family=family))
        command = ["Rscript", str(at / "program.R"), folder]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds, *numbers = map(float, printed.split())
    return Timed(Answer(np.array(numbers[: x.shape[1]]), np.array(numbers[x.shape[1] :])), seconds)
