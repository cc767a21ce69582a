"""Write one model's definitions of all terms, in the language of its prompt."""

import shutil

from lexmerge.common.files import fresh_file, write_jsonl
from lexmerge.common.journal import Journal
from lexmerge.definitions.answers import answers, starter
from lexmerge.definitions.questions import definition_rows, read_questions
from lexmerge.merges.checkpoint_pool import checkpoint
from lexmerge.models.generation import Decoding
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job

if __name__ == "__main__":
    with job(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
        given, params = snakemake.input, snakemake.params
        if given.written:  # the same texts exist already: greedy decoding would repeat them
            with fresh_file(snakemake.output[0]) as part:
                shutil.copyfile(given.written, part)
        else:
            questions = read_questions(
                given.translations, given.prompt, params.language, params.source_language
            )
            decoding = Decoding(params.settings["max_new_tokens"], **params.decoding)
            resources = {**snakemake.resources, "threads": snakemake.threads}
            start = starter(params.folder, params.settings, resources)
            journal = Journal(params.journal)
            with checkpoint(params.folder):
                answered = answers(
                    questions.prompts(),
                    params.folder,
                    params.settings,
                    decoding,
                    start,
                    journal,
                    params.engine,
                )
                write_jsonl(snakemake.output[0], definition_rows(questions, answered, decoding))
