"""The fastest matrix products that this machine does, which embedding is held against."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

# Rows, inner and columns: those of all-MiniLM-L6-v2 at some batch sizes, and what is large.
SHAPES = (
    (256, 384, 1536),
    (1024, 384, 1536),
    (1024, 1536, 384),
    (1024, 384, 384),
    (2048, 2048, 2048),
)
ATTEMPTS = 7
ATTEMPT_SECONDS = 0.1
_OPSET = 17


def float32_peak(threads: int) -> float:
    """Return the most operations a second in fp32, by NumPy's BLAS or ONNX Runtime's MatMul."""
    products = [_numpy_product(*shape) for shape in SHAPES]
    by_numpy = max(_rate(product, 1, flop) for product, flop in products)
    return max(by_numpy, _ort_peak("MatMul", np.float32, np.float32, threads))


def int8_peak(threads: int) -> float:
    """Return the most operations a second of unsigned by signed 8 bits, by MatMulInteger."""
    return _ort_peak("MatMulInteger", np.uint8, np.int8, threads)


Product = Callable[[], object]


def _numpy_product(rows: int, inner: int, columns: int) -> tuple[Product, float]:
    chance = np.random.default_rng(0)
    left = chance.standard_normal((rows, inner), np.float32)
    right = chance.standard_normal((inner, columns), np.float32)
    out = np.empty((rows, columns), np.float32)
    return lambda: np.matmul(left, right, out=out), 2.0 * rows * inner * columns


def _ort_peak(operator: str, left: Any, right: Any, threads: int) -> float:
    products = _ort_products(operator, left, right)
    return max(_rate(product, threads, flop) for product, flop in products)


def _ort_products(operator: str, left: Any, right: Any) -> Iterator[tuple[Product, float]]:
    """Yield products of one thread each, by weights that the session has packed beforehand."""
    chance = np.random.default_rng(0)
    for rows, inner, columns in SHAPES:
        weights = (chance.standard_normal((inner, columns)) * 20).astype(right)
        data = np.abs(chance.standard_normal((rows, inner)) * 20).astype(left)
        session = _session(operator, weights, data)
        yield partial(session.run, None, {"x": data}), 2.0 * rows * weights.size


def _session(operator: str, weights: Any, data: Any) -> onnxruntime.InferenceSession:
    out = TensorProto.FLOAT if weights.dtype == np.float32 else TensorProto.INT32
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(data.dtype), None)],
        [helper.make_tensor_value_info("y", out, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _rate(product: Product, threads: int, flop: float) -> float:
    """Return the operations a second of the best attempt, with so many threads side by side."""
    product()
    start = time.perf_counter()
    product()
    count = max(1, int(ATTEMPT_SECONDS / (time.perf_counter() - start)))

    def attempt(_: int) -> None:
        for _ in range(count):
            product()

    with ThreadPoolExecutor(threads) as pool:
        seconds = []
        for _ in range(ATTEMPTS):
            start = time.perf_counter()
            list(pool.map(attempt, range(threads)))
            seconds.append(time.perf_counter() - start)
    return threads * count * flop / min(seconds)
