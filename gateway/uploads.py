"""Takes uploads in: everything of one is stored and recorded, or nothing of it is left."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from gateway.artifacts import ArtifactStore
from gateway.dataset import (
    MINIMUM_ROW_COUNT,
    RECOMMENDED_ROW_COUNT,
    Dataset,
    PipelineParameters,
)
from gateway.errors import DatasetNotFound, StoreUnavailable
from gateway.pipeline_types import Stages
from gateway.request_context import current_request_id
from gateway.settings import GatewaySettings
from gateway.store import DatasetStore
from gateway.tables import RECORDS_FILE, ROWS_FILE, TableInfo, TableLimits
from gateway.tables.process import read_in_process
from gateway.upload_form import UploadForm, receive_form
from gateway.upload_parameters import read_fields, to_pipeline_parameters
from level_rpc.errors import InvalidArgument, LevelError, ResourceExhausted

SOURCE_FILE = "source"
_BUSY_SECONDS = 5.0
# Longer than a service that is there takes, and about as long as a file takes to be read.
_CHECK_SECONDS = 1.5
T = TypeVar("T")
log = structlog.get_logger(__name__)


class TooManyUploads(ResourceExhausted):
    """As many uploads are under way as are taken at once."""

    reason = "TOO_MANY_UPLOADS"

    def __init__(self) -> None:
        message = "Too many uploads are under way; try again in a few seconds."
        super().__init__(message, retry_after=_BUSY_SECONDS)


class UploadDesk:
    """Receives, checks and records uploads.

    Parameters
    ----------
    settings : GatewaySettings
    store : DatasetStore
    artifacts : ArtifactStore
    stages : Stages
        Asked whether parameters can be used.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        store: DatasetStore,
        artifacts: ArtifactStore,
        stages: Stages,
    ) -> None:
        self._settings = settings
        self._store = store
        self._artifacts = artifacts
        self._stages = stages
        self._in_flight = 0

    async def accept(self, request: Request) -> Dataset:
        """Return the dataset that an upload became.

        Raises
        ------
        UploadRefused, TableError
            When the form or the file cannot be used.
        InvalidArgument
            When a parameter cannot be used.
        TooManyUploads, StoreUnavailable
            When it cannot be taken now.
        """
        with self._slot():
            dataset_id = str(uuid4())
            try:
                return await self._accept(dataset_id, request)
            except OSError as error:
                raise StoreUnavailable("The disk takes nothing now; try again later.") from error
            finally:
                await asyncio.to_thread(self._artifacts.discard_incoming, dataset_id)

    async def _accept(self, dataset_id: str, request: Request) -> Dataset:
        folder = await asyncio.to_thread(self._artifacts.incoming_dir, dataset_id)
        form = await receive_form(
            request.stream(),
            request.headers.get("content-type", ""),
            folder / SOURCE_FILE,
            self._settings.max_upload_size,
        )
        fields = read_fields(form.fields)
        parameters = to_pipeline_parameters(
            fields, self._settings.grid_size, self._settings.default_eps
        )

        info = await _while_connected(
            request.receive, lambda: self._check(folder, fields.text_column, parameters)
        )
        dataset = await asyncio.to_thread(self._record, dataset_id, form, info, parameters)
        log.info("upload_accepted", dataset_id=dataset_id, row_count=info.row_count)
        return dataset

    async def _check(
        self, folder: Path, text_column: str | None, parameters: PipelineParameters
    ) -> TableInfo:
        checking = asyncio.create_task(self._check_parameters(parameters))
        try:
            info = await self._read(folder, text_column)
            await checking
            return info
        finally:
            checking.cancel()
            await asyncio.gather(checking, return_exceptions=True)

    async def _check_parameters(self, parameters: PipelineParameters) -> None:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._stages.check_parameters(
                    parameters.algorithm, parameters.algorithm_parameters
                )
        except InvalidArgument:
            raise
        except (LevelError, TimeoutError) as error:
            # The pipeline waits for the service, and then says the same of wrong parameters.
            log.warning("parameters_not_checked", error=type(error).__name__)

    async def _read(self, folder: Path, text_column: str | None) -> TableInfo:
        limits = TableLimits(
            min_rows=MINIMUM_ROW_COUNT,
            max_rows=self._settings.max_upload_rows,
            max_columns=self._settings.max_upload_columns,
            max_cell_bytes=self._settings.max_cell_bytes,
        )
        return await read_in_process(
            folder / SOURCE_FILE,
            folder,
            text_column,
            limits,
            memory_mb=self._settings.read_memory_mb,
            timeout_seconds=self._settings.read_seconds,
        )

    def _record(
        self, dataset_id: str, form: UploadForm, info: TableInfo, parameters: PipelineParameters
    ) -> Dataset:
        self._artifacts.accept(dataset_id)
        try:
            files = [
                self._artifacts.describe(dataset_id, "source", SOURCE_FILE),
                self._artifacts.describe(dataset_id, "rows", ROWS_FILE, ("source",)),
                self._artifacts.describe(dataset_id, "records", RECORDS_FILE, ("source",)),
            ]
            return self._store.create(
                dataset_id,
                form.file_name,
                table_facts(info),
                parameters,
                _warnings(info),
                files,
                request_id=current_request_id(),
            )
        except BaseException:
            self._undo(dataset_id)
            raise

    def _undo(self, dataset_id: str) -> None:
        """Remove what was recorded; the janitor does where the database cannot answer."""
        try:
            self._store.delete(dataset_id)
        except DatasetNotFound:
            self._artifacts.delete(dataset_id)
        except StoreUnavailable:
            log.warning("upload_left_behind", dataset_id=dataset_id)
        else:
            self._artifacts.delete(dataset_id)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if self._in_flight >= self._settings.max_concurrent_uploads:
            raise TooManyUploads
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1


def table_facts(info: TableInfo) -> dict[str, object]:
    """Return what a dataset keeps of its table: what others ask for, and all of it under `info`."""
    return {
        "row_count": info.row_count,
        "text_column": {
            "index": info.text_column,
            "name": info.text_column_name,
            "reason": info.text_column_reason,
        },
        "info": info.to_dict(),
    }


def _warnings(info: TableInfo) -> list[str]:
    warnings = list(info.warnings)
    if info.row_count > RECOMMENDED_ROW_COUNT:
        warnings.append(
            f"The file has {info.row_count:,} rows, more than the {RECOMMENDED_ROW_COUNT:,} that"
            " are recommended; it will take longer."
        )
    return warnings


async def _while_connected(receive: Receive, work: Callable[[], Awaitable[T]]) -> T:
    """Return what `work` returns; raise ClientDisconnect when the client goes away before."""
    working, watching = asyncio.ensure_future(work()), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
