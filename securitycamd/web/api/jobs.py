"""``/api/v1/jobs`` and the retries of an event's jobs."""

from dataclasses import asdict
from typing import Final

from aiohttp import web

from securitycamd.domain.jobs import JobKind
from securitycamd.domain.principal import Audience
from securitycamd.web.registry import Call, Route, json_reply
from securitycamd.web.schemas.jobs import EventJobPath, JobsQuery, KindPath, ListedJobReply, RetriedReply


async def list_all_jobs(call: Call[None, JobsQuery, None]) -> web.Response:
    """Jobs in a state."""
    query, zone = call.query, call.parts.settings.current.site.zone
    kinds = list(JobKind) if query.kind is None else [query.kind]
    found = await call.parts.retries.newest(call.principal, kinds, query.state, limit=query.limit)
    return json_reply([asdict(job) | {"changed_at": job.changed_at.astimezone(zone)} for job in found])


async def retry_job(call: Call[EventJobPath, None, None]) -> web.Response:
    """Try an event's job again."""
    await call.parts.retries.retry(call.principal, call.path.id, call.path.kind)
    return json_reply({"kind": call.path.kind, "queued": 1})


async def retry_failed_jobs(call: Call[KindPath, None, None]) -> web.Response:
    """Try every failed job of a kind again."""
    queued = await call.parts.retries.retry_failed(call.principal, call.path.kind)
    return json_reply({"kind": call.path.kind, "queued": queued})


ROUTES: Final = [
    Route(
        "GET",
        "/api/v1/jobs",
        Audience.OPERATOR,
        "Background work in a state; by default what failed",
        list_all_jobs,
        tag="system",
        query_model=JobsQuery,
        replies={200: list[ListedJobReply]},
    ),
    Route(
        "POST",
        "/api/v1/jobs/{kind}/retry-failed",
        Audience.OPERATOR,
        "Try every failed job of a kind again",
        retry_failed_jobs,
        tag="system",
        path_model=KindPath,
        replies={200: RetriedReply},
    ),
    Route(
        "POST",
        "/api/v1/events/{id}/jobs/{kind}/retry",
        Audience.OPERATOR,
        "Try a job of an event again, before all others",
        retry_job,
        tag="events",
        path_model=EventJobPath,
        replies={200: RetriedReply},
        conflict="It is running, or was done",
        description="What failed, ended with a complaint or waits is tried next; 409 when it is running or was done.",
    ),
]
