"""A training run that tests kill: a function for a process of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxmle as jm


def run(path, out, cache):
    """Train with a checkpoint at ``path``, from where it stands if there is one, and write the fit to ``out``."""
    jax.config.update("jax_enable_x64", True)
    # What is compiled is kept, or the test would compile twelve times.
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    data = {"x": x, "y": (rng.uniform(size=400) < 0.5).astype(float)}

    def log_likelihood(params, rows, state, key):
        kept = 1.0 if key is None else jax.random.bernoulli(key, 0.8, (3,)) / 0.8
        return jm.densities.bernoulli.logpmf(rows["y"], (rows["x"] * kept) @ params["beta"]), state + 1

    term = jm.likelihood(log_likelihood, data)
    fit = jm.train(
        term + jm.priors.normal("beta"),
        {"beta": np.zeros(3)},
        optax.adam(0.01),
        key=jax.random.key(1),
        batch_size=7,
        epochs=100,
        held_out=term,
        average=3,
        state=jnp.asarray(0),
        checkpoint=path,
        checkpoint_every=8,
        resume=path.exists(),
    )
    np.savez(out, *jax.tree.leaves(fit))
