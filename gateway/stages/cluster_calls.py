"""The calls of the cluster service."""

import numpy as np
from numpy.typing import NDArray

from gateway.pipeline_types import (
    AssignedRows,
    AssignModel,
    Clustering,
    ExemplarKind,
    Layout,
    NeighborGraph,
    OnDraft,
    OnProgress,
    ParameterValue,
)
from gateway.stages.answers import AssignAnswer, ClusterAnswer, LayOutAnswer
from gateway.stages.calls import UNARY_SECONDS, Calls
from gateway.stages.messages import (
    EXEMPLAR_KINDS,
    assign_requests,
    cluster_requests,
    layout_requests,
    to_graph_shape,
    to_parameters,
)
from gateway.stages.selection import (
    NearDuplicatesAnswer,
    SelectionAnswer,
    near_duplicates_requests,
    selection_requests,
)
from level_rpc.status import level_errors
from levelapi.cluster.v1 import cluster_service_pb2 as cluster
from levelapi.cluster.v1.cluster_service_pb2_grpc import ClusterServiceStub
from levelling.plans.picks import PickTask, Selection


class ClusterCalls(Calls):
    """What `Stages` asks of the cluster service."""

    async def check_parameters(self, algorithm: str, parameters: dict[str, ParameterValue]) -> None:
        """Raise InvalidArgument unless the cluster service takes these parameters."""
        request = cluster.CheckParametersRequest(
            algorithm=algorithm, parameters=to_parameters(parameters)
        )
        with level_errors():
            await self._cluster.CheckParameters(request, timeout=UNARY_SECONDS)

    async def cluster(
        self,
        vectors: NDArray[np.float32],
        algorithm: str,
        parameters: dict[str, ParameterValue],
        random_seed: int,
        neighbor_count: int,
        exemplar_count: int,
        exemplar_kind: ExemplarKind,
        on_progress: OnProgress,
    ) -> Clustering:
        """Return the layers of clusters, their exemplars and the neighbour graph of all rows."""
        config = cluster.ClusterConfig(
            row_count=len(vectors),
            dimension_count=vectors.shape[1],
            algorithm=algorithm,
            parameters=to_parameters(parameters),
            random_seed=random_seed,
            neighbor_count=neighbor_count,
            exemplar_count=exemplar_count,
            exemplar_kind=EXEMPLAR_KINDS[exemplar_kind],
        )
        answer = ClusterAnswer(len(vectors), vectors.shape[1], on_progress)
        requests = cluster_requests(config, vectors)
        async with self._exchange(self._cluster.Cluster, requests) as messages:
            async for message in messages:
                answer.add(message)
        return answer.finish()

    async def lay_out(
        self,
        graph: NeighborGraph,
        labels: NDArray[np.int32] | None,
        random_seed: int,
        on_progress: OnProgress,
        on_draft: OnDraft | None = None,
    ) -> Layout:
        """Return the position of every row; rough ones on the way go to `on_draft`."""
        config = cluster.LayOutConfig(
            graph_shape=to_graph_shape(graph),
            random_seed=random_seed,
            has_labels=labels is not None,
            wants_drafts=on_draft is not None,
        )
        answer = LayOutAnswer(len(graph.row_nodes), on_progress, on_draft)
        requests = layout_requests(config, graph, labels)
        async with self._exchange(self._cluster.LayOut, requests) as messages:
            async for message in messages:
                answer.add(message)
        return answer.finish()

    async def assign(
        self, model: AssignModel, vectors: NDArray[np.float32], on_progress: OnProgress
    ) -> AssignedRows:
        """Return cluster and position of each of the rows of `vectors`."""
        config = cluster.AssignConfig(
            row_count=len(vectors),
            dimension_count=vectors.shape[1],
            landmark_count=len(model.labels),
            has_positions=model.positions is not None,
        )
        answer = AssignAnswer(len(vectors), model.positions is not None, on_progress)
        requests = assign_requests(config, model, vectors)
        async with self._exchange(self._cluster.Assign, requests) as messages:
            async for message in messages:
                answer.add(message)
        return answer.finish()

    async def find_near_duplicates(
        self,
        graph: NeighborGraph,
        max_distance: float,
        text_keys: NDArray[np.int64] | None,
        on_progress: OnProgress,
    ) -> NDArray[np.int32]:
        """Return the group of near-duplicates that each row is in, called by its central row."""
        config = cluster.FindNearDuplicatesConfig(
            graph_shape=to_graph_shape(graph),
            max_distance=max_distance,
            has_text_keys=text_keys is not None,
        )
        answer = NearDuplicatesAnswer(len(graph.row_nodes), on_progress)
        requests = near_duplicates_requests(config, graph, text_keys)
        async with self._exchange(self._cluster.FindNearDuplicates, requests) as messages:
            async for message in messages:
                answer.add(message)
        return answer.finish()

    async def select_rows(
        self,
        vectors: NDArray[np.float32],
        graph: NeighborGraph,
        task: PickTask,
        on_progress: OnProgress,
    ) -> Selection:
        """Return the rows that a task asks for, and how well they stand for the others."""
        answer = SelectionAnswer(task.slot_count, on_progress)
        requests = selection_requests(vectors, graph, task)
        async with self._exchange(self._cluster.SelectRows, requests) as messages:
            async for message in messages:
                answer.add(message)
        return answer.finish()

    @property
    def _cluster(self) -> ClusterServiceStub:
        return ClusterServiceStub(self._channels["cluster"])
