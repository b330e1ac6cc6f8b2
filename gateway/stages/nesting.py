"""Whether layers of clusters lie in each other as weights and names rely on; pure."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gateway.pipeline_types import Layer
from level_rpc.errors import Internal
from levelling import NOISE_ID


def check_layers(layers: Sequence[Layer]) -> None:
    """Raise Internal unless the layers are nested, finest first, and one is the terrain's.

    Checked are the ids (unique over all layers, without gaps in one, the terrain's from 0), the
    parents, and that each row's cluster lies in its cluster one layer up.
    """
    if [layer.layer_index for layer in layers] != list(range(len(layers))):
        raise _refused("not finest first")
    if sum(layer.is_terrain_layer for layer in layers) != 1:
        raise _refused("without exactly one for the terrain")
    _check_ids(layers)
    for fine, coarse in pairwise(layers):
        _check_parents(fine, coarse)
    if any(one.parent_id != NOISE_ID for one in layers[-1].clusters):
        raise _refused("whose coarsest has parents")


def _check_ids(layers: Sequence[Layer]) -> None:
    seen: set[int] = set()
    for layer in layers:
        ids = [one.cluster_id for one in layer.clusters]
        first = 0 if layer.is_terrain_layer else (ids[0] if ids else 0)
        if ids != list(range(first, first + len(ids))) or not seen.isdisjoint(ids) or first < 0:
            raise _refused("with wrong cluster ids")
        seen.update(ids)
        labels = layer.labels[layer.labels != NOISE_ID]
        if labels.size and not first <= labels.min() <= labels.max() < first + len(ids):
            raise _refused("with labels that are no cluster of theirs")


def _check_parents(fine: Layer, coarse: Layer) -> None:
    parent_ids = np.array([one.parent_id for one in fine.clusters] + [NOISE_ID], np.int32)
    known = {one.cluster_id for one in coarse.clusters}
    if not known.issuperset(parent_ids[:-1].tolist()):
        raise _refused("with unknown parents")
    first = fine.clusters[0].cluster_id if fine.clusters else 0
    slots = np.where(fine.labels == NOISE_ID, -1, fine.labels - first)
    if not np.array_equal(parent_ids[slots], coarse.labels):
        raise _refused("that are not nested")


def _refused(what: str) -> Internal:
    return Internal(f"The cluster service answered layers {what}.")
