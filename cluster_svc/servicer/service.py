"""The handlers of ClusterService."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc

from cluster_svc.engine import ComputeEngine
from cluster_svc.jobs import (
    Clustered,
    Event,
    GraphBuilt,
    LaidOut,
    LayoutDrafted,
    NearDuplicatesFound,
    RowsAssigned,
    RowsSelected,
)
from cluster_svc.pacing import paced
from cluster_svc.progress import Progress, Stage
from cluster_svc.registry import ALGORITHMS, choose_algorithm
from cluster_svc.servicer.answers import (
    assigned_responses,
    clustering_responses,
    graph_responses,
    layout_responses,
    near_duplicates_responses,
    quality_response,
    selection_responses,
)
from cluster_svc.servicer.catalogue import algorithm_message, decode_parameters, parameter_messages
from cluster_svc.servicer.clock import ProgressClock
from cluster_svc.servicer.receiving import (
    Received,
    Receiving,
    receive_assign,
    receive_cluster,
    receive_layout,
)
from cluster_svc.servicer.receiving_levelling import receive_near_duplicates, receive_selection
from cluster_svc.uploads import Limits, Upload
from level_rpc.server import Service
from levelapi.cluster.v1 import cluster_service_pb2 as messages
from levelapi.cluster.v1 import cluster_service_pb2_grpc

SERVICE = Service(
    name="levelapi.cluster.v1.ClusterService",
    add_to_server=cluster_service_pb2_grpc.add_ClusterServiceServicer_to_server,
)

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

# The contract promises progress once a second.
_PROGRESS_SECONDS = 0.5


class ClusterServicer(cluster_service_pb2_grpc.ClusterServiceServicer):
    """Serves ``levelapi.cluster.v1.ClusterService`` with one compute process.

    Parameters
    ----------
    engine
        Runs the jobs; closed with the servicer.
    limits
        What is refused.
    """

    def __init__(self, engine: ComputeEngine, limits: Limits | None = None) -> None:
        self._engine = engine
        self._limits = limits or Limits()

    async def ListAlgorithms(
        self, request: messages.ListAlgorithmsRequest, context: _Context
    ) -> messages.ListAlgorithmsResponse:
        """Return the registry."""
        algorithms = map(algorithm_message, ALGORITHMS.values())
        return messages.ListAlgorithmsResponse(algorithms=algorithms)

    async def CheckParameters(
        self, request: messages.CheckParametersRequest, context: _Context
    ) -> messages.CheckParametersResponse:
        """Return the parameters in effect, unless one of those given is wrong."""
        _, complete = choose_algorithm(request.algorithm, decode_parameters(request))
        return messages.CheckParametersResponse(parameters=parameter_messages(complete))

    async def Cluster(
        self, request_iterator: AsyncIterator[messages.ClusterRequest], context: _Context
    ) -> AsyncIterator[messages.ClusterResponse]:
        """Yield progress, the graph, the outcome, then each layer, then the landmarks."""
        clock = ProgressClock()
        receiving = receive_cluster(Upload(request_iterator, self._limits), self._limits)
        async with aclosing(self._events(receiving)) as events:
            async for event in events:
                match event:
                    case GraphBuilt(graph):
                        for response in graph_responses(graph):
                            yield response
                    case Clustered(clustering):
                        for response in clustering_responses(clustering):
                            yield response
                    case _:
                        yield messages.ClusterResponse(progress=clock.message(event))

    async def LayOut(
        self, request_iterator: AsyncIterator[messages.LayOutRequest], context: _Context
    ) -> AsyncIterator[messages.LayOutResponse]:
        """Yield progress, rough layouts when they are wanted, the final one, its quality."""
        clock = ProgressClock()
        frame_index = 0
        receiving = receive_layout(Upload(request_iterator, self._limits))
        async with aclosing(self._events(receiving)) as events:
            async for event in events:
                match event:
                    case LayoutDrafted(positions):
                        for response in layout_responses(positions, frame_index, is_final=False):
                            yield response
                        frame_index += 1
                    case LaidOut(positions):
                        for response in layout_responses(positions, frame_index, is_final=True):
                            yield response
                        yield quality_response(event)
                    case _:
                        yield messages.LayOutResponse(progress=clock.message(event))

    async def Assign(
        self, request_iterator: AsyncIterator[messages.AssignRequest], context: _Context
    ) -> AsyncIterator[messages.AssignResponse]:
        """Yield progress, then the rows."""
        clock = ProgressClock()
        receiving = receive_assign(Upload(request_iterator, self._limits))
        async with aclosing(self._events(receiving)) as events:
            async for event in events:
                if isinstance(event, RowsAssigned):
                    for response in assigned_responses(event.assigned):
                        yield response
                else:
                    yield messages.AssignResponse(progress=clock.message(event))

    async def FindNearDuplicates(
        self,
        request_iterator: AsyncIterator[messages.FindNearDuplicatesRequest],
        context: _Context,
    ) -> AsyncIterator[messages.FindNearDuplicatesResponse]:
        """Yield progress, then the groups."""
        clock = ProgressClock()
        receiving = receive_near_duplicates(Upload(request_iterator, self._limits))
        async with aclosing(self._events(receiving)) as events:
            async for event in events:
                if isinstance(event, NearDuplicatesFound):
                    for response in near_duplicates_responses(event.groups):
                        yield response
                else:
                    yield messages.FindNearDuplicatesResponse(progress=clock.message(event))

    async def SelectRows(
        self, request_iterator: AsyncIterator[messages.SelectRowsRequest], context: _Context
    ) -> AsyncIterator[messages.SelectRowsResponse]:
        """Yield progress, then the summary, the rows and the coverage."""
        clock = ProgressClock()
        receiving = receive_selection(Upload(request_iterator, self._limits))
        async with aclosing(self._events(receiving)) as events:
            async for event in events:
                if isinstance(event, RowsSelected):
                    for response in selection_responses(event.selection):
                        yield response
                else:
                    yield messages.SelectRowsResponse(progress=clock.message(event))

    async def close(self) -> None:
        """End the compute process."""
        await self._engine.close()

    async def _events(self, receiving: Receiving) -> AsyncGenerator[Event | None, None]:
        """Yield what happens in a call that has a place, and None whenever nothing did for long."""
        with self._engine.place():
            async with aclosing(paced(self._compute(receiving), _PROGRESS_SECONDS)) as events:
                async for event in events:
                    yield event

    async def _compute(self, receiving: Receiving) -> AsyncGenerator[Event, None]:
        """Yield progress of receiving, then the events of the job that was received."""
        async with aclosing(receiving) as parts:
            async for part in parts:
                if isinstance(part, Received):
                    received = part
                else:
                    yield part
        share = received.receiving_share
        yield Progress(Stage.QUEUED, share, share)
        async with aclosing(self._engine.run(received.job)) as events:
            async for event in events:
                yield _of_whole_call(event, share)


def _of_whole_call(event: Event, receiving_share: float) -> Event:
    """Return the event, with the fractions of a job made those of the whole call."""
    if not isinstance(event, Progress):
        return event
    rest = 1 - receiving_share
    return Progress(
        event.stage,
        receiving_share + rest * event.fraction,
        receiving_share + rest * event.stage_end,
    )
