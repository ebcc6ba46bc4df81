"""Every test runs in float64 with strict promotion of dtypes and ranks."""

import gc
import os
import pathlib

# Compiling is most of what the tests do, and at this level it takes two thirds of the time.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

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
