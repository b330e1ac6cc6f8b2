"""Whether levelling a dataset helps a model: measured, with labels, or told by proxies.

``prove`` is the entry; ``docs/outcome.md`` explains what it measures and how to read it.
"""

from levelling.proof.intervals import Comparison
from levelling.proof.levellers import tempered_weights, weight_leveller
from levelling.proof.models import DEFAULT_MODEL, MODELS, Model
from levelling.proof.plan_leveller import plan_leveller
from levelling.proof.proving import prove
from levelling.proof.result import Proof
from levelling.proof.split import HOLD_OUT_DISTANCE
from levelling.proof.values import Leveller, ProofData, ProofOptions, TrainingSet
from levelling.proof.verdict import Verdict, VerdictKind

__all__ = [
    "DEFAULT_MODEL",
    "HOLD_OUT_DISTANCE",
    "MODELS",
    "Comparison",
    "Leveller",
    "Model",
    "Proof",
    "ProofData",
    "ProofOptions",
    "TrainingSet",
    "Verdict",
    "VerdictKind",
    "plan_leveller",
    "prove",
    "tempered_weights",
    "weight_leveller",
]
