"""Write the best recipe that a search has found, as YAML that `mergekit-yaml` can run."""

from pathlib import Path

from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, write_text
from lexmerge.merges.recipes import recipe_text
from lexmerge.run.job import job
from lexmerge.search.history import by_seed, winner, winning_seed


def same_everywhere(files: list[str]) -> None:
    """Check that the workers of each seed have written equal histories.

    Args:
        files: The histories `<seed>.<worker>.jsonl`.

    Raises:
        StudyError: Two histories of one seed differ.
    """
    known: dict[str, tuple[str, bytes]] = {}
    for file in files:
        seed, content = Path(file).name.split(".")[0], Path(file).read_bytes()
        other, expected = known.setdefault(seed, (file, content))
        if content != expected:
            raise StudyError(
                f"{Path(file).absolute()} and {Path(other).absolute()} differ: the workers of this search "
                "scored a candidate differently, as can happen on different machines. Set `search.workers: 1`"
            )


if __name__ == "__main__":
    with job(snakemake.log[0]):
        same_everywhere(snakemake.input)
        histories = by_seed(snakemake.input, read_jsonl)
        seed = winning_seed(histories)
        row = winner(histories[seed])
        params, target = snakemake.params, snakemake.output[0]
        same = f"mergekit-yaml {target} FOLDER --random-seed {params.seed} --num-threads {params.threads}"
        origin = f"found by a search: seed {seed}, evaluation {row['evaluation']}, score {row['score']}"
        write_text(target, recipe_text(row["recipe"], params.folders, same, origin))
