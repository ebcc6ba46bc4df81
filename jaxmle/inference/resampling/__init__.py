"""Refits to resampled data: the bootstrap, the jackknife, cross-validation."""
