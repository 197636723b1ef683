"""Measurements behind every figure in docs/benchmarks.md; run through ``parley bench``."""
