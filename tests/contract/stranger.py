"""A client of Level built from protos/ alone: nothing here imports a package of Level.

It goes by what the comments in protos/ say, down to its own tensor code. Messages live in a pool of
their own, so that the generated package plays no part.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
from google.protobuf import duration_pb2, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2, status_pb2

BLOCK_BYTES = 1 << 20
CALL_SECONDS = 60.0
ELEMENTS = {1: "<f2", 2: "<f4", 3: "<f8", 4: "<i4", 5: "<i8", 6: "|u1"}


class Refusal(Exception):
    """A call that ended with an error: its gRPC code, and the ErrorInfo that it carried."""

    def __init__(self, error: Any) -> None:
        super().__init__(error.details())
        self.code: str = error.code().name
        self.message: str = error.details()
        trailing = dict(error.trailing_metadata() or ())
        status = status_pb2.Status.FromString(trailing.get("grpc-status-details-bin", b""))
        info, self.retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        for detail in status.details:
            detail.Unpack(info) or detail.Unpack(self.retry)
        self.reason: str = info.reason
        self.domain: str = info.domain
        self.metadata: dict[str, str] = dict(info.metadata)


class Contract:
    """Every message and enum of protos/ by its short name, and a stub for every service."""

    def __init__(self, protos: Path, scratch: Path) -> None:
        pool = DescriptorPool()
        known = FileDescriptorProto()
        duration_pb2.DESCRIPTOR.CopyToProto(known)
        pool.Add(known)
        self._files = _compile(protos, scratch)
        for file in self._files:
            pool.Add(file)
        self._pool = pool

    def part(self, name: str) -> SimpleNamespace:
        """Return the messages of levelapi.<name>.v1, and its enums' values by name."""
        package = f"levelapi.{name}.v1"
        found: dict[str, Any] = {}
        for file in self._files:
            if file.package != package:
                continue
            descriptor = self._pool.FindFileByName(file.name)
            for key, message in descriptor.message_types_by_name.items():
                found[key] = message_factory.GetMessageClass(message)
            for enum in descriptor.enum_types_by_name.values():
                found |= {value.name: value.number for value in enum.values}
        return SimpleNamespace(**found)

    def stub(self, service_name: str, channel: grpc.Channel) -> SimpleNamespace:
        """Return the rpcs of a service as callables."""
        service = self._pool.FindServiceByName(service_name)
        calls = {}
        for method in service.methods:
            shape = [
                "stream" if streams else "unary"
                for streams in (method.client_streaming, method.server_streaming)
            ]
            answer = message_factory.GetMessageClass(method.output_type)
            calls[method.name] = getattr(channel, "_".join(shape))(
                f"/{service.full_name}/{method.name}",
                request_serializer=lambda request: request.SerializeToString(),
                response_deserializer=answer.FromString,
            )
        return SimpleNamespace(**calls)


class Tensors:
    """Arrays as TensorBlocks and back, as tensor.proto's comments say."""

    def __init__(self, contract: Contract) -> None:
        self._messages = contract.part("tensor")

    def pack(self, array: np.ndarray) -> Any:
        """Return the Tensor of an array."""
        element = next(key for key, dtype in ELEMENTS.items() if np.dtype(dtype) == array.dtype)
        return self._messages.Tensor(
            element_type=element, shape=array.shape, data=np.ascontiguousarray(array).tobytes()
        )

    def block(self, array: np.ndarray, first_row_index: int = 0) -> Any:
        """Return the rows as one block."""
        block = self._messages.TensorBlock(first_row_index=first_row_index, tensor=self.pack(array))
        block.crc32 = crc32(block)
        return block

    def blocks(self, array: np.ndarray) -> Iterator[Any]:
        """Yield the blocks of an array."""
        row_bytes = max(array[:1].nbytes, 1)
        step = max(BLOCK_BYTES // row_bytes, 1)
        for first in range(0, len(array), step):
            yield self.block(array[first : first + step], first)

    def unpack(self, tensor: Any) -> np.ndarray:
        """Return the array of a Tensor, which must be as the comments say."""
        shape, dtype = tuple(tensor.shape), np.dtype(ELEMENTS[tensor.element_type])
        assert len(tensor.data) == int(np.prod(shape)) * dtype.itemsize <= BLOCK_BYTES
        return np.frombuffer(tensor.data, dtype).reshape(shape)

    def join(self, blocks: Iterable[Any]) -> np.ndarray:
        """Return the array that blocks make, each of which must be whole and in its place."""
        parts: list[np.ndarray] = []
        for block in blocks:
            assert block.first_row_index == sum(map(len, parts))
            assert block.crc32 == crc32(block)
            parts.append(self.unpack(block.tensor))
        return np.concatenate(parts)


def crc32(block: Any) -> int:
    """Return the checksum of a block."""
    head = struct.pack("<q", block.first_row_index)
    head += struct.pack("<i", block.tensor.element_type)
    head += b"".join(struct.pack("<q", length) for length in block.tensor.shape)
    return zlib.crc32(head + block.tensor.data)


def converse(rpc: Any, requests: Iterable[Any], **options: Any) -> list[Any]:
    """Return all answers of a bidirectional call; raise Refusal when it fails."""
    try:
        return list(rpc(iter(requests), timeout=CALL_SECONDS, **options))
    except grpc.RpcError as error:
        raise Refusal(error) from error


def ask(rpc: Any, request: Any, **options: Any) -> Any:
    """Return the answer of a unary call, the list of a streamed one; raise Refusal."""
    try:
        answer = rpc(request, timeout=CALL_SECONDS, **options)
        return (
            list(answer)
            if isinstance(answer, grpc.Call) and hasattr(answer, "__next__")
            else answer
        )
    except grpc.RpcError as error:
        raise Refusal(error) from error


def _compile(protos: Path, scratch: Path) -> list[FileDescriptorProto]:
    """Return the files of protos/ so that each comes after those it imports."""
    from grpc_tools import protoc

    target = scratch / "contract.pb"
    names = [str(path) for path in sorted(protos.rglob("*.proto"))]
    includes = [f"-I{protos}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
    assert protoc.main(["protoc", *includes, f"--descriptor_set_out={target}", *names]) == 0
    return list(FileDescriptorSet.FromString(target.read_bytes()).file)
