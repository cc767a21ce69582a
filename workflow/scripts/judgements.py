"""Judge one model's definitions: a row for each term, with a score or the reason why there is none."""

from lexmerge.common.files import read_jsonl, write_jsonl
from lexmerge.judgements.scoring import judge_all, scorer_of
from lexmerge.run.job import job
from lexmerge.services.costs import stop_if_too_expensive
from lexmerge.services.limits import Limits

if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params, speed = snakemake.input, snakemake.params, snakemake.resources
        definitions, references = read_jsonl(given.definitions), read_jsonl(given.references)
        stop_if_too_expensive(snakemake.config["resolved"], params.judge["provider"], len(definitions))
        limits = Limits(speed.connections, speed.requests_per_minute)
        scorer = scorer_of(params.judge, references, params.languages, params.journal, limits)
        write_jsonl(snakemake.output[0], judge_all(definitions, scorer))
