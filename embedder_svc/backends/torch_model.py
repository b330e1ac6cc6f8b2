"""Models on sentence-transformers: what runs on a GPU, or cannot run elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import sentence_transformers
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer

from embedder_svc.errors import OutOfMemory
from embedder_svc.hardware import instruction_set
from embedder_svc.model import Backend, LoadOptions, ModelInfo, Precision, TokenisedText
from embedder_svc.model_files import ModelFiles, read_model_files
from embedder_svc.weights import ModelFolder

CPU_BATCH_SIZE = 32
GPU_BATCH_SIZE = 64
CPU_BATCH_TOKEN_COUNT = 4096

# What a folder that is not a whole model makes the library raise, by what is wrong with it.
_LOAD_ERRORS = (
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
)


def cuda_is_available() -> bool:
    """Return True where torch finds a CUDA device."""
    return bool(torch.cuda.is_available())


class SentenceTransformersModel:
    """Any model that sentence-transformers loads from safetensors without code of its own, in fp32.

    Parameters
    ----------
    folder
        The model's files.
    options
        What can be chosen.

    Raises
    ------
    ModelNotLoaded
        A file is missing or broken, or the model needs code that is not part of the library.
    """

    def __init__(self, folder: ModelFolder, options: LoadOptions) -> None:
        files = read_model_files(folder)
        if options.threads > 0:
            torch.set_num_threads(options.threads)
        self._device = "cuda:0" if cuda_is_available() else "cpu"
        self._model = _load(files, self._device)
        self._max_token_count = int(self._model.max_seq_length or files.max_token_count)
        self.info = self._describe(files)

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        """Return the tokens of each text, in order, cut at the model's limit."""
        encoded = self._model.tokenizer(
            list(texts),
            truncation=True,
            max_length=self._max_token_count,
            return_overflowing_tokens=True,
        )
        # A text of several pieces is several rows here, and the first of them is what is kept.
        sources = np.asarray(encoded["overflow_to_sample_mapping"])
        _, firsts = np.unique(sources, return_index=True)
        bounds = [*firsts.tolist(), len(sources)]
        return [
            TokenisedText(
                encoded["input_ids"][start], tuple(encoded["input_ids"][start + 1 : stop])
            )
            for start, stop in pairwise(bounds)
        ]

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the unit vectors of token ids, float32 of shape (len(batch), dimension_count).

        Raises
        ------
        OutOfMemory
            The device has no room for this batch.
        """
        try:
            return self._run(batch)
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
        # Only past the handler are the failed batch's tensors gone, and their memory to be had.
        if self._device != "cpu":
            torch.cuda.empty_cache()
        raise OutOfMemory

    def _run(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        padded = self._model.tokenizer.pad(
            {"input_ids": [list(token_ids) for token_ids in batch]}, return_tensors="pt"
        )
        features = {name: values.to(self._device) for name, values in padded.items()}
        with torch.inference_mode():
            vectors = self._model(features)["sentence_embedding"].float()
            unit_vectors = torch.nn.functional.normalize(vectors, dim=1)
        result: NDArray[np.float32] = unit_vectors.cpu().numpy()
        return result

    def _describe(self, files: ModelFiles) -> ModelInfo:
        on_gpu = self._device != "cpu"
        versions = (
            f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}"
        )
        return ModelInfo(
            model_id=files.folder.model_id,
            revision=files.folder.revision,
            fingerprint=files.fingerprint(Backend.TORCH, "float32", str(self._max_token_count)),
            dimension_count=_dimension_count(self._model),
            max_token_count=self._max_token_count,
            device=self._device,
            backend=Backend.TORCH,
            precision=Precision.FLOAT32,
            runtime=versions,
            instruction_set=_cuda_architecture() if on_gpu else instruction_set(),
            safe_batch_size=GPU_BATCH_SIZE if on_gpu else CPU_BATCH_SIZE,
            batch_token_count=0 if on_gpu else CPU_BATCH_TOKEN_COUNT,
            query_prefix=files.query_prefix,
        )


def _load(files: ModelFiles, device: str) -> SentenceTransformer:
    try:
        model = SentenceTransformer(
            str(files.folder.path),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
        return model.float().eval()
    except _LOAD_ERRORS as error:
        if _is_out_of_memory(error):
            raise files.refuse(f"{device} has too little memory; choose a smaller model") from error
        raise files.refuse(
            "sentence-transformers cannot load its files: they are damaged, or need a newer "
            "version of that library, or code of their own, which is never run; fetch them again, "
            "upgrade the extra torch, or choose another model"
        ) from error


def _dimension_count(model: SentenceTransformer) -> int:
    # Renamed in sentence-transformers 6, where the old name warns.
    measure = getattr(model, "get_embedding_dimension", None)
    return int((measure or model.get_sentence_embedding_dimension)())


def _cuda_architecture() -> str:
    major, minor = torch.cuda.get_device_capability(0)
    return f"sm_{major}{minor}"


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # torch has no error of its own for the memory of a CPU, only these words.
    return "can't allocate memory" in str(error)
