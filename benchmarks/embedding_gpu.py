"""Embedding on a GPU: Level's torch backend beside sentence-transformers, on one model.

The model has the shape of Snowflake/snowflake-arctic-embed-l (BERT-large: 24 layers of 1,024, first
token, unit length) and random weights, which compute as fast as trained ones; its tokenizer is
that of MiniLM, of the same vocabulary. The texts are of random words and as long as AG News's: 54
tokens on average. All is warm, in one process; the methods take turns, and a figure is the median
of its rounds. Tokens are those of the texts, special ones included and padding left out.

The model FLOP/s utilisation (MFU) is the share of the device's measured peak that the model's own
multiplications make up: a text of n tokens takes layers * (24 * hidden^2 * n + 4 * hidden * n^2)
operations, an addition and a multiplication each (queries, keys, values and output 8 * hidden^2,
the inner layer of 4 * hidden 16 * hidden^2, scores and their sums 4 * hidden * n). The peak is that
of a large square matrix product, measured in the same run, of the type that the method computes in.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Report, make_parser, median_figure
from benchmarks.running import temporary_folder
from embedder_svc.embedding import embed_texts
from embedder_svc.loading import load_model
from embedder_svc.model import Backend, EmbeddingModel, Precision
from embedder_svc.model_files import read_model_files
from embedder_svc.weights import MINILM_MODEL_ID, find_model

MEAN_TOKENS = 54
LEAST_TOKENS = 8
MOST_TOKENS = 256
DEFAULT_GOAL = 3.0
BFLOAT16_GOAL = 1.5
# sentence-transformers' own, and one that a user would try on a GPU.
LIBRARY_BATCH_SIZE = 32
LARGE_BATCH_SIZE = 256

Method = Callable[[], object]


@dataclass(frozen=True)
class Shape:
    """The size of an encoder."""

    layers: int
    hidden_size: int
    heads: int
    matrix_size: int

    def operations(self, token_counts: np.ndarray) -> float:
        """Return the model's floating-point operations for texts of so many tokens each."""
        counts = token_counts.astype(np.float64)
        linear = 24 * self.hidden_size**2 * counts.sum()
        return float(self.layers * (linear + 4 * self.hidden_size * (counts**2).sum()))


ARCTIC = Shape(layers=24, hidden_size=1024, heads=16, matrix_size=8192)
TINY = Shape(layers=2, hidden_size=64, heads=4, matrix_size=256)


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    options = _read_options(arguments)
    torch = _import_torch(options.cpu)
    report = Report("embedding_gpu", vars(options))
    device = "cpu" if options.cpu else torch.cuda.get_device_name(0)
    print(f"torch {torch.__version__}, {device}; random weights, texts of random words\n")
    shape = TINY if options.tiny else ARCTIC
    with temporary_folder() as folder:
        write_model(folder, shape)
        model = _load(folder)
        texts = make_texts(folder, options.texts)
        counts = np.array([len(text.token_ids) for text in model.tokenise(texts)])
        methods = _methods(folder, model, texts)
        _check_agreement(model, methods)
        seconds = _take_turns(methods, options.rounds, torch)
    _report(report, shape, counts, seconds, _peaks(torch, shape, options.cpu))
    report.finish(options.json)


