"""Execute notebooks from a clean kernel, warnings as errors, and write their outputs back.

    python notebooks/execute.py                # all of them
    python notebooks/execute.py 01 05_map      # those whose names begin so

What changes from run to run without meaning anything (times, versions) is left out, so that running a notebook again
changes its file only where its results changed.
"""

import base64
import io
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

__all__ = ["CellExecutionError", "execute", "paths", "read", "tidied"]

FOLDER = Path(__file__).parent
DPI, COLOURS = 100, 128  # of pictures, which are kept with a palette: a third of the size, and no difference to see
MACHINERY = ("IPython", "asyncio", "ipykernel", "jupyter_client", "matplotlib_inline", "tornado", "traitlets", "zmq")
# Warnings are errors wherever they come from, but for the machinery that runs the cells, which a reader never sees.
# This is said anew before each cell, since some libraries let their own warnings through when they are imported.
# Tracing makes millions of small objects that live long: looking through all of them for cycles takes a twentieth of
# the time, so that is done rarely.
BEFORE = f"""
import gc

gc.set_threshold(100_000, 50, 100)
del gc

def _before_each_cell(*_):
    import warnings
    warnings.simplefilter("error")
    for machinery in {MACHINERY}:
        warnings.filterwarnings("ignore", module=machinery + r"($|\\.)")

get_ipython().events.register("pre_execute", _before_each_cell)
get_ipython().run_line_magic("xmode", "Minimal")
get_ipython().run_line_magic("config", "InlineBackend.rc = {{'figure.dpi': {DPI}}}")
"""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def paths(names=()):
    """The notebooks whose file names begin with one of ``names``; all of them without any."""
    return [path for path in sorted(FOLDER.glob("[0-9]*.ipynb")) if not names or path.name.startswith(tuple(names))]


def read(path):
    """The notebook in a file."""
    return nbformat.read(path, as_version=4)


def execute(notebook):
    """A copy of ``notebook``, executed in an empty folder.

    Raises ``nbclient.exceptions.CellExecutionError`` where a cell does, or warns.
    """
    whole = nbformat.from_dict({**notebook, "cells": [nbformat.v4.new_code_cell(BEFORE), *notebook.cells]})
    environment = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "PYTHONWARNINGS")}
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        NotebookClient(whole, timeout=120, record_timing=False, coalesce_streams=True, resources=where).execute(
            env=environment
        )
    return nbformat.from_dict({**whole, "cells": whole.cells[1:], "metadata": METADATA})


def smaller(png):
    """A picture with a palette, from and to the text that a notebook keeps it as."""
    picture, buffer = Image.open(io.BytesIO(base64.b64decode(png))), io.BytesIO()
    picture.convert("RGB").quantize(COLOURS).save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def tidied(notebook):
    """``notebook`` with its cells counted from one, small pictures, and nothing that is of this run only."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count, cell.metadata = count, {}
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = smaller(output.data["image/png"])
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notebook


def main(names):
    """Execute the notebooks named and write each back."""
    for path in paths(names):
        begun = time.perf_counter()
        nbformat.write(tidied(execute(read(path))), path)
        seconds, size = time.perf_counter() - begun, path.stat().st_size // 1000
        print(f"{path.name}: {seconds:.0f} s, {size} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
