"""What a sentence-transformers model must be made of for this package to run it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer

from embedder_svc.model_files import ModelFiles

# They choose between models by whether a text is a query; tokens alone do not say.
_ROUTERS = ("Router", "Asym")


def check_steps(files: ModelFiles, steps: Iterable[Any]) -> None:
    """Raise where a vector depends on more than the tokens.

    Parameters
    ----------
    files
        The model's files.
    steps
        The modules that its texts go through.

    Raises
    ------
    ModelNotLoaded
        Names what is not supported.
    """
    if any(name in _ROUTERS for name in files.module_names):
        raise files.refuse(
            "it sends queries and documents through different models, which is not supported; "
            "choose another model"
        )
    leaves_out = any(not getattr(step, "include_prompt", True) for step in steps)
    if leaves_out and (files.query_prefix or files.document_prefix):
        raise files.refuse(
            "its pooling leaves the prompt out, which is not supported; choose another model"
        )


def own_tokenizer(files: ModelFiles, tokenizer: Any, max_token_count: int) -> Tokenizer:
    """Return a copy of the model's tokenizer that nobody changes while it runs in other threads.

    Parameters
    ----------
    files
        The model's files.
    tokenizer
        The tokenizer that sentence-transformers has made of them.
    max_token_count
        Where texts are cut.

    Raises
    ------
    ModelNotLoaded
        It is not one of the tokenizers library.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise files.refuse(
            "its tokenizer is not one of the tokenizers library; convert it to a tokenizer.json, "
            "or choose another model"
        )
    own = Tokenizer.from_str(backend.to_str())
    own.no_padding()
    own.enable_truncation(max_token_count, direction=tokenizer.truncation_side)
    return own
