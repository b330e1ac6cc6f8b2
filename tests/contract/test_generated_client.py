"""A client as a stranger makes one: stubs by protoc in an empty folder, plain gRPC, no Level."""

import subprocess
import sys
from pathlib import Path

from tests.contract.conftest import PROTOS

CLIENT = """
import struct, sys, zlib
sys.path = [one for one in sys.path if one not in ("", sys.argv[1])]
sys.path.insert(0, sys.argv[2])
import grpc
from levelapi.embedder.v1 import embedder_service_pb2 as pb
from levelapi.embedder.v1.embedder_service_pb2_grpc import EmbedderServiceStub
assert pb.__file__.startswith(sys.argv[2]), pb.__file__

def requests():
    yield pb.EmbedRequest(config=pb.EmbedConfig(row_count=2))
    yield pb.EmbedRequest(texts=pb.TextBlock(first_row_index=0, texts=["hello", "goodbye"]))

with grpc.insecure_channel(sys.argv[3]) as channel:
    stub = EmbedderServiceStub(channel)
    model = stub.GetModel(pb.GetModelRequest(), timeout=30).model
    first, *rest = stub.Embed(requests(), timeout=60)
    assert first.model == model
    data = b"".join(answer.vectors.vectors.tensor.data for answer in rest)
numbers = struct.unpack(f"<{2 * model.dimension_count}f", data)
print(len(numbers), sum(number * number for number in numbers))

from levelapi.cluster.v1 import cluster_service_pb2 as cluster
from levelapi.cluster.v1.cluster_service_pb2_grpc import ClusterServiceStub
from levelapi.tensor.v1 import tensor_pb2 as tensors

def block(element_type, code, shape, *numbers):
    data = struct.pack(f"<{len(numbers)}{code}", *numbers)
    tensor = tensors.Tensor(element_type=element_type, shape=shape, data=data)
    head = struct.pack(f"<qi{len(shape)}q", 0, element_type, *shape)
    return tensors.TensorBlock(first_row_index=0, tensor=tensor, crc32=zlib.crc32(head + data))

def near_duplicates():
    shape = cluster.GraphShape(row_count=3, node_count=2, neighbor_count=1)
    config = cluster.FindNearDuplicatesConfig(graph_shape=shape, max_distance=0.1)
    yield cluster.FindNearDuplicatesRequest(config=config)
    for name, array in (
        ("row_nodes", block(tensors.ELEMENT_TYPE_INT32, "i", [3], 0, 1, 0)),
        ("indices", block(tensors.ELEMENT_TYPE_INT32, "i", [2, 1], 1, 0)),
        ("distances", block(tensors.ELEMENT_TYPE_FLOAT32, "f", [2, 1], 0.5, 0.5)),
    ):
        yield cluster.FindNearDuplicatesRequest(graph=cluster.GraphBlock(**{name: array}))

with grpc.insecure_channel(sys.argv[4]) as channel:
    answers = list(ClusterServiceStub(channel).FindNearDuplicates(near_duplicates(), timeout=60))
print(*struct.unpack("<3i", answers[-1].groups.tensor.data))
assert not [name for name in sys.modules if name.startswith(("level_rpc", "numpy"))]
"""


def test_a_client_generated_from_protos_alone_works(addresses, tmp_path):
    from grpc_tools import protoc

    files = [str(path) for path in sorted(PROTOS.rglob("*.proto"))]
    includes = [f"-I{PROTOS}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
    outputs = [f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}"]
    assert protoc.main(["protoc", *includes, *outputs, *files]) == 0
    (tmp_path / "client.py").write_text(CLIENT)
    command = [
        sys.executable,
        "-P",
        "client.py",
        str(PROTOS.parent),
        str(tmp_path),
        addresses["embedder"],
        addresses["cluster"],
    ]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    count, squares, *groups = answer.stdout.split()
    assert int(count) % 2 == 0
    assert abs(float(squares) - 2) < 1e-3
    assert groups == ["0", "1", "0"]
