"""Algorithms and their parameters as messages, and parameters back."""

from __future__ import annotations

from collections.abc import Mapping

from cluster_svc.algorithms.specification import Algorithm, ParameterSpec, ParameterType, Value
from level_rpc.errors import FieldInvalid
from levelapi.cluster.v1 import cluster_service_pb2 as messages

_TYPES = {type_: getattr(messages, f"PARAMETER_TYPE_{type_.name}") for type_ in ParameterType}


def decode_parameters(
    config: messages.ClusterConfig | messages.CheckParametersRequest,
) -> dict[str, Value]:
    """Return the parameters by name; raise FieldInvalid for one without a value or given twice."""
    values: dict[str, Value] = {}
    for parameter in config.parameters:
        kind = parameter.WhichOneof("value")
        if kind is None or parameter.name in values:
            what = "has no value" if kind is None else "comes twice"
            raise FieldInvalid(f"parameter '{parameter.name}' {what}", field="config.parameters")
        values[parameter.name] = getattr(parameter, kind)
    return values


def parameter_messages(values: Mapping[str, Value | None]) -> list[messages.Parameter]:
    """Return named values as messages; None leaves a value unset."""
    return [_parameter(name, value) for name, value in values.items()]


def algorithm_message(algorithm: Algorithm) -> messages.Algorithm:
    """Return an algorithm of the registry."""
    presets = (
        messages.Preset(
            name=preset.name,
            description=preset.description,
            parameters=parameter_messages(preset.parameters),
        )
        for preset in algorithm.presets
    )
    return messages.Algorithm(
        name=algorithm.name,
        description=algorithm.description,
        parameters=map(_specification, algorithm.parameters),
        presets=presets,
    )


def _parameter(name: str, value: Value | None) -> messages.Parameter:
    match value:
        case None:
            return messages.Parameter(name=name)
        case bool():
            return messages.Parameter(name=name, bool_value=value)
        case int():
            return messages.Parameter(name=name, int_value=value)
        case float():
            return messages.Parameter(name=name, float_value=value)
        case str():
            return messages.Parameter(name=name, string_value=value)


def _specification(spec: ParameterSpec) -> messages.ParameterSpec:
    return messages.ParameterSpec(
        name=spec.name,
        description=spec.description,
        type=_TYPES[spec.type],
        minimum=spec.minimum,
        maximum=spec.maximum,
        choices=spec.choices,
        default_value=_parameter(spec.name, spec.default),
    )
