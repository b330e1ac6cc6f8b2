"""Texts to token ids by the tokenizers library, the same for every library that runs models."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

from embedder_svc.model import TokenisedText
from embedder_svc.model_files import ModelFiles


def read_tokenizer(files: ModelFiles) -> Tokenizer:
    """Return the model's tokenizer, without padding and truncation.

    Raises
    ------
    ModelNotLoaded
        The file is missing or broken.
    """
    try:
        tokenizer = Tokenizer.from_file(str(files.tokenizer_path))
    # The library raises plain Exception for a file that it cannot read.
    except Exception as error:
        problem = f"{files.tokenizer_path} is missing or broken; fetch the file again"
        raise files.refuse(problem) from error
    # The file's own were left there by its last user.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def tokenise(tokenizer: Tokenizer, texts: Sequence[str]) -> list[TokenisedText]:
    """Return the tokens of each text, in order, cut where the tokenizer is set to.

    A text without any token, as an empty one is where none are added, is an unknown token.
    """
    nothing = [unknown_id(tokenizer)]
    return [
        TokenisedText(code.ids or nothing, tuple(piece.ids for piece in code.overflowing))
        for code in tokenizer.encode_batch_fast(list(texts))
    ]


def unknown_id(tokenizer: Tokenizer) -> int:
    """Return the number of the unknown token, of padding where there is none, else 0."""
    names = (getattr(tokenizer.model, "unk_token", None), "<unk>", "[UNK]", "<pad>", "[PAD]")
    ids = (tokenizer.token_to_id(name) for name in names if name)
    return next((token_id for token_id in ids if token_id is not None), 0)
