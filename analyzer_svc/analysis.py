"""Names all clusters of a dataset: by keywords at once, then by a language model as it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice

from analyzer_svc.campaign import Campaign
from analyzer_svc.clusters import ClusterAnalysis, ClusterTexts, LabelSource, Outcome
from analyzer_svc.errors import ProviderFailure
from analyzer_svc.keywords import name_clusters
from analyzer_svc.labels import DistinctLabels, with_suffixes
from analyzer_svc.language_model import LanguageModel
from analyzer_svc.limits import DEFAULT_LIMITS, NamingLimits
from analyzer_svc.prompts import build_prompt


@dataclass(frozen=True, slots=True)
class Dataset:
    """What holds for every cluster of a dataset.

    Attributes
    ----------
    description : str
        What the rows are, in the uploader's words; may be empty.
    language_code : str
        BCP 47 code of the language of labels and descriptions; "" for the rows' own.
    """

    description: str = ""
    language_code: str = ""


_UNDESCRIBED = Dataset()


async def analyze_all_clusters(
    clusters: Sequence[ClusterTexts],
    model: LanguageModel | None = None,
    *,
    dataset: Dataset = _UNDESCRIBED,
    limits: NamingLimits = DEFAULT_LIMITS,
    slots: asyncio.Semaphore | None = None,
) -> AsyncGenerator[Outcome, None]:
    """Yield a keyword outcome for each cluster, in order; then the model's, as they are ready.

    Parameters
    ----------
    clusters : sequence of ClusterTexts
        All clusters of the dataset.
    model : LanguageModel, optional
        Asked about each cluster that has exemplars, a few at a time, each in a call of its own.
    dataset : Dataset
        What holds for all of them.
    limits : NamingLimits
        Bounds of the calls.
    slots : asyncio.Semaphore, optional
        Bounds the calls under way where several datasets are named at once.

    Yields
    ------
    Outcome
        Labels are distinct over all that stand: a later outcome of a cluster replaces its earlier
        one, and a failure leaves it standing. Closing the iterator stops all calls.
    """
    labels = DistinctLabels()
    analyses = await asyncio.to_thread(name_clusters, clusters, labels)
    for cluster, analysis in zip(clusters, analyses, strict=True):
        yield Outcome(cluster.cluster_id, analysis)
    if model is None:
        return
    campaign = Campaign(model, limits, slots or asyncio.Semaphore(limits.concurrency))
    naming = _Naming(campaign, dataset, labels)
    named = zip(clusters, analyses, strict=True)
    work = [(cluster, analysis) for cluster, analysis in named if cluster.texts]
    async with aclosing(_in_parallel(naming, work, limits.concurrency)) as outcomes:
        async for outcome in outcomes:
            yield outcome


async def analyze_cluster(
    cluster: ClusterTexts,
    keywords: Sequence[str],
    campaign: Campaign,
    *,
    dataset: Dataset = _UNDESCRIBED,
    labels: DistinctLabels,
) -> Outcome:
    """Return what the language model says of one cluster, or why it says nothing.

    Parameters
    ----------
    cluster : ClusterTexts
        Its exemplars go into the prompt.
    keywords : sequence of str
        Its keywords; they go into the prompt, and one into the label if the label is taken.
    campaign : Campaign
        Makes the calls.
    dataset : Dataset
        What holds for all clusters.
    labels : DistinctLabels
        The labels in use; takes the new one in.
    """
    prompt = build_prompt(
        cluster.texts,
        keywords,
        row_count=cluster.row_count,
        dataset_description=dataset.description,
        language_code=dataset.language_code,
    )
    try:
        answer = await campaign.describe(prompt)
    except ProviderFailure as failure:
        return Outcome(cluster.cluster_id, failure)
    label = labels.claim(cluster.cluster_id, with_suffixes(answer.label, keywords))
    analysis = ClusterAnalysis(label, answer.description, tuple(keywords), LabelSource.LLM)
    return Outcome(cluster.cluster_id, analysis, answer.usage)


@dataclass(frozen=True, slots=True)
class _Naming:
    campaign: Campaign
    dataset: Dataset
    labels: DistinctLabels

    async def name(self, cluster: ClusterTexts, analysis: ClusterAnalysis) -> Outcome:
        return await analyze_cluster(
            cluster, analysis.keywords, self.campaign, dataset=self.dataset, labels=self.labels
        )


async def _in_parallel(
    naming: _Naming, work: Sequence[tuple[ClusterTexts, ClusterAnalysis]], concurrency: int
) -> AsyncGenerator[Outcome, None]:
    """Yield the outcomes as they are ready; so many are worked on at once and no more."""
    pending = iter(work)
    tasks: set[asyncio.Task[Outcome]] = set()
    try:
        while True:
            for cluster, analysis in islice(pending, concurrency - len(tasks)):
                tasks.add(asyncio.create_task(naming.name(cluster, analysis)))
            if not tasks:
                return
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
