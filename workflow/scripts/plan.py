"""Plan a study: list the stages still to run, with their time, disk space and costs, before anything runs."""

from lexmerge.common.files import write_tsv
from lexmerge.common.terminal import STDOUT, show
from lexmerge.plan.dag import jobs_of
from lexmerge.plan.stages import calls, disk, plan_text, remade, remade_notes, stages, written
from lexmerge.run.job import job

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        jobs = jobs_of(params.command, params.given)
        table, again = stages(jobs, params.results), remade(jobs, params.removed)
        room = disk(params.results, written(jobs, again), params.at_most)
        fetched = list(dict.fromkeys(job.fetches for job in jobs if job.to_run and job.fetches))
        assumed = [*params.notes]
        if any(job.gpu for job in jobs):
            assumed.append("each job that can use a GPU gets one (`device: auto`)")
        notes = [*remade_notes(again, jobs), *(f"assumed: {note}" for note in assumed)]
        text = plan_text(table, calls(params.study, params.terms, jobs), room, fetched, notes)
        print(text)
        show(f"\nThe plan of the study\n{text}", STDOUT)
        write_tsv(params.table, table)
