"""Exports of datasets, and how to make them again, begun for the routes."""

import asyncio
import codecs
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from starlette.concurrency import iterate_in_threadpool

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset, WeightsRevision
from gateway.exports.making import make_export
from gateway.exports.options import ExportFormat, ExportOptions, FileType, Profile
from gateway.exports.process import stream_from_process
from gateway.exports.source import ExportSource, PlannedRows, needed_files
from gateway.layer_files import layers_of_completed
from gateway.plans import StoredPlan
from gateway.recipe import make_recipe
from gateway.tables import TableInfo
from gateway.version import VERSION
from level_rpc.errors import ResourceExhausted

_RETRY_SECONDS = 5.0
ReadPlan = Callable[[Dataset], StoredPlan]


class TooManyExports(ResourceExhausted):
    """As many exports are being made as there may be."""

    reason = "TOO_MANY_EXPORTS"

    def __init__(self) -> None:
        message = "As many exports are being made as there may be at once; try again shortly."
        super().__init__(message, retry_after=_RETRY_SECONDS)


@dataclass(frozen=True)
class Export:
    """A file that is made while it is sent.

    Parameters
    ----------
    file_name : str
    media_type : str
        With its character set, where it is text.
    pieces : AsyncIterator of bytes
        Close it when it is not read to its end: what it uses is freed then.
    """

    file_name: str
    media_type: str
    pieces: AsyncIterator[bytes]


class Exporter:
    """Begins exports.

    Parameters
    ----------
    artifacts : ArtifactStore
    read_plan : callable
        Returns the current plan of a dataset; blocks.
    max_processes : int
        How many exports may be made at once, those as plain CSV not counted.
    """

    def __init__(self, artifacts: ArtifactStore, read_plan: ReadPlan, max_processes: int) -> None:
        self._artifacts = artifacts
        self._read_plan = read_plan
        self._max_processes = max_processes
        self._running = 0

    async def export(
        self, dataset: Dataset, weights: WeightsRevision, options: ExportOptions
    ) -> Export:
        """Return an export at these weights, whatever they become while it is sent.

        Raises
        ------
        InvalidArgument
            When the options contradict each other, or the rows asked for cannot be drawn.
        PlanMissing, PlanNotReady, PlanStale
            When the dataset is to be balanced and has no plan at its weights.
        TooManyExports
        ArtifactDamaged
            When a stored file is missing or was changed.
        """
        source, resolved = await asyncio.to_thread(self._source, dataset, weights, options.check())
        pieces = self._pieces(source, resolved)
        # With the first piece every file is open: a failure is still an error, not a cut download,
        # and a dataset that is deleted meanwhile is exported to its end.
        first = await anext(pieces, b"")
        stem = PurePath(dataset.file_name).stem
        name = f"{stem}-{options.format}.{options.file_type}"
        return Export(name, _media_type(options, source.info), _chained(first, pieces))

    def recipe(
        self, dataset: Dataset, weights: WeightsRevision, options: ExportOptions
    ) -> dict[str, Any]:
        """Return how to make an export again, as JSON values; blocks.

        Raises
        ------
        InvalidArgument, PlanMissing, PlanNotReady, PlanStale, ArtifactDamaged
            As `export` does.
        """
        return self._recipe(dataset, weights, options.check(), self._plan(dataset, options))

    def _source(
        self, dataset: Dataset, weights: WeightsRevision, options: ExportOptions
    ) -> tuple[ExportSource, ExportOptions]:
        plan = self._plan(dataset, options)
        resolved = _at_levelled_layer(options, plan)
        wanted = needed_files(resolved, layers_of_completed(self._artifacts, dataset))
        paths = {
            name: self._artifacts.path(dataset.dataset_id, dataset.artifacts[name])
            for name in dict.fromkeys(wanted)
            if name in dataset.artifacts
        }
        is_folder = options.file_type is FileType.ZIP
        source = ExportSource(
            info=TableInfo.from_dict(dataset.table["info"]),
            paths=paths,
            weights=weights.weights,
            recipe=self._recipe(dataset, weights, options, plan) if is_folder else {},
            plan=_planned(plan) if plan else None,
        )
        return source, resolved

    def _plan(self, dataset: Dataset, options: ExportOptions) -> StoredPlan | None:
        return self._read_plan(dataset) if options.format is ExportFormat.BALANCED else None

    def _recipe(
        self,
        dataset: Dataset,
        weights: WeightsRevision,
        options: ExportOptions,
        plan: StoredPlan | None,
    ) -> dict[str, Any]:
        return make_recipe(
            level_version=VERSION,
            file_name=dataset.file_name,
            source=self._artifacts.path(dataset.dataset_id, dataset.artifacts["source"]),
            table=dataset.table["info"],
            parameters=dataset.parameters,
            level_request=plan.described["request"] if plan else None,
            weights=weights.weights,
            export_query=options.to_query(),
            model=dataset.model,
            clustering=dataset.clustering,
        )

    def _pieces(self, source: ExportSource, options: ExportOptions) -> AsyncIterator[bytes]:
        if options.file_type is FileType.CSV:
            # Nothing of it is made in a folder.
            return _in_thread(lambda: make_export(source, options, Path()))
        return self._from_process(source, options)

    async def _from_process(
        self, source: ExportSource, options: ExportOptions
    ) -> AsyncIterator[bytes]:
        if self._running >= self._max_processes:
            raise TooManyExports
        self._running += 1
        # The janitor removes what a gateway that was killed leaves there.
        scratch = self._artifacts.incoming_dir(str(uuid4()))
        pieces = stream_from_process(source, options, scratch)
        try:
            async for piece in pieces:
                yield piece
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]
            shutil.rmtree(scratch, ignore_errors=True)
            self._running -= 1


def _planned(plan: StoredPlan) -> PlannedRows:
    return PlannedRows(plan.copies, plan.sample_weight, plan.near_dup_groups, plan.reasons)


def _at_levelled_layer(options: ExportOptions, plan: StoredPlan | None) -> ExportOptions:
    """Return the options with the layer that was levelled, where clusters of none are asked for."""
    if plan is None or options.layer is not None or not options.has_all_columns:
        return options
    return replace(options, layer=plan.described["request"].get("layer"))


async def _in_thread(begin: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    pieces = await asyncio.to_thread(begin)
    async for piece in iterate_in_threadpool(pieces):
        yield piece


async def _chained(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        yield first
        async for piece in pieces:
            yield piece
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]


def content_disposition(file_name: str) -> str:
    """Return a Content-Disposition that saves under `file_name`, whatever is in it (RFC 6266)."""
    plain = re.sub(r"[^\w .()+,=@-]", "_", file_name, flags=re.ASCII)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"


def _media_type(options: ExportOptions, info: TableInfo) -> str:
    if options.file_type is not FileType.CSV:
        return options.media_type
    own = not options.is_list and options.profile is Profile.LOSSLESS
    # HTTP has other names for encodings than Python.
    charset = codecs.lookup(info.encoding).name.replace("_", "-") if own else "utf-8"
    return f"{options.media_type}; charset={charset}"
