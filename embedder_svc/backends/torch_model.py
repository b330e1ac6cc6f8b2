"""Models on sentence-transformers: what runs on a GPU, or cannot run elsewhere."""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

import numpy as np
import sentence_transformers
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer

from embedder_svc.backends.torch_steps import check_steps, own_tokenizer
from embedder_svc.errors import OutOfMemory
from embedder_svc.hardware import instruction_set
from embedder_svc.model import Backend, LoadOptions, ModelInfo, Precision, TokenisedText
from embedder_svc.model_files import ModelFiles, read_model_files
from embedder_svc.tokenising import tokenise
from embedder_svc.weights import ModelFolder

CPU_BATCH_SIZE = 32
GPU_BATCH_SIZE = 1024
CPU_BATCH_TOKEN_COUNT = 4096
GPU_BATCH_TOKEN_COUNT = 16384
"""A few milliseconds of a large model on a large GPU: far above what starting kernels costs."""

GPU_PADDING_SHARE = 1 / 8
"""A GPU waits for Python to start each batch's kernels: fewer, fuller ones are worth padding."""

_GPU_PARALLEL_BATCHES = 2
_DTYPES = {
    Precision.FLOAT32: torch.float32,
    Precision.BFLOAT16: torch.bfloat16,
    Precision.FLOAT16: torch.float16,
}

_MEMORY_WORDS = ("can't allocate memory", "out of memory", "ALLOC_FAILED")

