"""What a quick run of all tests leaves out: of each test function that takes long, the cases that do not fit its share.

`seconds.json` has the measured seconds, on one core that was not fast, of each case that takes more than `LONGEST`, and
of the others of each function together. A quick run leaves out the long cases. Of the others as many as fit into the
`SHARE` seconds of a function are run, at least one. Which of them differs from function to function, so that every row
of a contract table is met by some. A test that is the only one of something that must never break is marked `always`;
`always(6)` keeps six of its cases. What is new is not in the file, and is run.

`python -m pytest --all` leaves nothing out, and neither does naming files or tests. `.ci/all` does that and writes the
file anew: `python tests/quick.py report.xml` reads it from what `--junitxml=report.xml` wrote.
"""

import collections
import json
import math
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

FILE = Path(__file__).parent / "seconds.json"
SHARE, LONGEST = 0.3, 0.75


def function_of(node: str) -> str:
    """The test function of a test: `tests/test_a.py::test_b` of `tests/test_a.py::test_b[case]`."""
    return node.partition("[")[0]


def chosen(name: str, count: int, seconds: float) -> set[int]:
    """Which of the ``count`` cases of the function ``name`` are run where all take ``seconds``."""
    fitting = count if seconds <= SHARE else max(int(SHARE * count / seconds + 1e-6), 1)
    first = zlib.crc32(name.encode()) % count
    return {(first + math.ceil(i * count / fitting)) % count for i in range(min(fitting, count))}


def always(cases: list) -> set[str]:
    """Which cases of one function are run however long they take: those marked so, or as many of them as the mark
    says, far from one another."""
    marked = [(case, mark) for case in cases if (mark := case.get_closest_marker("always"))]
    if not marked:
        return set()
    count = min([*marked[0][1].args, len(marked)])
    return {marked[i * len(marked) // count][0].nodeid for i in range(count)}


def _by_function(items: list):
    functions = collections.defaultdict(list)
    for item in items:
        functions[function_of(item.nodeid)].append(item)
    return functions.values()


def apart(items: list) -> tuple[list, list]:
    """The tests of a quick run, and those that it leaves out."""
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    short = collections.defaultdict(list)
    for item in items:
        if known.get(item.nodeid, 0.0) <= LONGEST:
            short[function_of(item.nodeid)].append(item)
    kept = set().union(*map(always, _by_function(items)))
    for name, some in short.items():
        kept |= {some[i].nodeid for i in chosen(name, len(some), known.get(name, 0.0))}
    return [item for item in items if item.nodeid in kept], [item for item in items if item.nodeid not in kept]


def measured(report: Path) -> dict[str, float]:
    """The seconds of long cases, and of the others of a function together where they exceed its share.

    The report is pytest's, in JUnit's form.
    """
    total = collections.Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        node = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        seconds = float(case.get("time", 0.0))
        total[node if seconds > LONGEST else function_of(node)] += seconds
    return {name: round(seconds, 1) for name, seconds in sorted(total.items()) if seconds > SHARE}


if __name__ == "__main__":
    FILE.write_text(json.dumps(measured(Path(sys.argv[1])), indent=0) + "\n")
