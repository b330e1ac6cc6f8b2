"""One JSON line per event on standard error, from structlog and the standard library alike."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


def configure_logging(name: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every log event of this process to ``stream`` as JSON.

    JSON escapes what a text may hold: line breaks, control characters, lone surrogates.

    Parameters
    ----------
    name
        Value of the field ``service``.
    level
        Name of the least level that is written, as ``"INFO"``.
    stream
        Standard error unless given.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(name),
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    keep_grpc_quiet()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def keep_grpc_quiet() -> None:
    """Keep gRPC's own DEBUG lines out of every log, whatever the level.

    A grpc.aio server that is collected without having been stopped logs itself at DEBUG from its
    deallocator: the log record then holds freed memory, and the process breaks later, elsewhere.
    """
    logging.getLogger("grpc").setLevel(logging.INFO)


def _named(name: str) -> Processor:
    def add_service(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event["service"] = name
        return event

    return add_service
