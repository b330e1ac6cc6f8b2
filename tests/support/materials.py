"""Datasets as arrays, small ones by hand and drawn ones for properties."""

import numpy as np
from hypothesis import strategies as st

from levelling.plans.material import Material
from levelling.request import (
    BudgetUnit,
    DuplicateKind,
    DuplicatePolicy,
    KeepStrategy,
    LevelRequest,
    Mode,
    NoiseKind,
    NoisePolicy,
    SamplingStrategy,
)
from levelling.targets import Target, TargetKind


def material_of(sizes, noise=0, **arrays) -> Material:
    """Return clusters 0, 1, ... of these sizes, then noise, in one layer."""
    labels = np.repeat([*range(len(sizes)), -1], [*sizes, noise]).astype(np.int32)
    return Material((labels,), **arrays)


@st.composite
def materials(draw) -> Material:
    """Draw up to 6 clusters of up to 40 rows in a coarser layer of pairs, noise, and all arrays."""
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=6))
    noise = draw(st.integers(0, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    fine = rng.permutation(np.repeat([*range(len(sizes)), -1], [*sizes, noise])).astype(np.int32)
    coarse = np.where(fine < 0, -1, 100 + fine // 2).astype(np.int32)
    rows = np.arange(fine.size)
    groups = rows - rows % draw(st.integers(1, 4))
    groups = np.where(rng.random(fine.size) < 0.5, groups, rows)
    groups = groups[groups]
    return Material(
        labels=(fine, coarse),
        terrain_layer=draw(st.integers(0, 1)),
        nearest=np.where(fine < 0, rng.integers(0, len(sizes), fine.size), fine).astype(np.int32),
        centroid_distances=rng.random(fine.size).astype(np.float32),
        near_dup_groups=groups.astype(np.int32),
        row_tokens=rng.integers(1, 60, fine.size),
        row_lengths=rng.integers(0, 200, fine.size),
    )


open_targets = st.one_of(
    st.just(Target()),
    st.just(Target(TargetKind.UNIFORM)),
    st.builds(Target, st.just(TargetKind.FLATNESS), st.floats(0, 1)),
    st.builds(Target, st.just(TargetKind.GINI), st.floats(0, 1)),
    st.builds(Target, st.just(TargetKind.TEMPERED), st.floats(0, 1)),
)

noise_policies = st.one_of(
    st.just(NoisePolicy()),
    st.just(NoisePolicy(NoiseKind.DROP)),
    st.builds(NoisePolicy, st.just(NoiseKind.CAP), st.floats(0, 1)),
    st.builds(NoisePolicy, st.just(NoiseKind.ASSIGN), st.none(), st.none() | st.floats(0, 1)),
)

duplicate_policies = st.builds(
    DuplicatePolicy, st.sampled_from(DuplicateKind), keep=st.sampled_from(KeepStrategy)
)

weight_requests = st.builds(
    LevelRequest,
    target=open_targets,
    mode=st.none() | st.just(Mode.WEIGHTS),
    max_repeat=st.none() | st.floats(1, 10),
    layer=st.none() | st.integers(0, 1),
    noise=noise_policies,
    duplicates=duplicate_policies,
    seed=st.integers(0, 2**40),
)

row_requests = st.builds(
    LevelRequest,
    target=open_targets,
    mode=st.just(Mode.ROWS),
    budget=st.none() | st.integers(1, 500),
    budget_unit=st.just(BudgetUnit.ROWS),
    max_repeat=st.none() | st.floats(1, 5),
    floor=st.none() | st.floats(0, 20),
    ceiling=st.none() | st.floats(20, 60),
    layer=st.none() | st.integers(0, 1),
    noise=noise_policies,
    duplicates=duplicate_policies,
    sampling=st.sampled_from(SamplingStrategy),
    seed=st.integers(0, 2**40),
)
