"""What a quick run of all tests leaves out: of each test function that takes long, the cases that do not fit its share.

`seconds.json` has the measured seconds of such functions, all cases together, on one core that was not fast. A function
has `SHARE` seconds: as many of its cases as fit are run, at least one where one takes no more than `LONGEST`. Which of
them differs from function to function, so that every row of a contract table is met by some. A test that is the only
one of something that must never break is marked `always`. What is new is not in the file, and is run.

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
SHARE, LONGEST = 0.4, 1.2


def function_of(node: str) -> str:
    """The test function of a test: `tests/test_a.py::test_b` of `tests/test_a.py::test_b[case]`."""
    return node.partition("[")[0]


def chosen(name: str, count: int, seconds: float) -> set[int]:
    """Which of the ``count`` cases of the function ``name`` are run where all take ``seconds``."""
    each = seconds / count
    fitting = count if seconds <= SHARE else max(int(SHARE / each + 1e-6), int(each <= LONGEST))
    first = zlib.crc32(name.encode()) % count
    return {(first + math.ceil(i * count / fitting)) % count for i in range(min(fitting, count))}


def apart(items: list) -> tuple[list, list]:
    """The tests of a quick run, and those that it leaves out."""
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    cases = collections.defaultdict(list)
    for item in items:
        cases[function_of(item.nodeid)].append(item)
    kept = {
        item.nodeid
        for name, some in cases.items()
        for i, item in enumerate(some)
        if i in chosen(name, len(some), known.get(name, 0.0)) or item.get_closest_marker("always")
    }
    return [item for item in items if item.nodeid in kept], [item for item in items if item.nodeid not in kept]


def measured(report: Path) -> dict[str, float]:
    """The seconds of the functions that take longer than their share, from a report of pytest in JUnit's form."""
    total = collections.Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        path = case.get("classname", "").replace(".", "/") + ".py"
        total[function_of(f"{path}::{case.get('name')}")] += float(case.get("time", 0.0))
    return {name: round(seconds, 1) for name, seconds in sorted(total.items()) if seconds > SHARE}


if __name__ == "__main__":
    FILE.write_text(json.dumps(measured(Path(sys.argv[1])), indent=0) + "\n")
