"""The embedding stage: blocks of texts go to all embedders at once, vectors come back in order.

Which texts are in a block depends on nothing but how many there are: not on how many embedders
answer, nor on where a killed worker has left off. So the same file always makes the same calls.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset
from gateway.embedded_texts import EmbeddedTexts, LongTexts, ModelInfo, TextCounts, block_size
from gateway.embedding_progress import EmbeddingMeter
from gateway.pipeline_types import OnProgress, Stages
from gateway.store import DatasetStore
from gateway.worker.in_order import run_in_order
from gateway.worker.reporting import while_reporting
from gateway.worker.results import StageResults
from gateway.worker.scattered_rows import read_cells
from gateway.worker.transient import PATIENCE_SECONDS, in_store, with_retries
from gateway.worker.unique_texts import UniqueTexts
from gateway.worker.vector_file import ModelsDiffer, VectorFile, WrittenMeanwhile
from level_rpc.errors import FailedPrecondition, InvalidArgument

T = TypeVar("T")
# While one is computed, the texts of the next are there already.
CALLS_PER_EMBEDDER = 2
# Of 4,096 vectors of 1,024 numbers, 16 MiB each.
BLOCKS_AHEAD = 4


class TextNotEmbeddable(InvalidArgument):
    """The model has no vector for the text of one row."""

    reason = "TEXT_NOT_EMBEDDABLE"

    def __init__(self, row_id: int) -> None:
        message = (
            f"The embedding model has no vector for the text of row {row_id} (the first is row 0)."
            " Change that text or leave the row out, then upload the file again."
        )
        super().__init__(message, row_id=row_id)


@dataclass(frozen=True)
class DatasetTexts:
    """The distinct texts of a dataset."""

    rows: Path
    column: int
    unique: UniqueTexts

    @classmethod
    def of(cls, artifacts: ArtifactStore, dataset: Dataset) -> Self:
        """Return the texts of a dataset; blocks."""
        rows = artifacts.path(dataset.dataset_id, dataset.artifacts["rows"])
        column = dataset.text_column
        return cls(rows, column, UniqueTexts.of(rows, column, dataset.row_count))

    @property
    def block_rows(self) -> int:
        """How many texts go into one call."""
        return block_size(self.unique.count)

    def read(self, start: int) -> list[str]:
        """Return the texts of the block that begins with distinct text `start`; blocks."""
        chosen = self.unique.first_rows[start : start + self.block_rows]
        return read_cells(self.rows, self.column, chosen)


class DatasetEmbedder:
    """Embeds datasets.

    Parameters
    ----------
    store : DatasetStore
    artifacts : ArtifactStore
    stages : Stages
        Whose `embed` is called.
    calls : int
        How many calls run at a time for one dataset; 0: two for each embedder that answers.
    patience_seconds : float
        For how long an embedder that cannot be reached is called again.
    """

    def __init__(
        self,
        store: DatasetStore,
        artifacts: ArtifactStore,
        stages: Stages,
        calls: int = 0,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._stages = stages
        self._calls = calls
        self._results = StageResults(store, artifacts)
        self._patience_seconds = patience_seconds

    async def embed(self, dataset: Dataset, on_progress: OnProgress) -> None:
        """Store the vector of every row; go on at the last whole block that was stored before.

        Raises
        ------
        ModelsDiffer
            When embedders have different models, or the model is not the one of earlier blocks.
        TextNotEmbeddable
            When the model has no vector for a text; the error names its row in the file.
        LevelError
            What does not pass by itself within the patience.
        """
        # A worker that was taken for dead, as after a long sleep, may wake and work on too: both
        # go on from what is there, and DBOS lets only one of them say that it is done.
        while "vectors" not in dataset.artifacts:
            try:
                return await self._embed_rest(dataset, on_progress)
            except (WrittenMeanwhile, FileNotFoundError):
                dataset = await in_store(self._store.get, dataset.dataset_id)

    async def _embed_rest(self, dataset: Dataset, on_progress: OnProgress) -> None:
        texts = await asyncio.to_thread(DatasetTexts.of, self._artifacts, dataset)
        folder = self._artifacts.dataset_dir(dataset.dataset_id)
        file = await asyncio.to_thread(VectorFile, folder)
        seconds = dataset.embedding.seconds if dataset.embedding else 0.0
        meter = EmbeddingMeter(texts.unique.count, file.so_far.counts, seconds)
        run = _Run(
            self._stages,
            texts,
            file,
            meter,
            LongTexts(dataset.parameters.long_texts),
            on_progress,
            self._patience_seconds,
        )
        note = partial(self._store.note_embedding, dataset.dataset_id)
        await while_reporting(run.embed_blocks(self._calls), lambda: note(meter.progress()))
        await in_store(note, meter.final())
        await in_store(self._results.keep_vectors, dataset, texts.unique, file)


@dataclass(frozen=True)
class _Run:
    """The embedding of one dataset, from the last whole block on."""

    stages: Stages
    texts: DatasetTexts
    file: VectorFile
    meter: EmbeddingMeter
    long_texts: LongTexts
    on_progress: OnProgress
    patience_seconds: float

    async def embed_blocks(self, calls: int) -> None:
        """Append the vectors of all texts that have none yet."""
        # Asked first, so that of several embedders no two can begin with different models.
        model = self.file.so_far.model
        if model is None:
            model = await self._patiently(self.stages.get_model)
        embed = partial(self._embed_block, model)
        first = self.file.so_far.counts.row_count
        starts = range(first, self.texts.unique.count, self.texts.block_rows)
        await run_in_order(
            (partial(embed, start) for start in starts),
            self._append,
            calls or CALLS_PER_EMBEDDER * await self.stages.count_embedders(),
            BLOCKS_AHEAD,
        )

    async def _embed_block(self, model: ModelInfo, start: int) -> EmbeddedTexts:
        block = await asyncio.to_thread(self.texts.read, start)
        answer = await self._patiently(partial(self._call, model, start, block))
        self.meter.end(start)
        return answer

    async def _call(self, model: ModelInfo, start: int, block: list[str]) -> EmbeddedTexts:
        self.meter.begin(start)
        try:
            return await self.stages.embed(
                block,
                model.fingerprint,
                long_texts=self.long_texts,
                on_rows=partial(self._hear, start),
            )
        except FailedPrecondition as error:
            if error.reason != "MODEL_MISMATCH":
                raise
            raise ModelsDiffer(model) from error
        except InvalidArgument as error:
            if error.reason != TextNotEmbeddable.reason:
                raise
            # The embedder counts the rows of a call, which are distinct texts.
            text = start + int(error.metadata["row_index"])
            raise TextNotEmbeddable(int(self.texts.unique.first_rows[text])) from error

    def _hear(self, start: int, counts: TextCounts) -> None:
        self.meter.add(start, counts)
        self.on_progress(self.meter.fraction)

    async def _append(self, answer: EmbeddedTexts) -> None:
        await in_store(self.file.append, answer)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        return await with_retries(call, self.patience_seconds)
