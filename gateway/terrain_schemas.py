"""Terrains and their weights as models, for the OpenAPI document."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway import schema_examples as examples


class Balance(BaseModel):
    """How level a dataset is at some weights, and what those weights cost."""

    gini: float = Field(
        description="How unequal the clusters' effective sizes are: 0 equal, to 1 - 1/K when one"
        " of K clusters has everything."
    )
    flatness: float = Field(
        description="1 - gini K / (K - 1), 0 to 1: 1 is level, 0 is one hill; 1 when K is 1."
    )
    cluster_count: int = Field(description="K: clusters, those without weight included.")
    effective_clusters: float = Field(
        description="How many clusters of equal size would be as even, 0 to K: the exponential of"
        " the entropy of the effective sizes."
    )
    row_count: int = Field(description="N: rows with a weight above 0, noise included.")
    noise_count: int = Field(
        description="Rows in no cluster, whatever their weight; of a levelling, those it keeps."
    )
    effective_sample_size: float = Field(
        description="How many rows of equal weight say as much as these, 0 to N (Kish)."
    )
    effective_sample_share: float = Field(
        description="effective_sample_size divided by all rows, those of weight 0 too, 0 to 1."
    )
    design_effect: float = Field(
        description="N / effective_sample_size, 1 or more: the factor by which the weights widen"
        " the variance of an estimate."
    )
    max_repeat: float = Field(
        description="The most often any row is repeated, 1 or more: the largest weight divided by"
        " the mean weight."
    )
    dropped_row_count: int = Field(description="Rows of weight 0, or that were not chosen.")
    duplicate_count: int = Field(
        description="Those of them that went because a near-duplicate stayed; 0 unless a levelling"
        " drops near-duplicates."
    )


class Metrics(Balance):
    """The balance at the current weights, or of the levelling they are of, and at weight 1."""

    original: Balance = Field(description="The same figures at weight 1.")


class Exemplar(BaseModel):
    """A typical row of a cluster."""

    row_id: int = Field(ge=0, description="The row's position below the header, from 0.")
    text: str = Field(description="Its text as it came, not escaped: show it as text only.")


class Hill(BaseModel):
    """A cluster as a hill."""

    cluster_id: int = Field(
        ge=0,
        description="Unique over all layers; in a layer they follow each other, largest cluster"
        " first, and in the terrain layer they start at 0.",
    )
    label: str = Field(description="The cluster's name, at most 80 characters.")
    description: str = Field(
        description="What its rows are about, in a sentence; empty when it is not known."
    )
    label_source: Literal["llm", "keywords", "generic"] = Field(
        description="Who named it: a language model, its keywords, or its number."
    )
    parent_id: int = Field(
        description="The cluster it lies in one layer up, the next coarser one; -1 when in none."
    )
    x: float = Field(
        description="Centre: its column of heightData, in grid cells, 0 to gridSize - 1; all layers"
        " stand on one map."
    )
    z: float = Field(description="Centre: its row of heightData, in grid cells, 0 to gridSize - 1.")
    radius: float = Field(
        description="Twice the standard deviation of its rows' positions along an axis, in grid"
        " cells, at least 1."
    )
    height: float = Field(
        description="original_height times weight: 10 is the largest cluster at weight 1."
    )
    original_height: float = Field(
        description="Height at weight 1, 0 to 10, in proportion to size."
    )
    weight: float = Field(
        description="0 or more; 2 is as if each of its rows stood there twice. Where finer clusters"
        " in it have different weights, their mean over its rows."
    )
    size: int = Field(description="Rows, or groups where groups are counted.")
    effective_size: float = Field(description="size times weight.")
    group_count: int | None = Field(
        description="Groups of near-duplicates, each counted in the cluster of its central row; a"
        " row like no other is one. Null for a dataset of an earlier version."
    )
    near_duplicate_share: float | None = Field(
        description="1 - group_count / rows, 0 to 1: the part of its rows that would go if the"
        " central row of each group stayed. Null as group_count is."
    )
    spread: float = Field(description="Mean cosine distance of its rows to their centre, 0 to 1.")
    color: str = Field(description="#rrggbb; depends on the cluster_id alone.")
    keywords: list[str] = Field(
        description="The terms that tell it from the others, strongest first, at most 10."
    )
    exemplars: list[Exemplar] = Field(
        description="Rows that stand for it, as exemplar_kind asked; the most central one first."
    )
    stability: float | None = Field(
        description="How well it survives other seeds and samples of the rows, 0 to 1: at 1 the"
        " same rows come together each time. Null where it was not measured."
    )


class Noise(BaseModel):
    """The rows in no cluster."""

    count: int = Field(description="Rows, or groups where groups are counted.")
    share: float = Field(description="count divided by all there are, 0 to 1.")
    weight: float = Field(description="0 to 1000000, as of a hill; 1 at first.")
    effective_size: float = Field(description="count times weight.")
    reason: str = Field(
        description="Which rows these are and why, in a sentence; empty where it is not known."
    )
    sparse_count: int | None = Field(
        description="Those of them that lie in sparse regions; null where it is not known."
    )
    small_cluster_count: int | None = Field(
        description="Those of them that lay in clusters smaller than the smallest allowed; null"
        " where it is not known."
    )


class LayerSummary(BaseModel):
    """One of the layers, from fine to coarse, that the same rows can be seen in."""

    layer_index: int = Field(ge=0, description="From 0, the finest; what ?layer= takes.")
    first_cluster_id: int = Field(
        ge=0, description="Its lowest cluster_id; the others follow without gaps."
    )
    cluster_count: int = Field(ge=0, description="How many clusters, and so hills, it has.")
    is_terrain_layer: bool = Field(
        description="Whether it is the one that is shown and exported unless another is asked for,"
        " and that an LLM names; layer_reason in the status says why it is."
    )


class LayoutQuality(BaseModel):
    """How well places on the ground show what is alike."""

    own_hill_fraction: float | None = Field(
        description="Share of rows in clusters whose nearest hill centre is their own cluster's, 0"
        " to 1, in the terrain layer; null where it was not measured."
    )
    neighbor_preservation: float | None = Field(
        description="Share of the rows most alike to a row that are among the nearest to it on the"
        " ground, 0 to 1, on a sample; null where it was not measured."
    )


class TerrainView(BaseModel):
    """A terrain at the current weights."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.TERRAIN]})

    hills: list[Hill] = Field(description="One for each cluster, by cluster_id.")
    heightData: list[list[float]] = Field(
        description="Height of the ground at [z][x], gridSize rows of gridSize cells; 0 to 10 at"
        " the original weights, on a scale that is fixed from then on."
    )
    gridSize: int = Field(description="Cells along each side of the ground, 2 to 2048.")
    metrics: Metrics = Field(description="How level the dataset is, and what that costs.")
    noise: Noise = Field(description="How many rows are in no cluster, why, and their weight.")
    count: Literal["rows", "groups"] = Field(
        description="What sizes, heights and figures count: rows, or groups of near-duplicates."
    )
    layer: int = Field(ge=0, description="The layer_index of the layer whose clusters these are.")
    layers: list[LayerSummary] = Field(description="Every layer there is, finest first.")
    layout: LayoutQuality = Field(description="How far the places of hills can be relied on.")
    revision: int = Field(
        ge=0, description="Of the weights; 0 is the original; the ETag begins with it."
    )


class Adjustments(BaseModel):
    """Absolute weights by cluster id; clusters not named keep theirs."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.ADJUSTMENTS]}
    )

    adjustments: dict[str, Annotated[float, Field(ge=0, le=1e6)]] = Field(
        description="New weight, 0 to 1000000, by cluster_id as a string, of noise as -1; at least"
        " one. Clusters of any layer, but none that lies in another one named."
    )


class Adjusted(BaseModel):
    """What an adjustment led to."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ADJUSTED]})

    metrics: Metrics = Field(description="How level the dataset is now, and what that costs.")
    weights: dict[str, float] = Field(
        description="Of every cluster of the layer by its cluster_id, and of noise as -1."
    )
    revision: int = Field(ge=0, description="Of the weights; each adjustment raises it.")
