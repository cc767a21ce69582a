"""The plan of a study: what is to run, what it takes and costs, before any of it; and what is done took."""

import os

from lexmerge.common.files import write_tsv
from lexmerge.plan.dag import jobs_of
from lexmerge.plan.stages import LIGHT, Need, again_told, calls, disk, remade, stages, told
from lexmerge.run.job import job

if __name__ == "__main__":
    terminal = os.dup(1)
    with job(snakemake.log[0]):
        params = snakemake.params
        jobs = jobs_of(params.command, {k: v for k, v in snakemake.config.items() if k != "resolved"})
        needs = {job.log: Need(*params.needs.get(job.log, LIGHT)) for job in jobs}
        table = stages(jobs, needs, params.results)
        open_jobs = {job.log for job in jobs if job.to_run}
        again = remade(jobs, params.removed, params.reads)
        new = open_jobs | {f"merges/{merge}" for merge in again}
        room = disk(params.results, {log: n for log, n in params.disk.items() if log in new}, params.at_most)
        fetched = list(dict.fromkeys(text for log, text in params.downloads.items() if log in open_jobs))
        notes = [*again_told(again, needs), *(f"taken for granted: {note}" for note in params.notes)]
        text = told(table, calls(params.study, params.terms, jobs), room, fetched, notes)
        print(text)
        os.write(terminal, f"\nThe plan of the study\n{text}\n".encode())
        write_tsv(params.table, table)
