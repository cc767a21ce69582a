"""Write all merges' definitions with one vLLM engine, which swaps the weights between merges."""

from typing import Any

from lexmerge.common.files import write_jsonl
from lexmerge.common.journal import Journal
from lexmerge.definitions.answers import Start, answers, starter
from lexmerge.definitions.questions import definition_rows, read_questions
from lexmerge.merges.checkpoint_pool import checkpoint
from lexmerge.models.generation import Decoding, Engine
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job


class OneEngine:
    """An engine that starts with the first checkpoint that needs it and then loads the next ones in place."""

    def __init__(self, settings: dict[str, Any], resources: dict[str, Any]) -> None:
        self._settings, self._resources = settings, resources
        self._engine: Engine | None = None

    def starter(self, folder: str) -> Start:
        """Make the function that loads a checkpoint into the engine; see `answers.starter`."""

        def start(longest: int) -> Engine:
            if self._engine is None:
                self._engine = starter(folder, self._settings, self._resources)(longest)
            else:
                self._engine.load(folder)
            return self._engine

        return start


if __name__ == "__main__":
    with job(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
        given, params = snakemake.input, snakemake.params
        questions = read_questions(given.translations, given.prompt, params.language, params.source_language)
        decoding = Decoding(params.settings["max_new_tokens"])
        engine = OneEngine(params.settings, dict(snakemake.resources.items()))
        for folder, journal, output in zip(params.folders, params.journals, snakemake.output, strict=True):
            print(folder)
            with checkpoint(folder):
                answered = answers(
                    questions.prompts(),
                    folder,
                    params.settings,
                    decoding,
                    engine.starter(folder),
                    Journal(journal),
                    params.engine,
                )
                write_jsonl(output, definition_rows(questions, answered, decoding))
