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
    ]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    count, squares = answer.stdout.split()
    assert int(count) % 2 == 0
    assert abs(float(squares) - 2) < 1e-3
