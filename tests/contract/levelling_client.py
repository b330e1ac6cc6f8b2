"""Calls FindNearDuplicates and SelectRows by hand."""

from types import SimpleNamespace

import numpy as np

from tests.contract.stranger import converse


def all_in_one_slot(row_count, budget, **changes):
    """Return a choice of any of all rows, by the names of SelectRowsRequest and its config."""
    ones = np.ones(row_count, "u1")
    choice = {
        "labels": np.zeros(row_count, "<i4"),
        "candidates": ones,
        "keepers": ones,
        "slot_count": 1,
        "budget": budget,
    }
    return choice | changes


class LevellingClient:
    """Sends and reads what levels rows, with the messages of a `ClusterClient`."""

    def __init__(self, clusters):
        self.service, self.part, self.tensors = clusters.service, clusters.part, clusters.tensors
        self._clusters = clusters

    def find_near_duplicates(self, graph, max_distance, text_keys=None):
        """Return the groups, and what was said in which order."""
        answers = converse(
            self.service.FindNearDuplicates,
            self.near_duplicates_requests(graph, max_distance, text_keys),
        )
        blocks = [answer.groups for answer in answers if answer.HasField("groups")]
        return SimpleNamespace(
            said=[answer.WhichOneof("payload") for answer in answers],
            groups=self.tensors.join(blocks),
        )

    def near_duplicates_requests(self, graph, max_distance, text_keys=None):
        request = self.part.FindNearDuplicatesRequest
        config = self.part.FindNearDuplicatesConfig(
            graph_shape=self._clusters.graph_shape(graph),
            max_distance=max_distance,
            has_text_keys=text_keys is not None,
        )
        yield request(config=config)
        for part in self._clusters.graph_blocks(graph):
            yield request(graph=part)
        for block in () if text_keys is None else self.tensors.blocks(text_keys):
            yield request(text_keys=block)

    def select_rows(self, vectors, graph, **choice):
        """Return the rows and their coverage, and what was said in which order."""
        answers = converse(
            self.service.SelectRows, self.selection_requests(vectors, graph, **choice)
        )
        summary = next(answer.summary for answer in answers if answer.HasField("summary"))
        found = {
            name: [getattr(answer, name) for answer in answers if answer.HasField(name)]
            for name in ("rows", "coverage")
        }
        rows = self.tensors.join(found["rows"]) if found["rows"] else np.zeros(0, "<i8")
        assert summary.row_count == len(rows)
        return SimpleNamespace(
            said=[answer.WhichOneof("payload") for answer in answers],
            rows=rows,
            coverage=self.tensors.join(found["coverage"]),
            distance=summary.coverage_distance,
        )

    def selection_requests(self, vectors, graph, **choice):
        """Yield a choice; arrays by the names of SelectRowsRequest, the rest goes into config."""
        names = ("labels", "counts", "candidates", "near_duplicate_groups", "keepers")
        arrays = {name: choice.pop(name) for name in names if name in choice}
        row_count, dimension_count = vectors.shape
        config = {
            "row_count": row_count,
            "dimension_count": dimension_count,
            "has_counts": "counts" in arrays,
            "has_near_duplicate_groups": "near_duplicate_groups" in arrays,
            "graph_shape": self._clusters.graph_shape(graph),
        }
        request = self.part.SelectRowsRequest
        yield request(config=self.part.SelectRowsConfig(**(config | choice)))
        for name, array in arrays.items():
            for block in self.tensors.blocks(array):
                yield request(**{name: block})
        for part in self._clusters.graph_blocks(graph):
            yield request(graph=part)
        for block in self.tensors.blocks(vectors):
            yield request(vectors=block)
