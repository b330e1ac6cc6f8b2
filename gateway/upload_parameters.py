"""What an upload's fields ask of the pipeline; pure."""

from collections.abc import Mapping

from pydantic import ValidationError

from gateway.dataset import PipelineParameters
from gateway.errors import UploadRefused
from gateway.pipeline_types import ParameterValue
from gateway.schemas import UploadFields
from level_rpc.errors import FieldInvalid

_NAMED_PARAMETERS = ("eps", "min_samples", "min_cluster_size", "resolution")


def read_fields(fields: Mapping[str, str]) -> UploadFields:
    """Return the fields of a form, read and checked.

    Raises
    ------
    UploadRefused
        When there is a field that no upload has.
    FieldInvalid
        When a value cannot be used.
    """
    known = UploadFields.model_fields
    unknown = [name for name in fields if name not in known]
    if unknown:
        message = f"The form has an unknown field; beside file there are {', '.join(known)}."
        raise UploadRefused(message, unknown_count=len(unknown))
    try:
        return UploadFields.model_validate({k: v for k, v in fields.items() if v.strip()})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = str(first["loc"][0])
        raise FieldInvalid(f"The field {name}: {first['msg']}.", field=name) from None


def to_pipeline_parameters(
    fields: UploadFields, grid_size: int, default_eps: float
) -> PipelineParameters:
    """Return what the pipeline is told; raise FieldInvalid when a parameter comes twice."""
    return PipelineParameters(
        algorithm=fields.algorithm,
        algorithm_parameters=_algorithm_parameters(fields, default_eps),
        random_seed=fields.seed,
        exemplar_count=fields.exemplar_count,
        exemplar_kind=fields.exemplar_kind,
        grid_size=grid_size,
        dataset_description=fields.description.replace("\0", ""),
        language_code=fields.language,
        keywords_only=fields.keywords_only,
        long_texts=fields.long_texts,
    )


def _algorithm_parameters(fields: UploadFields, default_eps: float) -> dict[str, ParameterValue]:
    named: dict[str, ParameterValue] = {
        name: value for name in _NAMED_PARAMETERS if (value := getattr(fields, name)) is not None
    }
    others = fields.parameters or {}
    for name, value in others.items():
        if name in named:
            raise FieldInvalid(f"The parameter {name} is given twice.", field=name)
        _refuse_unsendable(name, value)
    parameters = named | others
    if fields.algorithm == "dbscan" and not fields.auto_eps:
        parameters.setdefault("eps", default_eps)
    return parameters


def _refuse_unsendable(name: str, value: ParameterValue) -> None:
    """Refuse what no message could carry: lone surrogates, NaN, numbers beyond 64 bits."""
    printable = all(text.isprintable() for text in (name, value) if isinstance(text, str))
    in_range = isinstance(value, str) or -(2**63) <= value < 2**63
    if not printable or not in_range:
        message = 'The field "parameters" has a name or value that cannot be used.'
        raise FieldInvalid(message, field="parameters")
