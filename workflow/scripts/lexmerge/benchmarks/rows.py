"""The data that benchmarks consist of: documents, one model's results of one suite, and samples."""

from typing import Any

Document = dict[str, Any]  # one document of a task, with the fields that the task reads

# One model's results of one suite, `benchmarks/<suite>/<model>.json`: lm-eval's `results`, `groups`,
# `group_subtasks`, `configs`, `versions`, `n-shot`, `higher_is_better` and `n-samples` by task or group, and
# `columns`, `data_sha256`, `model_files`, `config` and `lm_eval_version`.
Results = dict[str, Any]

# One sample, a line of `benchmarks/<suite>/<model>.samples.jsonl`: `task`, `doc_id`, `document`, `template`,
# `filter`, `target`, `responses`, `doc_hash`, `prompt_hash` and `target_hash` (see `suites.sample_row`), and
# the value of each metric under the metric's name. It is not a TypedDict because these names differ by task.
Sample = dict[str, Any]
