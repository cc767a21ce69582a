"""Let a judge answer its control questions: texts with a known right score, and repeated definitions."""

from lexmerge.common.files import read_jsonl, write_jsonl
from lexmerge.common.prompts import read_prompt
from lexmerge.judgements.control_questions import control_questions, judge_controls
from lexmerge.judgements.scoring import scorer_of
from lexmerge.run.job import job
from lexmerge.services.costs import stop_if_too_expensive
from lexmerge.services.limits import Limits

if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params, speed = snakemake.input, snakemake.params, snakemake.resources
        references, definitions = read_jsonl(given.references), read_jsonl(given.definitions)
        stop_if_too_expensive(snakemake.config["resolved"], params.judge["provider"], len(definitions))
        questions = control_questions(
            references, definitions, read_prompt(given.injection), params.terms, params.repeats, params.seed
        )
        limits = Limits(speed.connections, speed.requests_per_minute)
        scorer = scorer_of(params.judge, references, params.languages, params.journal, limits)
        write_jsonl(snakemake.output[0], judge_controls(questions, scorer))
