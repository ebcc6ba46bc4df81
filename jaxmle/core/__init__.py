"""What everything else stands on, and what knows only JAX.

* :mod:`~jaxmle.core.tree`: names of leaves, functions carried as leaves of a tree, numbers at the door.
* :mod:`~jaxmle.core.special`: special functions that keep their digits, with the right derivatives.
* :mod:`~jaxmle.core.linalg`: small symmetric systems, factored without leaving the compiled loop.
* :mod:`~jaxmle.core.evaluation`: value, gradient and curvature of a function at one point; they add.
* :mod:`~jaxmle.core.status`: how a fit ended, as an integer, and the sentence that goes with it.
"""
