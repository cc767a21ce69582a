"""Documents that the tasks' own definitions name, which LM Evaluation Harness fetches itself."""

from lexmerge.benchmarks.data_source import DataSource

REGISTERED = DataSource("what the tasks' definitions name, which the harness fetches itself")
