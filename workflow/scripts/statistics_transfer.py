"""Transfer between languages: the terms that each model and its parents know in either language."""

from lexmerge.common.files import read_jsonl, read_tsv, write_tsv
from lexmerge.run.job import job
from lexmerge.statistics.transfer import known_terms, table

if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        scores = {}
        for cells, files in ((params.own, given.judgements), (params.other, given.others)):
            for (judge, model, side), file in zip(cells, files, strict=True):
                scores[judge, model, side] = known_terms(read_jsonl(file), params.known)
        terms = read_tsv(given.terms).to_dict("records")
        transfer = table(scores, terms, params.models, params.merges, params.parents)
        note = f"a term counts as known if its definition scores at least {params.known:g}"
        write_tsv(snakemake.output[0], transfer, [note])
