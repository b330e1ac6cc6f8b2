"""Reads what a levelling is asked with, and turns it into what `levelling` is given; pure."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.json_bodies import parse_json, shown
from gateway.layers import LayerClusters
from gateway.level_schemas import LevelQuestion
from level_rpc.errors import FieldInvalid
from levelling import NOISE_ID
from levelling.request import DuplicatePolicy, LevelRequest, NoisePolicy
from levelling.targets import Target

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}|-?\d{1,19}")
_COMPOSED = {"target", "noise", "duplicates", "layer", "pinned", "floors", "ceilings"}
_MESSAGES = {
    "extra_forbidden": "there is no such field",
    "model_type": "it must be an object",
    "dict_type": "it must be an object",
}
Model = TypeVar("Model", bound=BaseModel)


def read_body(body: bytes, model: type[Model]) -> Model:
    """Return a body as a model; an empty one is an empty object.

    Raises
    ------
    RequestRefused
        400 when it is not JSON or has a key twice.
    FieldInvalid
        When a value cannot be used; it names the first such field.
    """
    value = parse_json(body) if body.strip() else {}
    if not isinstance(value, dict):
        raise FieldInvalid("Send a JSON object.", field="body")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(_plain(part) for part in first["loc"])
        message = _MESSAGES.get(first["type"], first["msg"])
        raise FieldInvalid(f"The field {field}: {message}.", field=field) from None


def to_level_request(question: LevelQuestion, layer: LayerClusters) -> LevelRequest:
    """Return what is asked, its clusters checked against those of the layer that is levelled.

    Raises
    ------
    FieldInvalid
        When a cluster is named that this layer has not.
    InvalidTarget
        When fields contradict each other.
    """
    fields = dict(question)
    known = {str(cluster): cluster for cluster in layer.cluster_ids.tolist()}
    target = question.target
    shares = _by_id(target.shares, known, "target.shares")
    return LevelRequest(
        **{
            **{name: fields[name] for name in _plain_fields()},
            "pinned": _by_id(question.pinned, {**known, str(NOISE_ID): NOISE_ID}, "pinned"),
            **{name: _by_id(fields[name], known, name) for name in ("floors", "ceilings")},
            "layer": layer.layer_index,
            "target": Target(target.kind, target.value, shares),
            "noise": NoisePolicy(**dict(question.noise)),
            "duplicates": DuplicatePolicy(**dict(question.duplicates)),
        }
    )


def to_json(question: LevelQuestion) -> dict[str, Any]:
    """Return a question as JSON values, defaults included: as it is stored, and can be sent."""
    return question.model_dump(mode="json", include=set(LevelQuestion.model_fields))


def _plain_fields() -> list[str]:
    return [name for name in LevelQuestion.model_fields if name not in _COMPOSED]


def _by_id(values: Mapping[str, float], known: Mapping[str, int], field: str) -> dict[int, float]:
    unknown = next((key for key in values if key not in known), None)
    if unknown is not None:
        message = f"The layer that is levelled has no cluster {shown(unknown)}."
        raise FieldInvalid(message, field=f"{field}.{_plain(unknown)}")
    return {known[key]: value for key, value in values.items()}


def _plain(part: object) -> str:
    """Return a part of a field's name as it is if that is harmless, else quoted and cut."""
    name = str(part)
    return name if _PLAIN_NAME.fullmatch(name) else shown(name)
