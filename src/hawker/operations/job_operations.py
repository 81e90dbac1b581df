"""What staff do with jobs: the operations on many subjects that run one after the other (jobs.py)."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from msgspec import Meta

from hawker.operations.base import Run, operation
from hawker.operations.errors import Refused
from hawker.operations.inputs import MAX_NUMBER

JobNumber: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_NUMBER, description="The job's number.")]


@dataclass(frozen=True, slots=True)
class StopJob:
    job: JobNumber


@dataclass(frozen=True, slots=True)
class JobStopped:
    """How far the job came. What was done stays done; the rest of `total` is left alone."""

    job: int
    state: str
    total: int
    done: int
    refused: int


@operation("job.stop", subject="job", ids=lambda given: (given.job,))
def stop_job(run: Run, given: StopJob) -> JobStopped:
    """Do no more of a job. What was done stays done."""
    from hawker.operations import jobs

    before = jobs.find_job(given.job)
    if not jobs.stop_job(given.job, now=run.now):
        raise Refused(f"job {given.job} has ended already: {before.state}")
    job = jobs.find_job(given.job)
    run.note(given.job, before={"state": before.state}, after={"state": job.state, "done": job.done})
    return JobStopped(job.job, job.state, job.total, job.done, job.refused)
