"""What must hold of the code as a whole: read from its text, its imports and its packages."""

import ast
import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from level_rpc.errors import ErrorKind, LevelError
from levelapi.errors.v1.error_reason_pb2 import ErrorReason

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES = [
    "analyzer_svc",
    "cluster_svc",
    "embedder_svc",
    "gateway",
    "level",
    "level_rpc",
    "levelling",
    "terrain_svc",
]
BEHIND_GRPC = [package for package in PACKAGES if package not in ("gateway", "level")]

# Who may import a vendor; anywhere in the file, lazily too.
VENDORS = {
    "dbos": ["gateway/worker/durable.py"],
    "google.genai": ["analyzer_svc/gemini.py"],
    "huggingface_hub": ["embedder_svc/weights.py"],
    "numba": ["cluster_svc/compiled.py"],
    "onnx": ["embedder_svc/backends/onnx_graph.py"],
    "onnxruntime": ["embedder_svc/backends/onnx_model.py"],
    "prometheus_client": ["gateway/metrics.py"],
    "psycopg": [],
    "ray": ["cluster_svc/neighbors/ray_search.py", "embedder_svc/backends/on_ray/ray_pool.py"],
    "sentence_transformers": ["embedder_svc/backends/torch_model.py"],
    "sklearn": [
        "cluster_svc/algorithms/kmeans.py",
        "level/balancer.py",
        "levelling/proof/models.py",
    ],
    "torch": [
        "cluster_svc/neighbors/bf16_search.py",
        "cluster_svc/neighbors/torch_search.py",
        "embedder_svc/backends/torch_model.py",
    ],
    "xlsxwriter": ["gateway/exports/workbook.py"],
}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "os.system", "os.popen"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
FORBIDDEN_ARGUMENTS = {"allow_pickle", "trust_remote_code", "shell"}


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported_names(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a file imports."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers(vendor: str) -> list[str]:
    """Return the files that import a vendor's module or anything in it."""
    prefix = f"{vendor}."
    return [
        relative(path)
        for path in sources(*PACKAGES)
        if any(f"{name}.".startswith(prefix) for name in imported_names(path))
    ]


# --- the contract and its stubs


@pytest.fixture(scope="module")
def compiled_protos(tmp_path_factory) -> dict[str, FileDescriptorProto]:
    """What protoc makes of protos/ now, by file name."""
    from grpc_tools import protoc

    target = tmp_path_factory.mktemp("descriptors") / "all.pb"
    includes = [f"-I{PROTOS}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
    files = [str(path) for path in sorted(PROTOS.rglob("*.proto"))]
    assert protoc.main(["protoc", *includes, f"--descriptor_set_out={target}", *files]) == 0
    compiled = FileDescriptorSet.FromString(target.read_bytes())
    return {file.name: file for file in compiled.file}


def without_json_names(file: FileDescriptorProto) -> FileDescriptorProto:
    """Return a copy without the names that protoc adds and the stubs leave out."""
    copy = FileDescriptorProto.FromString(file.SerializeToString())
    messages = list(copy.message_type)
    while messages:
        message = messages.pop()
        messages.extend(message.nested_type)
        for field in message.field:
            field.ClearField("json_name")
    return copy


def test_installed_stubs_are_what_the_protos_say(compiled_protos):
    assert len(compiled_protos) == len(list(PROTOS.rglob("*.proto")))
    for name, compiled in compiled_protos.items():
        module = importlib.import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
        installed = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(installed)
        assert without_json_names(installed) == without_json_names(compiled), (
            f"{name} changed since the stubs were made; run: python protos/build_stubs.py"
        )


def test_every_service_has_a_stub_and_a_servicer(compiled_protos):
    for name, compiled in compiled_protos.items():
        for service in compiled.service:
            stubs = importlib.import_module(
                name.removesuffix(".proto").replace("/", ".") + "_pb2_grpc"
            )
            methods = {method.name for method in service.method}
            assert methods <= set(dir(getattr(stubs, f"{service.name}Servicer")))
            assert hasattr(stubs, f"{service.name}Stub")


def test_stubs_are_not_committed():
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()
    assert "/levelapi/" in ignored


# --- the packages


def test_every_package_is_checked_built_and_contracted():
    named = sorted([*PACKAGES, "levelapi"])
    not_shipped = {"benchmarks", "levelapi", "tests"}
    here = {path.parent.name for path in ROOT.glob("*/__init__.py")} - not_shipped
    assert here == set(PACKAGES)
    tools = PROJECT["tool"]
    assert sorted(tools["mypy"]["packages"]) == sorted([*PACKAGES, "benchmarks"])
    assert sorted(tools["hatch"]["build"]["targets"]["wheel"]["packages"]) == named
    assert sorted(tools["ruff"]["lint"]["isort"]["known-first-party"]) == named
    assert sorted(tools["importlinter"]["root_packages"]) == named


def test_every_package_stands_in_an_import_contract():
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    constrained = {
        package.split(".")[0]
        for contract in contracts
        for package in (*contract.get("modules", ()), *contract.get("source_modules", ()))
    }
    assert constrained == set(PACKAGES)
    services = next(one for one in contracts if one["type"] == "independence")
    assert set(services["modules"]) == {
        package for package in PACKAGES if package.endswith("_svc")
    } | {"gateway"}


def test_there_is_no_place_for_odds_and_ends():
    odd = {"common", "util", "utils", "core", "helpers", "misc", "shared"}
    assert not [relative(path) for path in sources(*PACKAGES) if path.stem in odd]
    assert not [
        path for package in PACKAGES for name in odd for path in ROOT.glob(f"{package}/{name}")
    ]


def test_no_file_that_does_something_is_long():
    long = {
        relative(path): count for path in sources(*PACKAGES) if (count := line_count(path)) > 400
    }
    assert not {path: count for path, count in long.items() if does_something(ROOT / path)}


def line_count(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def does_something(path: Path) -> bool:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)  # a list of phrases may be as long as it needs
    return any(isinstance(node, kinds) for node in ast.walk(parse(path)))


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_has_one_file(vendor):
    assert importers(vendor) == VENDORS[vendor]


def test_compiled_functions_use_only_their_own_file():
    # What is compiled is kept on disk, and renewed only when that file changes.
    assert not [
        (relative(path), kernel.name, name)
        for path in sources("cluster_svc")
        for kernel in parse(path).body
        if isinstance(kernel, ast.FunctionDef)
        and "kernel" in {ast.unparse(one) for one in kernel.decorator_list}
        for name in names_from_cluster_svc(path) & names_used(kernel)
    ]


def names_from_cluster_svc(path: Path) -> set[str]:
    imports = [one for one in parse(path).body if isinstance(one, ast.ImportFrom)]
    ours = [one for one in imports if (one.module or "").startswith("cluster_svc")]
    return {alias.asname or alias.name for one in ours for alias in one.names}


def names_used(function: ast.FunctionDef) -> set[str]:
    nodes = [node for statement in function.body for node in ast.walk(statement)]
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def test_only_servicers_stages_and_the_plumbing_know_grpc():
    knowing = {path for name in ("grpc", "levelapi") for path in importers(name)}
    inside = ("level_rpc/", "gateway/stages/", "cluster_svc/servicer/", "embedder_svc/servicer/")
    outside = {path for path in knowing if not path.startswith(inside)}
    assert outside == {f"{service}_svc/servicer.py" for service in ("analyzer", "terrain")}


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("levelling", ["grpc", "google", "levelapi"]),
        ("level_rpc.errors", ["grpc", "google", "levelapi"]),
        ("level.cli", ["grpc", "levelapi"]),
        ("level.local_stages", ["grpc", "levelapi", "numba", "onnxruntime", "sklearn"]),
        ("cluster_svc.compute", ["grpc", "sklearn", "torch", "ray"]),
        ("cluster_svc.registry", ["grpc", "sklearn", "torch", "ray"]),
        ("embedder_svc.embedding", ["grpc", "levelapi", "torch", "onnxruntime"]),
        ("analyzer_svc.analysis", ["grpc", "levelapi", "google.genai"]),
        ("terrain_svc.height_field", ["grpc", "levelapi"]),
        ("gateway.tables", ["grpc", "levelapi", "fastapi", "sqlalchemy"]),
        ("gateway.app", ["torch", "onnxruntime", "umap", "sklearn", "dbos"]),
    ],
)
def test_importing_a_module_brings_no_more_than_it_needs(module, unwanted):
    script = f"import sys, {module}; print(*[name for name in {unwanted} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == []


