"""Names clusters by the terms that tell them from each other; needs no language model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest

from analyzer_svc.cleaning import clean_line, shorten
from analyzer_svc.clusters import ClusterAnalysis, ClusterTexts, LabelSource
from analyzer_svc.labels import DistinctLabels
from analyzer_svc.stop_words import is_stop_term
from analyzer_svc.tf_idf import weigh_terms
from analyzer_svc.unspaced import join_pieces

KEYWORD_LIMIT = 10
_CANDIDATE_LIMIT = 60
_TERM_CHARACTERS = 40
_LABEL_WORDS = 4
_ENOUGH_WORDS = 3
# Of the rarer word's places, this part must be in the pair for the pair to be a phrase.
_PHRASE_SHARE = 0.3
# A pair takes the place of a word that mostly stands in it.
_COVERING_SHARE = 0.5


def name_clusters(
    clusters: Sequence[ClusterTexts], labels: DistinctLabels
) -> list[ClusterAnalysis]:
    """Return a name for each cluster, in order, with labels distinct over all of them.

    Parameters
    ----------
    clusters : sequence of ClusterTexts
        All clusters of the dataset: which terms tell one depends on the others.
    labels : DistinctLabels
        The labels in use; takes the new ones in.
    """
    weights = weigh_terms([cluster.term_counts for cluster in clusters])
    return [
        _name_cluster(cluster, choose_keywords(cluster.term_counts, cluster_weights), labels)
        for cluster, cluster_weights in zip(clusters, weights, strict=True)
    ]


def choose_keywords(counts: Mapping[str, int], weights: Mapping[str, float]) -> tuple[str, ...]:
    """Return at most 10 terms, strongest first, that share no words with each other.

    Function words are used only where there is nothing else.
    """
    ranked = _rank({term: weights[term] for term in weights if not is_stop_term(term)})
    ranked = join_pieces(ranked or _rank(weights) or _rank(counts), counts)
    chosen: list[str] = []
    for term in _prefer_phrases(ranked, counts):
        if len(chosen) < KEYWORD_LIMIT and not any(_overlap(term, other) for other in chosen):
            chosen.append(term)
    cleaned = dict.fromkeys(clean_line(term) for term in chosen)
    return tuple(term for term in cleaned if term)


def _rank(weights: Mapping[str, float] | Mapping[str, int]) -> list[str]:
    """Return the terms with the highest weights, highest first, equal ones in code point order."""
    best = nsmallest(_CANDIDATE_LIMIT, weights.items(), key=lambda item: (-item[1], item[0]))
    return [term for term, _ in best if len(term) <= _TERM_CHARACTERS]


def _prefer_phrases(ranked: Sequence[str], counts: Mapping[str, int]) -> Iterator[str]:
    """Yield the terms, a word as the pair that it mostly stands in, chance pairs left out."""
    phrases = [term for term in ranked if " " in term and _is_phrase(term, counts)]
    for term in ranked:
        if " " not in term:
            covering = (pair for pair in phrases if term in pair.split(" "))
            best = max(covering, key=lambda pair: counts[pair], default=term)
            yield best if counts.get(best, 0) >= _COVERING_SHARE * counts.get(term, 0) else term
        elif term in phrases:
            yield term


def _is_phrase(pair: str, counts: Mapping[str, int]) -> bool:
    """Return whether the two words belong together rather than happening to meet."""
    rarer = min(counts.get(word, counts[pair]) for word in pair.split(" "))
    return counts[pair] > 1 and counts[pair] >= _PHRASE_SHARE * rarer


def _overlap(term: str, other: str) -> bool:
    """Return whether two terms share a word or forms of one."""
    return any(_akin(word, known) for word in term.split(" ") for known in other.split(" "))


def _akin(word: str, other: str) -> bool:
    """Return whether two words are likely forms of one, as "card" and "cards"."""
    shorter, longer = sorted((word, other), key=len)
    if not longer.isascii():
        return shorter in longer
    return longer.startswith(shorter) and (len(shorter) > 3 or len(longer) <= len(shorter) + 1)


def _name_cluster(
    cluster: ClusterTexts, keywords: tuple[str, ...], labels: DistinctLabels
) -> ClusterAnalysis:
    if not keywords:
        label = labels.claim(cluster.cluster_id, [f"Cluster {cluster.cluster_id}"])
        return ClusterAnalysis(label, "Rows without words to name them.", (), LabelSource.GENERIC)
    label = labels.claim(cluster.cluster_id, _label_candidates(keywords))
    return ClusterAnalysis(label, _describe(keywords), keywords, LabelSource.KEYWORDS)


def _label_candidates(keywords: Sequence[str]) -> Iterator[str]:
    """Yield the strongest keywords that make two to four words, then with one more each time."""
    count = words = 0
    for keyword in keywords:
        words += len(keyword.split())
        if count and words > _LABEL_WORDS:
            break
        count += 1
        if words >= _ENOUGH_WORDS:
            break
    for end in range(count, len(keywords) + 1):
        label = ", ".join(keywords[:end])
        yield label[:1].upper() + label[1:]


def _describe(keywords: Sequence[str]) -> str:
    """Return one sentence that names the five strongest keywords."""
    named = [shorten(keyword, 40) for keyword in keywords[:5]]
    listed = ", ".join(named[:-1]) + " and " + named[-1] if len(named) > 1 else named[0]
    return f"Rows about {listed}."