# What a folder that is not a whole model makes the library raise, by what is wrong with it.
_LOAD_ERRORS = (
    AttributeError,
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
    """Any model that sentence-transformers loads from safetensors without code of its own.

    The transformer computes in the chosen precision, pooling and all that follows in fp32. In fp32
    a vector depends on the other texts of its batch by less than 1e-5. In bf16 and fp16 it does by
    that type's rounding, since batches of other shapes get other kernels: with MiniLM in bf16 on a
    CPU, single numbers by up to 0.002 and the cosine of a text's vectors stays above 0.9999.
    Whoever needs more sets fp32.

    On a GPU two threads may encode at once, each on another CUDA stream: while one waits for its
    vectors, the other's batch computes.

    Parameters
    ----------
    folder
        The model's files.
    options
        What can be chosen.

    Raises
    ------
    ModelNotLoaded
        A file is missing or broken, the model needs code that is not part of the library, or the
        device cannot compute in that precision.
    """

    def __init__(self, folder: ModelFolder, options: LoadOptions) -> None:
        files = read_model_files(folder)
        if options.threads > 0:
            torch.set_num_threads(options.threads)
        self._device = "cuda:0" if cuda_is_available() else "cpu"
        precision = _choose_precision(files, options.precision, self._device)
        self._model = _load(files, self._device, precision)
        check_steps(files, self._model.children())
        limit = int(self._model.max_seq_length or files.max_token_count)
        self._max_token_count = min(limit, files.max_token_count)
        self._tokenizer = own_tokenizer(files, self._model.tokenizer, self._max_token_count)
        self._streams = _open_streams(self._device)
        self.info = self._describe(files, precision)

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        """Return the tokens of each text, in order, cut at the model's limit."""
        return tokenise(self._tokenizer, texts)

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
        gc.collect()
        if self._device != "cpu":
            torch.cuda.empty_cache()
        raise OutOfMemory

    def _run(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        features = self._pad(batch)
        if self._device == "cpu":
            result: NDArray[np.float32] = self._forward(features).numpy()
            return result
        stream = self._streams.get()
        try:
            return self._run_on(stream, features)
        finally:
            self._streams.put(stream)

    def _run_on(self, stream: Any, features: dict[str, Any]) -> NDArray[np.float32]:
        with torch.cuda.stream(stream):
            moved = {
                name: values.to(self._device, non_blocking=True)
                for name, values in features.items()
            }
            vectors = self._forward(moved)
            # Only into pinned memory does a copy leave the other stream's batch computing.
            host = torch.empty(vectors.shape, dtype=vectors.dtype, pin_memory=True)
            host.copy_(vectors, non_blocking=True)
            done = torch.cuda.Event(blocking=True)
            done.record()
        done.synchronize()
        result: NDArray[np.float32] = host.numpy().copy()
        return result

    def _forward(self, features: dict[str, Any]) -> Any:
        """Return unit vectors in fp32, on the features' device."""
        with torch.inference_mode():
            for step in self._model.children():
                features = step(features)
                # Sums over many tokens lose more in half precision than the transformer does.
                features = {name: _single_precision(value) for name, value in features.items()}
            return torch.nn.functional.normalize(features["sentence_embedding"], dim=1)

    def _pad(self, batch: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Return the features of a batch in memory that a GPU copies from by itself."""
        tokenizer = self._model.tokenizer
        shape = (len(batch), max(map(len, batch)))
        pinned = self._device != "cpu"
        padding = tokenizer.pad_token_id or 0
        token_ids = torch.full(shape, padding, dtype=torch.int64, pin_memory=pinned)
        mask = torch.zeros(shape, dtype=torch.int64, pin_memory=pinned)
        on_the_left = tokenizer.padding_side == "left"
        for row, ids in enumerate(batch):
            columns = slice(shape[1] - len(ids), None) if on_the_left else slice(len(ids))
            token_ids.numpy()[row, columns] = ids
            mask.numpy()[row, columns] = 1
        features = {"input_ids": token_ids, "attention_mask": mask}
        if "token_type_ids" in tokenizer.model_input_names:
            features["token_type_ids"] = torch.zeros(shape, dtype=torch.int64, pin_memory=pinned)
        return features

    def _describe(self, files: ModelFiles, precision: Precision) -> ModelInfo:
        on_gpu = self._device != "cpu"
        versions = (
            f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}"
        )
        return ModelInfo(
            model_id=files.folder.model_id,
            revision=files.folder.revision,
            fingerprint=files.fingerprint(Backend.TORCH, precision, str(self._max_token_count)),
            dimension_count=_dimension_count(self._model),
            max_token_count=self._max_token_count,
            device=self._device,
            backend=Backend.TORCH,
            precision=precision,
            runtime=versions,
            instruction_set=_cuda_architecture() if on_gpu else instruction_set(),
            safe_batch_size=GPU_BATCH_SIZE if on_gpu else CPU_BATCH_SIZE,
            batch_token_count=GPU_BATCH_TOKEN_COUNT if on_gpu else CPU_BATCH_TOKEN_COUNT,
            query_prefix=files.query_prefix,
            parallel_batch_count=_GPU_PARALLEL_BATCHES if on_gpu else 1,
            document_prefix=files.document_prefix,
            flop_per_token=files.flop_per_token,
            padding_share=GPU_PADDING_SHARE if on_gpu else ModelInfo.padding_share,
        )


def _open_streams(device: str) -> SimpleQueue[Any]:
    """Return the streams that batches take turns on, none on a CPU.

    They are the model's rather than the threads': torch keeps memory for each stream that ever was.
    """
    streams: SimpleQueue[Any] = SimpleQueue()
    if device != "cpu":
        # The weights came on the default stream, which others do not wait for.
        torch.cuda.synchronize(device)
        for _ in range(_GPU_PARALLEL_BATCHES):
            streams.put(torch.cuda.Stream(device))
    return streams


def _choose_precision(files: ModelFiles, wanted: Precision, device: str) -> Precision:
    possible = [Precision.FLOAT32, Precision.BFLOAT16]
    if device != "cpu":
        # Emulated bfloat16 would be slower than either of the others.
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        fastest = [Precision.BFLOAT16] if has_bfloat16 else []
        possible = [*fastest, Precision.FLOAT16, Precision.FLOAT32]
    if wanted is Precision.AUTO:
        return possible[0]
    if wanted not in possible:
        raise files.refuse(
            f"sentence-transformers does not compute in {wanted} on {device}; set "
            f"LEVEL_EMBEDDER_PRECISION to one of {', '.join(possible)}, or auto"
        )
    return wanted


def _load(files: ModelFiles, device: str, precision: Precision) -> SentenceTransformer:
    # Without a wish of ours, transformers takes torch's fused attention (SDPA) where a model can.
    is_half = precision is not Precision.FLOAT32
    if device != "cpu" and is_half and importlib.util.find_spec("flash_attn") is not None:
        try:
            return _open(files, device, precision, attn_implementation="flash_attention_2")
        except (ImportError, ValueError):
            pass  # A model without it, or a build for another torch: what follows runs anyway.
    try:
        return _open(files, device, precision)
    except _LOAD_ERRORS as error:
        if _is_out_of_memory(error):
            raise files.refuse(f"{device} has too little memory; choose a smaller model") from error
        raise files.refuse(
            "sentence-transformers cannot load its files: they are damaged, or need a newer "
            "version of that library, or code of their own, which is never run; fetch them again, "
            "upgrade the extra torch, or choose another model"
        ) from error


def _open(
    files: ModelFiles, device: str, precision: Precision, **options: Any
) -> SentenceTransformer:
    dtype = _DTYPES[precision]
    model = SentenceTransformer(
        str(files.folder.path),
        device=device,
        trust_remote_code=False,
        local_files_only=True,
        model_kwargs={"use_safetensors": True, "dtype": dtype, **options},
    )
    # Where the files ask for shorter vectors, `matryoshka` cuts them.
    model.truncate_dim = None
    for index, step in enumerate(model.children()):
        step.to(dtype if index == 0 else torch.float32)
    return model.eval()


def _dimension_count(model: SentenceTransformer) -> int:
    # Renamed in sentence-transformers 6, where the old name warns.
    measure = getattr(model, "get_embedding_dimension", None)
    return int((measure or model.get_sentence_embedding_dimension)())


def _single_precision(value: Any) -> Any:
    is_float = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.float() if is_float else value


def _cuda_architecture() -> str:
    major, minor = torch.cuda.get_device_capability(0)
    return f"sm_{major}{minor}"


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # Neither a CPU's allocator nor the CUDA libraries have an error of their own, only these words.
    return any(words in str(error) for words in _MEMORY_WORDS)
