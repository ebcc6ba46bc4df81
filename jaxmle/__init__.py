"""jaxmle: maximum likelihood and maximum a posteriori estimation in JAX."""