def write_model(folder: Path, shape: Shape) -> None:
    """Write a BERT encoder of that shape with random weights, as sentence-transformers saves it."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    torch.manual_seed(0)
    minilm = find_model(MINILM_MODEL_ID)
    config = transformers.BertConfig(
        vocab_size=read_model_files(minilm).config["vocab_size"],
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden_size,
    )
    transformers.BertModel(config).save_pretrained(folder / "encoder")
    transformers.AutoTokenizer.from_pretrained(minilm.path).save_pretrained(folder / "encoder")
    encoder = Transformer(str(folder / "encoder"), max_seq_length=512)
    steps = [encoder, Pooling(shape.hidden_size, "cls"), Normalize()]
    SentenceTransformer(modules=steps, device="cpu").save(
        str(folder / "model"), create_model_card=False
    )


def make_texts(folder: Path, count: int) -> list[str]:
    """Return texts of random words, one token each, with the lengths of news."""
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(folder / "model" / "tokenizer.json")).get_vocab()
    words = sorted(word for word in vocabulary if word.isascii() and word.isalpha())
    random = np.random.default_rng(0)
    lengths = random.gamma(9, (MEAN_TOKENS - 2) / 9, count).round().astype(int)
    lengths = lengths.clip(LEAST_TOKENS, MOST_TOKENS)
    return [" ".join(random.choice(words, length)) for length in lengths]


def _read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("--texts", type=int, default=8192, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--cpu", action="store_true", help="without a GPU, to try the benchmark")
    parser.add_argument("--tiny", action="store_true", help="a tiny model, to try the benchmark")
    return parser.parse_args(arguments)


def _import_torch(on_cpu: bool) -> Any:
    try:
        import sentence_transformers  # noqa: F401
        import torch
    except ImportError as error:
        raise SystemExit("This benchmark needs the extra torch: pip install 'level[torch]'.") from (
            error
        )
    if not on_cpu and not torch.cuda.is_available():
        raise SystemExit(
            "torch finds no CUDA device here. Run it where there is one; --cpu --tiny only shows "
            "that the benchmark works."
        )
    return torch


def _load(folder: Path) -> EmbeddingModel:
    return load_model(str(folder / "model"), backend=Backend.TORCH, precision=Precision.BFLOAT16)


def _methods(folder: Path, model: EmbeddingModel, texts: list[str]) -> dict[str, Method]:
    from sentence_transformers import SentenceTransformer

    path = str(folder / "model")
    default = SentenceTransformer(path)
    half = SentenceTransformer(path, model_kwargs={"dtype": "bfloat16"})

    def encode(library: Any, batch_size: int) -> Method:
        # bfloat16 is no type of NumPy: as tensors, both precisions do the same work.
        return lambda: library.encode(
            texts, batch_size=batch_size, convert_to_tensor=True, show_progress_bar=False
        ).float()

    return {
        "Level, bf16": lambda: embed_texts(model, texts, model.info.safe_batch_size).vectors,
        "library, default precision": encode(default, LIBRARY_BATCH_SIZE),
        "library, bf16": encode(half, LIBRARY_BATCH_SIZE),
        f"library, bf16, batch {LARGE_BATCH_SIZE}": encode(half, LARGE_BATCH_SIZE),
    }


def _check_agreement(model: EmbeddingModel, methods: dict[str, Method]) -> None:
    """Warm every method, and stop if they do not embed alike: no figure would mean anything."""
    vectors = [np.asarray(_on_cpu(method())) for method in methods.values()]
    for name, other in zip(methods, vectors, strict=True):
        cosine = float((vectors[0] * other).sum(axis=1).mean())
        if cosine < 0.99:
            raise SystemExit(f"{name} gives other vectors than Level: mean cosine {cosine:.4f}.")


def _on_cpu(vectors: Any) -> Any:
    return vectors.cpu() if hasattr(vectors, "cpu") else vectors


def _take_turns(methods: dict[str, Method], rounds: int, torch: Any) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, method in methods.items():
            began = time.perf_counter()
            method()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def _peaks(torch: Any, shape: Shape, on_cpu: bool) -> dict[str, float]:
    """Return the operations per second of a square matrix product, by type."""
    device = "cpu" if on_cpu else "cuda:0"
    return {
        name: _peak(torch, getattr(torch, name), shape.matrix_size, device)
        for name in ("float32", "bfloat16")
    }


def _peak(torch: Any, dtype: Any, size: int, device: str, repeats: int = 20) -> float:
    left = torch.randn(size, size, device=device, dtype=dtype)
    right = torch.randn(size, size, device=device, dtype=dtype)
    rates = []
    for _ in range(repeats):
        began = time.perf_counter()
        product = left @ right
        # One number cannot be had before the product is there.
        float(product[0, 0])
        rates.append(2 * size**3 / (time.perf_counter() - began))
    return float(np.median(rates))


def _report(
    report: Report,
    shape: Shape,
    counts: np.ndarray,
    seconds: dict[str, list[float]],
    peaks: dict[str, float],
) -> None:
    for dtype, peak in peaks.items():
        report.add(median_figure(f"peak of a matrix product, {dtype}", [peak / 1e12], "TFLOP/s"))
    for name, times in seconds.items():
        peak = peaks["bfloat16" if "bf16" in name else "float32"]
        tokens, operations = float(counts.sum()), shape.operations(counts)
        report.add(
            median_figure(f"{name}: texts", [len(counts) / t for t in times], "1/s"),
            median_figure(f"{name}: tokens", [tokens / t for t in times], "1/s"),
            median_figure(f"{name}: MFU", [100 * operations / t / peak for t in times], "%"),
        )
    ours, *others = seconds
    goals = (DEFAULT_GOAL, BFLOAT16_GOAL, None)
    for other, goal in zip(others, goals, strict=True):
        pairs = zip(seconds[other], seconds[ours], strict=True)
        ratios = [theirs / own for theirs, own in pairs]
        report.add(
            median_figure(f"Level against {other}", ratios, "times", goal, more_is_better=True)
        )


if __name__ == "__main__":
    main()
