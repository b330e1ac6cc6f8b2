"""Names for clusters in this process: keywords, and a language model's where one is set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from gateway.pipeline_types import ClusterTexts, NameOutcome
from level.local.errors import needs_extra
from level_rpc.texts import prepare_text

if TYPE_CHECKING:
    from analyzer_svc.clusters import Outcome
    from analyzer_svc.language_model import LanguageModel
    from analyzer_svc.settings import Settings


class LocalNames:
    """What `Stages` asks of the analyzer.

    Parameters
    ----------
    settings : analyzer_svc.settings.Settings, optional
        The language model and its limits; from the environment when not given.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._analyzer_settings = settings
        self._language_model: tuple[LanguageModel | None, Settings, asyncio.Semaphore] | None = None

    async def analyze(
        self,
        clusters: Sequence[ClusterTexts],
        dataset_description: str,
        language_code: str,
        keywords_only: bool,
    ) -> AsyncIterator[NameOutcome]:
        """Yield a keyword name for every cluster, then what the language model says of each."""
        outcomes = self._outcomes(clusters, dataset_description, language_code, keywords_only)
        async with aclosing(outcomes):
            async for outcome in outcomes:
                yield _to_outcome(outcome)

    async def open_analyzer(self) -> None:
        """Read the settings and open the language model, if there is one."""
        if self._language_model is None:
            model, settings = await asyncio.to_thread(_open, self._analyzer_settings)
            slots = asyncio.Semaphore(settings.llm_concurrency)
            self._language_model = self._language_model or (model, settings, slots)

    async def close_analyzer(self) -> None:
        """Close the language model."""
        if self._language_model is not None and self._language_model[0] is not None:
            await self._language_model[0].close()
        self._language_model = None

    async def _outcomes(
        self,
        clusters: Sequence[ClusterTexts],
        dataset_description: str,
        language_code: str,
        keywords_only: bool,
    ) -> AsyncGenerator[Outcome, None]:
        from analyzer_svc import clusters as analyzer
        from analyzer_svc.analysis import Dataset, analyze_all_clusters
        from analyzer_svc.checks import check_cluster, check_dataset

        await self.open_analyzer()
        assert self._language_model is not None
        model, settings, slots = self._language_model
        dataset = Dataset(dataset_description, language_code)
        check_dataset(dataset)
        given = [
            analyzer.ClusterTexts(
                one.cluster_id,
                one.row_count,
                tuple(prepare_text(text)[0] for text in one.texts),
                {term: count for term, count in one.term_counts if term},
            )
            for one in clusters
        ]
        for one in given:
            check_cluster(one)
        outcomes = analyze_all_clusters(
            given,
            None if keywords_only else model,
            dataset=dataset,
            limits=settings.naming_limits(),
            slots=slots,
        )
        async with aclosing(outcomes):
            async for outcome in outcomes:
                yield outcome


def _open(settings: Settings | None) -> tuple[LanguageModel | None, Settings]:
    with needs_extra("analyzer"):
        from analyzer_svc.models import open_language_model
        from analyzer_svc.settings import Settings

        settings = settings or Settings()
        return open_language_model(settings), settings


def _to_outcome(outcome: Outcome) -> NameOutcome:
    from analyzer_svc.clusters import ClusterAnalysis

    result = outcome.result
    if not isinstance(result, ClusterAnalysis):
        return NameOutcome(outcome.cluster_id, failure=result.reason)
    return NameOutcome(
        cluster_id=outcome.cluster_id,
        label=result.label,
        description=result.description,
        keywords=result.keywords,
        label_source=result.label_source.value,
    )
