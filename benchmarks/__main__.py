"""``python -m benchmarks [name ...]``: print the tables, and write the numbers to ``benchmarks/results``."""

import argparse
import dataclasses
import importlib
import json
import os
import pathlib
import subprocess
import sys

from benchmarks.measure import Row, load, machine, save, show, show_targets
from benchmarks.question import Skip, judged

QUESTIONS = ("startup", "kernels", "evaluation", "logistic", "negative_binomial", "softmax", "profiles", "solvers")
SLOW = ("batches", "densities", "groups", "size", "training")  # asked by name only: minutes, and gigabytes
FOLDER = pathlib.Path(__file__).parent / "results"


def main(arguments: list[str] | None = None) -> None:
    """Ask each question of each program in a process of its own, one after the other."""
    options = _parsed(arguments)
    if options.saved:
        print(tables(options.saved, options.names))
        return
    if options.one:
        answer(*options.one, options.devices, options.small)
        return
    for name in options.names or QUESTIONS:
        module = importlib.import_module(f"benchmarks.{name}")
        where, rows, notes = ask(module, options)
        if rows:
            rows = judged(rows, () if options.small else getattr(module, "TARGETS", ()))
            print(f"## {module.__doc__}\n\n{json.dumps(where)}\n\n{show(rows)}\n", flush=True)
        for note in notes:
            print(note, flush=True)
        if rows and not options.small:
            print(f"written to {save(name, where, rows, FOLDER)}\n", flush=True)


def _parsed(arguments):
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="which questions; by default all but the slow ones")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that it runs; nothing is written")
    parser.add_argument("--devices", type=int, default=2, help="CPU devices where rows are spread as well; 1 for none")
    parser.add_argument("--limit", type=float, default=1800, help="seconds that one program is given")
    parser.add_argument("--one", nargs=2, metavar=("QUESTION", "WHO"), help="ask one program, here; rows as JSON")
    parser.add_argument("--saved", type=pathlib.Path, metavar="FILE", help="print the tables of a file of results")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(QUESTIONS) - set(SLOW)
    if unknown:
        parser.error(f"no question is called {', '.join(sorted(unknown))}; there are: {', '.join(QUESTIONS + SLOW)}")
    return options


def tables(path: pathlib.Path, names: list[str]) -> str:
    """The targets, and the table of each question, that a file of results holds; of those in ``names``, if any."""
    asked = {name: found for name, found in load(path).items() if not names or name in names}
    parts = [show_targets([row for _, rows in asked.values() for row in rows])]
    for name, (where, rows) in asked.items():
        head = importlib.import_module(f"benchmarks.{name}").__doc__.strip().splitlines()[0]
        parts.append(f"**{head}** (load when it began {where['load'][0]:g})\n\n{show(rows)}")
    return "\n\n".join(parts)


def ask(module, options) -> tuple[dict, list[Row], list[str]]:
    """The machine, the rows of every program, and a note on each that failed or could not be asked."""
    where, rows, notes = {}, [], []
    for who, devices in programs(module, options.devices):
        for line in _lines_of(module.__name__.split(".")[-1], who, devices, options):
            found = json.loads(line)
            if "note" in found:
                notes.append(found["note"])
            elif "machine" in found:
                where = where or found["machine"]
            else:
                rows.append(Row(**found))
    order = list(dict.fromkeys(row.question for row in rows))
    return where, sorted(rows, key=lambda row: order.index(row.question)), notes


def programs(module, devices: int) -> list[tuple[str, int]]:
    """Who is asked, and on how many devices."""
    alone = [(who, 1) for who in getattr(module, "PEERS", ("all",))]
    return alone + [(who, devices) for who in getattr(module, "SHARDED", ()) if devices > 1]


def _lines_of(name, who, devices, options):
    """What ``--one`` prints in a process of its own, and a note where it failed."""
    command = [sys.executable, "-m", "benchmarks", "--one", name, who, "--devices", str(devices)]
    environment = {**os.environ, "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "cpu")}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # a first call that compiles nothing is no first call
    begun = subprocess.Popen(
        command + ["--small"] * options.small,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=FOLDER.parent.parent,
    )
    try:
        out, err = begun.communicate(timeout=options.limit)
    except subprocess.TimeoutExpired:
        begun.kill()
        out, err = begun.communicate()
        err = f"stopped after {options.limit:g} s"
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if begun.returncode:
        reason = (err.strip().splitlines() or ["no message"])[-1]
        lines.append(json.dumps({"note": f"{name}, {who}: failed ({begun.returncode}): {reason}"}))
    return lines


def answer(name: str, who: str, devices: int, small: bool) -> None:
    """Ask one program in this process, and print the machine and each row as JSON."""
    import jax

    jax.config.update("jax_enable_x64", True)
    if devices > 1:
        jax.config.update("jax_num_cpu_devices", devices)
    module = importlib.import_module(f"benchmarks.{name}")
    print(json.dumps({"machine": machine()}))
    try:
        for row in module.rows(who, small):
            print(json.dumps(dataclasses.asdict(row)), flush=True)
    except Skip as reason:
        print(json.dumps({"note": f"{name}, {who}: skipped: {reason}"}))


if __name__ == "__main__":
    main()