# --- errors


def error_classes() -> list[type[LevelError]]:
    """Return every error that a service or the plumbing can raise."""
    for package in BEHIND_GRPC:
        importlib.import_module(f"{package}.errors")
    found, waiting = [], [LevelError]
    while waiting:
        children = waiting.pop().__subclasses__()
        waiting.extend(children)
        found.extend(one for one in children if one.__module__.split(".")[0] in BEHIND_GRPC)
    return found


def documented_codes() -> dict[str, str]:
    """Return the gRPC code that the protos give each reason."""
    text = (PROTOS / "levelapi/errors/v1/error_reason.proto").read_text("utf-8")
    pairs = re.findall(r"// Code (\w+)[.,;][^=]*?\n  ERROR_REASON_(\w+) =", text)
    return {reason: code for code, reason in pairs}


def test_every_error_that_crosses_grpc_has_its_reason_and_code_in_the_protos():
    codes = documented_codes()
    assert len(codes) == len(ErrorReason.keys()) - 1
    for error in error_classes():
        if error.reason != LevelError.reason or error.kind != LevelError.kind:
            assert codes.get(error.reason) == error.kind, error


def test_every_reason_in_the_protos_is_raised_by_somebody():
    names = set()
    for path in sources(*BEHIND_GRPC):
        if path.name == "errors.py":
            continue
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
    raised = {error.reason for error in error_classes() if error.__name__ in names}
    # What every tree of errors has, for a caller that meets a service newer than itself.
    generic = {str(kind) for kind in ErrorKind}
    documented = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()}
    assert documented - raised - generic - {"UNSPECIFIED"} == set()


