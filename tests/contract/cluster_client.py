"""Calls ClusterService by hand, with vectors whose clusters are known."""

from types import SimpleNamespace

import numpy as np

from tests.contract.stranger import converse

ROWS, DIMENSIONS, GROUPS = 300, 16, 4
VALUES = {bool: "bool_value", int: "int_value", float: "float_value", str: "string_value"}


def grouped_vectors() -> np.ndarray:
    """Return four tight groups of unlike sizes, some rows twice, as unit vectors."""
    random = np.random.default_rng(7)
    centres = random.normal(size=(GROUPS, DIMENSIONS))
    sizes = [150, 80, 50, 20]
    vectors = np.repeat(centres, sizes, axis=0) + 0.1 * random.normal(size=(ROWS, DIMENSIONS))
    vectors[10:20] = vectors[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[random.permutation(ROWS)].astype("<f4")


VECTORS = grouped_vectors()


class ClusterClient:
    """Sends and reads Cluster, LayOut and Assign by hand."""

    def __init__(self, service, part, tensors):
        self.service, self.part, self.tensors = service, part, tensors

    def parameters(self, **values):
        return [
            self.part.Parameter(name=name, **{VALUES[type(value)]: value})
            for name, value in values.items()
        ]

    def config(self, row_count=ROWS, dimension_count=DIMENSIONS, parameters=(), **fields):
        config = self.part.ClusterConfig(
            row_count=row_count,
            dimension_count=dimension_count,
            parameters=self.parameters(**dict(parameters)),
            **fields,
        )
        return self.part.ClusterRequest(config=config)

    def rows(self, vectors, first_row_index=0):
        return self.part.ClusterRequest(vectors=self.tensors.block(vectors, first_row_index))

    def graph_blocks(self, graph):
        for name in ("row_nodes", "indices", "distances"):
            for block in self.tensors.blocks(getattr(graph, name)):
                yield self.part.GraphBlock(**{name: block})

    def graph_shape(self, graph):
        node_count, neighbor_count = graph.indices.shape
        return self.part.GraphShape(
            row_count=len(graph.row_nodes), node_count=node_count, neighbor_count=neighbor_count
        )

    def cluster(self, vectors=VECTORS, graph=None, **fields):
        """Return a whole answer, taken apart."""
        if graph is not None:
            fields["graph_shape"] = self.graph_shape(graph)
        requests = [self.config(*vectors.shape, **fields)]
        requests += [self.rows(vectors[:100]), self.rows(vectors[100:], 100)]
        if graph is not None:
            requests += [self.part.ClusterRequest(graph=one) for one in self.graph_blocks(graph)]
        return self.read(converse(self.service.Cluster, requests))

    def read(self, answers):
        said = [answer.WhichOneof("payload") for answer in answers]
        by_kind = {
            kind: [getattr(answer, kind) for answer in answers if answer.HasField(kind)]
            for kind in set(said)
        }
        layers = self.read_layers(answers)
        terrain = next(one for one in layers if one.layer.is_terrain_layer)
        marks = by_kind.get("landmarks", [])
        return SimpleNamespace(
            said=said,
            progress=by_kind.get("progress", []),
            graph=self.read_graph(by_kind) if "graph" in by_kind else None,
            outcome=by_kind["outcome"][0],
            layers=layers,
            **vars(terrain),
            landmarks=self.tensors.join(one.row_ids for one in marks),
            reaches=self.tensors.join(one.reaches for one in marks),
        )

    def read_layers(self, answers):
        layers = []
        for answer in answers:
            match answer.WhichOneof("payload"):
                case "layer":
                    layers.append(SimpleNamespace(layer=answer.layer, clusters=[], rows=[]))
                case "cluster":
                    layers[-1].clusters.append(answer.cluster)
                case "rows":
                    layers[-1].rows.append(answer.rows)
        for one in layers:
            for name in ("labels", "nearest", "strengths"):
                setattr(one, name, self.tensors.join(getattr(row, name) for row in one.rows))
        return layers

    def read_graph(self, by_kind):
        arrays = {
            name: self.tensors.join(
                getattr(block, name) for block in by_kind["graph"] if block.HasField(name)
            )
            for name in ("row_nodes", "indices", "distances")
        }
        shape = by_kind["graph_shape"][0]
        assert arrays["row_nodes"].shape == (shape.row_count,)
        assert arrays["indices"].shape == (shape.node_count, shape.neighbor_count)
        return SimpleNamespace(**arrays)

    def lay_out(self, graph, seed=0, wants_drafts=False, **arrays):
        """Return every frame, progress and quality; arrays are start_positions and so on."""
        has = {
            "start_positions": "has_start_positions",
            "labels": "has_labels",
            "fixed_rows": "has_fixed_rows",
        }
        config = self.part.LayOutConfig(
            graph_shape=self.graph_shape(graph),
            random_seed=seed,
            wants_drafts=wants_drafts,
            **{has[name]: True for name in arrays},
        )
        requests = [self.part.LayOutRequest(config=config)]
        requests += [self.part.LayOutRequest(graph=one) for one in self.graph_blocks(graph)]
        for name in has.keys() & arrays.keys():
            block = self.tensors.block(arrays[name])
            requests.append(self.part.LayOutRequest(**{name: block}))
        return self.read_layout(converse(self.service.LayOut, requests))

    def read_layout(self, answers):
        frames, blocks = [], []
        for answer in answers:
            if answer.HasField("frame"):
                frames.append(answer.frame)
                blocks.append([])
            elif answer.HasField("positions"):
                blocks[-1].append(answer.positions)
        assert [one.frame_index for one in frames] == list(range(len(frames)))
        assert [one.is_final for one in frames] == [False] * (len(frames) - 1) + [True]
        assert answers[-1].HasField("quality")
        return SimpleNamespace(
            frames=[self.tensors.join(one) for one in blocks],
            positions=self.tensors.join(blocks[-1]),
            progress=[answer.progress for answer in answers if answer.HasField("progress")],
            quality=answers[-1].quality,
        )

    def assign(self, model, vectors):
        """Return what new rows get; the model is arrays by the names of ModelBlock."""
        config = self.part.AssignConfig(
            row_count=len(vectors),
            dimension_count=vectors.shape[1],
            landmark_count=len(model["labels"]),
            has_positions="positions" in model,
        )
        requests = [self.part.AssignRequest(config=config)]
        for name in ("vectors", "labels", "reaches", "positions"):
            for block in self.tensors.blocks(model[name]) if name in model else ():
                part = self.part.ModelBlock(**{name: block})
                requests.append(self.part.AssignRequest(model=part))
        for block in self.tensors.blocks(vectors):
            requests.append(self.part.AssignRequest(vectors=block))
        answers = converse(self.service.Assign, requests)
        rows = [answer.rows for answer in answers if answer.HasField("rows")]
        names = ["labels", "nearest", "strengths", *(["positions"] if "positions" in model else [])]
        assert all(row.HasField("positions") == ("positions" in model) for row in rows)
        joined = {name: self.tensors.join(getattr(row, name) for row in rows) for name in names}
        return SimpleNamespace(said=[one.WhichOneof("payload") for one in answers], **joined)
