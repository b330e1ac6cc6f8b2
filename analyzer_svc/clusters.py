"""What goes into naming a cluster and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from analyzer_svc.errors import ProviderFailure


class LabelSource(StrEnum):
    """Where a label comes from."""

    LLM = "llm"
    KEYWORDS = "keywords"
    GENERIC = "generic"


@dataclass(frozen=True, slots=True)
class ClusterTexts:
    """What a cluster is to be named from.

    Attributes
    ----------
    cluster_id : int
        At least 0, unique over the clusters of one call.
    row_count : int
        How many rows the cluster has in all.
    texts : tuple of str
        Exemplars, most typical first; hostile.
    term_counts : mapping of str to int
        How often each term stands in the cluster's rows; hostile.
    """

    cluster_id: int
    row_count: int
    texts: tuple[str, ...]
    term_counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ClusterAnalysis:
    """What a cluster is about.

    Attributes
    ----------
    label : str
        1 to 80 characters on one line, distinct over the clusters of one call.
    description : str
        One sentence of at most 300 characters.
    keywords : tuple of str
        At most 10 terms that tell the cluster from the others, strongest first.
    label_source : LabelSource
        Where the label comes from.
    """

    label: str
    description: str
    keywords: tuple[str, ...]
    label_source: LabelSource


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """How many tokens were sent to the language model, and how many it answered with."""

    prompt_token_count: int = 0
    answer_token_count: int = 0


NO_USAGE = TokenUsage()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome for one cluster: its analysis, or why the language model gave none."""

    cluster_id: int
    result: ClusterAnalysis | ProviderFailure
    usage: TokenUsage = NO_USAGE
