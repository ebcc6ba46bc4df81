"""Tests: Wald, score, likelihood ratio."""
