"""Every test runs in float64 with strict promotion of dtypes and ranks."""

import gc
import mmap
import os
import pathlib

import jax
import jaxlib
import pytest
import quick

# Compiling is most of what the tests do, and with these it takes a fifth of the time.
FLAGS = [
    "xla_backend_optimization_level=0",
    "xla_llvm_disable_expensive_passes=true",
    "xla_cpu_use_fusion_emitters=false",
    "xla_cpu_parallel_codegen_split_count=1",
]


def known(flags):
    """Those of the flags that XLA has: one that it does not know would end the process."""
    for path in pathlib.Path(jaxlib.__file__).parent.glob("libjax_common*"):
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as library:
            return [flag for flag in flags if library.find(flag.split("=")[0].encode()) >= 0]
    return flags[:2]


if "XLA_FLAGS" not in os.environ:  # XLA reads it when it first compiles
    os.environ["XLA_FLAGS"] = " ".join(f"--{flag}" for flag in known(FLAGS))

# Where an operation stands in the source is written into every program, a tenth of the time, and read by nobody here.
jax.config.update("jax_traceback_in_locations_limit", 0)
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")  # for processes that tests start

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Tracing makes millions of small objects that live long; looking through all for cycles took an eighth of the time.
gc.freeze()
gc.set_threshold(100_000, 50, 100)

# Every compiled program holds memory maps, of which a process may have 65,530 on Linux; past that compiling crashes. So
# the programs of one file are dropped before the next, and within a file when they become very many.
MAPS = pathlib.Path("/proc/self/maps")
MANY, LOOKED = 45_000, []


@pytest.fixture(autouse=True, scope="module")
def _programs_of_one_file():
    yield
    _drop_programs()


def pytest_runtest_teardown():
    LOOKED.append(None)
    if len(LOOKED) % 10 == 0 and MAPS.exists() and MAPS.read_bytes().count(b"\n") > MANY:
        _drop_programs()


def _drop_programs():
    jax.clear_caches()
    gc.collect()


class Compilations:
    """Counts what the backend compiles."""

    def __init__(self):
        self.count = 0
        jax.monitoring.register_event_duration_secs_listener(self._hear)

    def _hear(self, event, _, **__):
        self.count += "backend_compile" in event


@pytest.fixture(scope="module")
def compilations():
    counter = Compilations()
    yield counter
    jax.monitoring.unregister_event_duration_listener(counter._hear)


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="also what takes long; so does naming files, or tests by -k")
    parser.addoption("--quick", action="store_true", help="leave out what takes long (the rule when nothing is named)")


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "always(cases): run however long it takes, or so many cases of it; see tests/quick.py"
    )
    if config.option.all and config.option.quick:
        raise pytest.UsageError("--all and --quick exclude each other")
    named = config.option.keyword or config.args_source is not pytest.Config.ArgsSource.TESTPATHS
    if not named and not config.option.all:
        config.option.quick = True  # xdist hands options, and not where the arguments came from, to its workers


def pytest_collection_modifyitems(config, items):
    if not config.option.quick:
        return
    items[:], left_out = quick.apart(items)
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter, config):
    if config.option.quick:
        terminalreporter.write_line("A quick run: part of what takes long was left out. --all runs everything.")
