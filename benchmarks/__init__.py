"""Measurements of our own speed, always beside a reference: `python -m benchmarks NAME --help`."""
