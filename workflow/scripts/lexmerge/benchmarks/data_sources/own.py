"""Data sets named in the task definitions, fetched by LM Evaluation Harness itself."""

from lexmerge.benchmarks.data_source import DataSource

REGISTERED = DataSource()
