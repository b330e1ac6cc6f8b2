"""`LevelBalancer`: level a dataset in this process, in the manner of scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from gateway.embedded_texts import LongTexts
from gateway.pipeline_types import AssignModel, ParameterValue
from level.cluster_info import ClusterInfo, describe_clusters
from level.local_dataset import (
    ClusterOptions,
    LocalDataset,
    build_dataset,
    embed_texts,
    plan_dataset,
)
from level.local_stages import LocalStages
from level.loop_thread import LoopThread
from level.policies import make_duplicate_policy, make_target, read_noise_policy, read_word
from level.rows_given import RowsGiven, read_rows_given, take_rows
from levelling import spread_copies
from levelling.measures import Balance
from levelling.plans.noise_effects import NoiseEffect, noise_effects
from levelling.plans.plan import plan_curve
from levelling.plans.plan_types import Coverage, Plan
from levelling.request import BudgetUnit, LevelRequest, Mode, SamplingStrategy
from levelling.solver import LevelCurve

_Limit = float | Mapping[int, float] | None


@dataclass(frozen=True)
class BeforeAfter:
    """Every figure of balance and cost, twice.

    Attributes
    ----------
    before, after : Balance
        Of all rows as they are, and of the levelled dataset.
    """

    before: Balance
    after: Balance


class LevelBalancer(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Find the clusters of texts, and level them.

    ::

        balancer = LevelBalancer(target_flatness=0.8, budget=5_000)
        level = balancer.fit_resample(table)           # the rows to train on
        model.fit(X, y, sample_weight=LevelBalancer().fit(texts).sample_weight_)

    Everything is computed in this process; the first use loads the embedding model. The same
    request gives the same rows as the gateway's POST /api/level and `level balance`.

    Parameters
    ----------
    target_flatness, target_gini : float, optional
        How level the clusters are to be, 0 to 1; at most one target may be given. Without any, as
        flat as pays: where one more step of flatness costs more than it gives.
    temper_alpha : float, optional
        Sizes in proportion to ``rows ** temper_alpha``: 0 is flat, 1 changes nothing.
    target_distribution : {"uniform"} or mapping of int to float, optional
        Equal sizes, or a share for each cluster by its id.
    budget : int, optional
        How much is kept, in `budget_unit`. Without a target, the best subset of that size.
    budget_unit : {"rows", "tokens"}
    max_repeat : float, optional
        The most that a row may count or be repeated, at least 1.
    mode : {"weights", "rows"}, optional
        Whether rows are weighed, or left out and repeated; weights unless there is a budget.
    pinned : mapping of int to float, optional
        Weights that stay, by cluster id; noise is -1.
    floor, ceiling : float or mapping of int to float, optional
        The least and greatest effective size of every cluster, or of some by their ids.
    noise : str
        Rows in no cluster: "keep", "drop", "cap=0.1" (at most that share), "assign" (to the nearest
        cluster) or "assign=0.4" (within that cosine distance).
    near_duplicates : {"keep", "drop", "discount"}
        Whether they stay, one of each group stays, or a group counts as one row.
    near_duplicate_distance : float
        The cosine distance up to which rows are near-duplicates, 0 to 2.
    keep : {"central", "longest", "first"}
        Which row of such a group stays.
    sampling_strategy : {"diverse", "central", "random"}
        Which rows of a cluster stay when it shrinks.
    layer : int, optional
        The layer of clusters that is levelled, 0 is the finest; by default the one that a terrain
        shows, of about 8 to 80 clusters.
    algorithm : str
        How clusters are found: "auto", "communities", "dbscan", "hdbscan" or "kmeans".
    algorithm_parameters : mapping of str to float, optional
        Of the algorithm, such as ``{"resolution": 2.0}``.
    long_texts : {"truncate", "mean"}
        What counts of texts longer than the model reads: their beginning, or the mean of pieces.
    text_column : str, optional
        The column with the texts when X is a DataFrame; found when there is only one.
    random_state : int, RandomState or None
        Seed of every random choice, 0 to 2**32 - 1; None is another one each time.

    Attributes
    ----------
    labels_ : ndarray of shape (n_rows,), int32
        The cluster of each row in the levelled layer, -1 for noise.
    sample_weight_ : ndarray of shape (n_rows,), float64
        How much each row counts, its copies included: mean 1 over the kept rows, 0 for others.
    copies_ : ndarray of shape (n_rows,), int32
        How often each row stands in the levelled dataset.
    sample_indices_ : ndarray of shape (n_lines,), int64
        The rows of the levelled dataset in its order, repeats spread evenly.
    cluster_info_ : tuple of ClusterInfo
        The clusters of the levelled layer, by rising id.
    balance_ : BeforeAfter
        Every figure of balance and cost.
    coverage_ : Coverage or None
        How well the kept rows stand for the others; None where only weights change.
    near_dup_groups_ : ndarray of shape (n_rows,), int32
        The group of near-duplicates of each row, called by its central row.
    plan_ : Plan
        All of it, with `notes` in plain sentences: what could not be had, what was done instead.
    n_features_in_ : int
        The dimensions of the vectors that rows were clustered by.

    Raises
    ------
    ValueError, TypeError
        From `fit`: X is not rows of texts or of vectors.
    LevelError
        From `fit`: parameters contradict each other or are out of range (InvalidTarget), an extra
        is not installed (ExtraMissing), the model cannot be loaded.
    """

    def __init__(
        self,
        *,
        target_flatness: float | None = None,
        target_gini: float | None = None,
        temper_alpha: float | None = None,
        target_distribution: str | Mapping[int, float] | None = None,
        budget: int | None = None,
        budget_unit: str = "rows",
        max_repeat: float | None = None,
        mode: str | None = None,
        pinned: Mapping[int, float] | None = None,
        floor: _Limit = None,
        ceiling: _Limit = None,
        noise: str = "keep",
        near_duplicates: str = "keep",
        near_duplicate_distance: float = 0.05,
        keep: str = "central",
        sampling_strategy: str = "diverse",
        layer: int | None = None,
        algorithm: str = "auto",
        algorithm_parameters: Mapping[str, ParameterValue] | None = None,
        long_texts: str = "truncate",
        text_column: Any = None,
        random_state: Any = 0,
    ) -> None:
        self.target_flatness = target_flatness
        self.target_gini = target_gini
        self.temper_alpha = temper_alpha
        self.target_distribution = target_distribution
        self.budget = budget
        self.budget_unit = budget_unit
        self.max_repeat = max_repeat
        self.mode = mode
        self.pinned = pinned
        self.floor = floor
        self.ceiling = ceiling
        self.noise = noise
        self.near_duplicates = near_duplicates
        self.near_duplicate_distance = near_duplicate_distance
        self.keep = keep
        self.sampling_strategy = sampling_strategy
        self.layer = layer
        self.algorithm = algorithm
        self.algorithm_parameters = algorithm_parameters
        self.long_texts = long_texts
        self.text_column = text_column
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, embeddings: ArrayLike | None = None) -> Self:
        """Find the clusters of rows and level them.

        Parameters
        ----------
        X : list of str, Series, DataFrame, or ndarray of shape (n_rows, n_dimensions)
            Texts, a table with a column of them, or vectors of rows.
        y : ignored
        embeddings : array_like of shape (n_rows, n_dimensions), optional
            Vectors of the texts, where they are known; near-duplicates are found by both.

        Returns
        -------
        LevelBalancer
            Itself.
        """
        rows = read_rows_given(X, embeddings, self.text_column)
        seed = self._draw_seed()
        request, options = self._request(seed), self._cluster_options(seed)
        with LoopThread(LocalStages) as loop:
            dataset, plan = loop.run(lambda stages: _fit(stages, rows, options, request))
        self._keep(dataset, plan)
        return self

    def fit_resample(self, X: Any, y: Any = None, *, embeddings: ArrayLike | None = None) -> Any:
        """Level rows, and return the levelled dataset as what X came as.

        Parameters
        ----------
        X, embeddings
            As of `fit`.
        y : list, Series or ndarray, optional
            Something of each row, such as its class; it has no say in the levelling.

        Returns
        -------
        X, or tuple of X and y where y is given
            The rows of `sample_indices_`. A DataFrame or Series keeps its index, which tells the
            rows again. Where only weights change, every kept row stands there once.
        """
        if y is not None and len(y) != read_rows_given(X, embeddings, self.text_column).row_count:
            raise ValueError("X and y must have as many rows")
        self.fit(X, embeddings=embeddings)
        taken = take_rows(X, self.sample_indices_)
        return taken if y is None else (taken, take_rows(y, self.sample_indices_))

    def predict(self, X: Any, *, embeddings: ArrayLike | None = None) -> NDArray[np.int32]:
        """Return the clusters of new rows, int32 array of shape (n_rows,); -1 for noise.

        Parameters
        ----------
        X, embeddings
            As of `fit`; vectors where `fit` was given vectors.
        """
        check_is_fitted(self)
        rows = read_rows_given(X, embeddings, self.text_column)
        self._check_kind(rows)
        with LoopThread(LocalStages) as loop:
            return loop.run(lambda stages: self._assign(stages, rows))

    def noise_effects(self) -> tuple[NoiseEffect, ...]:
        """Return what each policy for noise would do to all figures, at the weights of the plan."""
        check_is_fitted(self)
        plan = self.plan_
        weights = {info.cluster_id: info.weight for info in self.cluster_info_}
        return noise_effects(
            self._dataset.material(plan.request),
            layer=plan.layer,
            cluster_weights=weights,
            noise_weight=plan.noise_weight,
            seed=plan.request.seed,
        )

    def curve(self, steps: int = 21) -> LevelCurve:
        """Return what each step of flatness costs under the same limits, `steps` points of it."""
        check_is_fitted(self)
        request = self.plan_.request
        return plan_curve(self._dataset.material(request), request, steps)

    def _draw_seed(self) -> int:
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))

    def _request(self, seed: int) -> LevelRequest:
        floor, floors = _split(self.floor)
        ceiling, ceilings = _split(self.ceiling)
        return LevelRequest(
            target=make_target(
                self.target_flatness,
                self.target_gini,
                self.temper_alpha,
                self.target_distribution,
            ),
            mode=None if self.mode is None else read_word(Mode, self.mode, "mode"),
            budget=self.budget,
            budget_unit=read_word(BudgetUnit, self.budget_unit, "budget_unit"),
            max_repeat=self.max_repeat,
            pinned=dict(self.pinned or {}),
            floor=floor,
            ceiling=ceiling,
            floors=floors,
            ceilings=ceilings,
            layer=self.layer,
            noise=read_noise_policy(self.noise),
            duplicates=make_duplicate_policy(
                self.near_duplicates, self.near_duplicate_distance, self.keep
            ),
            sampling=read_word(SamplingStrategy, self.sampling_strategy, "sampling_strategy"),
            seed=seed,
        )

    def _cluster_options(self, seed: int) -> ClusterOptions:
        return ClusterOptions(
            algorithm=self.algorithm,
            parameters=dict(self.algorithm_parameters or {}),
            seed=seed,
            long_texts=read_word(LongTexts, self.long_texts, "long_texts"),
        )

    def _keep(self, dataset: LocalDataset, plan: Plan) -> None:
        self._dataset = dataset
        self.plan_ = plan
        self.labels_: NDArray[np.int32] = dataset.clustering.layers[plan.layer].labels
        self.sample_weight_: NDArray[np.float64] = plan.sample_weight
        self.copies_: NDArray[np.int32] = plan.copies
        self.sample_indices_: NDArray[np.int64] = spread_copies(plan.copies)
        self.cluster_info_: tuple[ClusterInfo, ...] = describe_clusters(dataset, plan)
        self.balance_ = BeforeAfter(plan.before, plan.after)
        self.coverage_: Coverage | None = plan.coverage
        self.near_dup_groups_: NDArray[np.int32] = dataset.near_dup_groups
        self.n_features_in_ = int(dataset.vectors.shape[1])

    def _check_kind(self, rows: RowsGiven) -> None:
        """Refuse texts where vectors are needed, and vectors of another length."""
        if rows.vectors is None:
            if not self._dataset.fingerprint:
                raise ValueError("this was fitted on vectors: give vectors of the new rows")
            return
        if rows.vectors.shape[1] != self.n_features_in_:
            raise ValueError(
                f"embeddings have {rows.vectors.shape[1]} dimensions, those of fit had"
                f" {self.n_features_in_}"
            )

    async def _assign(self, stages: LocalStages, rows: RowsGiven) -> NDArray[np.int32]:
        vectors = rows.vectors
        if vectors is None:
            assert rows.texts is not None
            mode = LongTexts(self.long_texts)
            vectors, _ = await embed_texts(stages, rows.texts, mode, self._dataset.fingerprint)
        marks = self._dataset.clustering.landmarks
        model = AssignModel(
            self._dataset.vectors[marks.row_ids], self.labels_[marks.row_ids], marks.reaches
        )
        return (await stages.assign(model, vectors, lambda fraction: None)).labels


async def _fit(
    stages: LocalStages, rows: RowsGiven, options: ClusterOptions, request: LevelRequest
) -> tuple[LocalDataset, Plan]:
    distance = request.duplicates.max_distance
    dataset = await build_dataset(stages, rows.texts, rows.vectors, options, distance)
    return dataset, await plan_dataset(stages, dataset, request)


def _split(limit: _Limit) -> tuple[float | None, dict[int, float]]:
    """Return the limit of every cluster, and those of single ones."""
    return (None, dict(limit)) if isinstance(limit, Mapping) else (limit, {})
