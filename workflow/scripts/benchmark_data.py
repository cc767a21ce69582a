"""Write one task's documents in the form that its definition reads: JSONL, one document per line."""

from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.benchmarks.documents import checked
from lexmerge.benchmarks.tasks import read_task, shots
from lexmerge.common.errors import StudyError
from lexmerge.common.files import write_jsonl
from lexmerge.run.job import job

if __name__ == "__main__":
    with job(snakemake.log[0]):
        task, params = snakemake.wildcards.task, snakemake.params
        source, definition = DATA_SOURCES[params.source], read_task(params.definition)
        for split, file in snakemake.output.items():
            wanted = split == "test" or shots(definition)
            rows = source.documents(task, split, params.path) if wanted else []
            if split == "train" and len(rows) < shots(definition):
                raise StudyError(
                    f"benchmarks: {task} needs {shots(definition)} few-shot examples, but its data has only "
                    f"{len(rows)}; provide more, or lower `num_fewshot` in its definition"
                )
            write_jsonl(file, checked(task, definition, split, rows) if wanted else [])
            if wanted and source.check:
                source.check(task, split, file)
