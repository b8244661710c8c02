"""What may be seen of the gateway from inside: the requests that it is answering."""

import math

from trunkline.errors import NotAllowedError
from trunkline.v1 import RunningRequest
from trunkline_server.engine.run import Run
from trunkline_server.telemetry import outcomes
from trunkline_server.values.principal import Principal


def may_debug(principal: Principal) -> bool:
    """True. Raises NotAllowedError for a key that may not look inside."""
    if not principal.debug:
        raise NotAllowedError(
            f"the key {principal.key!r} may not look into the gateway: set `debug: true` on it in the configuration"
        )
    return True


def running_request(run: Run) -> RunningRequest:
    """The request as it stands."""
    record, report = run.record, run.record.report
    found = RunningRequest(
        request_id=record.request_id,
        age_us=run.elapsed_us(),
        phase=run.phase,
        model=outcomes.bounded(record.model),
        target=report.attempts[-1].target if report.attempts else "",
        attempts=len(report.attempts),
        stream=record.stream,
        key=record.principal.key,
        project=record.principal.project,
        trace_id=f"{record.trace.trace_id:032x}",
    )
    if report.HasField("first_token_us"):
        found.first_token_us = report.first_token_us
    if math.isfinite(run.watch.deadline):
        found.remaining_us = round((run.watch.deadline - run.watch.now()) * 1e6)
    return found
