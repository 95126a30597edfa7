"""The benchmarks behind ``scripts/bench``: each prints a table and, with ``--json``, writes its figures.

Each figure stands beside a reference that is measured in the same run, because machines differ and are
shared: compare the ratios, not the milliseconds.
"""