# --- what no file may do


def test_the_environment_is_read_through_settings_only():
    readers = [relative(path) for path in sources(*PACKAGES) if reads_environment(parse(path))]
    assert readers == []


def reads_environment(tree: ast.Module) -> bool:
    """Return whether a variable is read; setting one, or handing all on to a child, is not."""
    names = {"os.environ", "os.environb"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            if {"environ", "getenv"} & {alias.name for alias in node.names}:
                return True
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "os.getenv":
            return True
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in names:
            return True
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) in names:
            if isinstance(node.ctx, ast.Load):
                return True
    return False


def test_nothing_is_unpickled_or_run_from_data():
    offences = []
    for path in sources(*PACKAGES):
        modules = {name.split(".")[0] for name in imported_names(path)} & FORBIDDEN_MODULES
        offences.extend(f"{relative(path)} imports {module}" for module in modules)
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Call) and (fault := forbidden(node)):
                offences.append(f"{relative(path)}:{node.lineno} {fault}")
    assert offences == []


def forbidden(call: ast.Call) -> str | None:
    if ast.unparse(call.func) in FORBIDDEN_CALLS:
        return ast.unparse(call.func)
    for keyword in call.keywords:
        is_false = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        if keyword.arg in FORBIDDEN_ARGUMENTS and not is_false:
            return str(keyword.arg)
    if ast.unparse(call.func) in ("np.load", "numpy.load"):
        named = {keyword.arg for keyword in call.keywords}
        return None if "allow_pickle" in named else "np.load without allow_pickle=False"
    return None


# --- what is handed out


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, set[str]]:
    """The files in a wheel of the sources, and in one of the source distribution."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed: pip install hatchling")
    folder = tmp_path_factory.mktemp("build")
    copy = folder / "copy"
    wanted = [*PACKAGES, "protos", "pyproject.toml", "README.md", "LICENSE", ".gitignore"]
    for name in wanted:
        copy_one(ROOT / name, copy / name)
    hatch_build(copy, "sdist", "wheel")
    with tarfile.open(next((copy / "dist").glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    unpacked = next(path for path in folder.iterdir() if path.is_dir() and path != copy)
    hatch_build(unpacked, "wheel")
    return {"sources": names_in_wheel(copy), "sdist": names_in_wheel(unpacked)}


def copy_one(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(exist_ok=True)
        # A file that says nothing to these tests need not be there yet.
        target.write_bytes(source.read_bytes() if source.exists() else b"")


def hatch_build(folder: Path, *targets: str) -> None:
    kinds = [word for target in targets for word in ("-t", target)]
    command = [sys.executable, "-m", "hatchling", "build", *kinds]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def names_in_wheel(folder: Path) -> set[str]:
    with zipfile.ZipFile(next((folder / "dist").glob("*.whl"))) as wheel:
        return set(wheel.namelist())


@pytest.mark.parametrize("origin", ["sources", "sdist"])
def test_a_wheel_has_everything_that_is_needed_to_run(wheels, origin):
    names = wheels[origin]
    expected = {
        relative(path)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    stubs = {
        relative(path.with_name(f"{path.stem}{ending}")).removeprefix("protos/")
        for path in PROTOS.rglob("*.proto")
        for ending in ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")
    }
    assert expected | stubs <= names
    assert {"gateway/page/index.html", "level/picture_template.html"} <= names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert any(name.endswith("entry_points.txt") for name in names)


@pytest.mark.parametrize("origin", ["sources", "sdist"])
def test_a_wheel_has_nothing_else(wheels, origin):
    roots = {name.split("/")[0] for name in wheels[origin]}
    assert {root for root in roots if not root.endswith(".dist-info")} == {*PACKAGES, "levelapi"}
