"""``python -m benchmarks [name ...]``: print the tables, and write the numbers to ``benchmarks/results``."""

import argparse
import importlib
import pathlib

import jax

from benchmarks.measure import machine, save, show

QUESTIONS = ("startup", "kernels", "fits", "solvers")
SLOW = ("batches", "training")  # asked by name only: minutes, and gigabytes


def main() -> None:
    """Ask each question in turn, one process, float64."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="which questions; by default all but the slow ones")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(QUESTIONS) - set(SLOW)
    if unknown:
        parser.error(f"no question is called {', '.join(sorted(unknown))}; there are: {', '.join(QUESTIONS + SLOW)}")
    jax.config.update("jax_enable_x64", True)
    print(f"{machine()}\n")
    everything = []
    for name in arguments.names or QUESTIONS:
        module = importlib.import_module(f"benchmarks.{name}")
        rows = module.rows()
        everything += rows
        print(f"## {module.__doc__}\n\n{show(rows)}\n", flush=True)
    print(f"written to {save(everything, pathlib.Path(__file__).parent / 'results')}")


if __name__ == "__main__":
    main()
