"""Documents named in the tasks' own definitions and fetched by LM Evaluation Harness itself."""

from lexmerge.benchmarks.data_source import DataSource

REGISTERED = DataSource()
