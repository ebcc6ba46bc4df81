"""Looks at a model before a fit and after it."""
