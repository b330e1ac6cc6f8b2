import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from embedder_svc.backends.static_model import StaticModel
from embedder_svc.distil.__main__ import main
from embedder_svc.distil.distillation import distil
from embedder_svc.distil.static_files import static_folder, write_static_model
from embedder_svc.errors import ModelNotLoaded
from embedder_svc.loading import load_model
from embedder_svc.model import Backend, LoadOptions
from embedder_svc.model_files import read_model_files
from embedder_svc.tokenising import read_tokenizer
from embedder_svc.weights import ModelFolder, find_model
from level_rpc.texts import MAX_TEXT_BYTES

TEXTS = ["card", "my card is late", "", " ", "日本", "\0", "\N{GRINNING FACE}", "money " * 99]


@pytest.fixture(scope="module")
def distilled(tiny_folder, tmp_path_factory):
    parent = tmp_path_factory.mktemp("static")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEVEL_CACHE_DIR", str(parent / "cache"))
        arguments = [str(tiny_folder), str(parent / "tiny-static"), "--dimensions", "16"]
        assert main(arguments) == 0
    return parent / "tiny-static"


@pytest.fixture(scope="module")
def static(distilled):
    return load_model(str(distilled), threads=1)


@pytest.fixture
def folder(distilled, tmp_path):
    return shutil.copytree(distilled, tmp_path / "model")


def vectors_of(model, texts):
    return model.encode([text.token_ids for text in model.tokenise(texts)])


def test_a_static_folder_describes_itself_and_needs_no_backend(static):
    info = static.info
    assert (info.backend, info.model_id) == (Backend.STATIC, "tiny-static")
    assert info.dimension_count == 16
    assert "a static one: tiny-static in float32 on scipy" in info.choice_reason


def test_a_text_has_the_mean_of_its_known_tokens(static, distilled):
    table = load_file(distilled / "model.safetensors")["embeddings"].astype(np.float64)
    tokenizer = read_tokenizer(read_model_files(ModelFolder(distilled, "")))
    ids = tokenizer.encode("my card is late", add_special_tokens=False).ids
    expected = table[ids].mean(axis=0)
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(vectors_of(static, ["my card is late"])[0], expected, atol=1e-6)
    unknown = table[tokenizer.token_to_id("[UNK]")]
    np.testing.assert_allclose(
        vectors_of(static, [""])[0], unknown / np.linalg.norm(unknown), atol=1e-6
    )
    mixed = vectors_of(static, ["card", "\N{GRINNING FACE} card"])
    np.testing.assert_array_equal(mixed[0], mixed[1])


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1))
def test_any_text_has_a_unit_vector_that_no_other_text_changes(static, texts):
    together = vectors_of(static, texts)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.vstack([vectors_of(static, [text]) for text in texts])
    np.testing.assert_array_equal(together, alone)


def test_the_longest_text_is_read_whole(static):
    text = static.tokenise(["a " * (MAX_TEXT_BYTES // 2)])[0]
    assert len(text.token_ids) == MAX_TEXT_BYTES // 2
    assert not text.truncated
    assert np.isfinite(static.encode([text.token_ids])).all()


def test_rows_that_tokens_share_are_spread(folder, static):
    table = load_file(folder / "model.safetensors")["embeddings"].astype(np.float32)
    mapping = np.arange(len(table))[::-1].copy()
    weights = np.linspace(1, 2, len(table), dtype=np.float32)
    shared = {"embeddings": table[::-1] / weights[::-1, None], "mapping": mapping}
    shared["weights"] = weights
    save_file({k: np.ascontiguousarray(v) for k, v in shared.items()}, folder / "model.safetensors")
    model = load_model(str(folder), threads=1)
    np.testing.assert_allclose(vectors_of(model, TEXTS), vectors_of(static, TEXTS), atol=1e-5)
    assert model.info.fingerprint != static.info.fingerprint


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ({"others": np.zeros((3, 2), np.float32)}, "no table"),
        ({"embeddings": np.zeros((3, 2), np.float32)}, "3 token vectors for a tokenizer of"),
        (
            {"embeddings": np.zeros((3, 2), np.float32), "mapping": np.array([5] * 999)},
            "do not fit",
        ),
    ],
)
def test_tables_that_do_not_fit_are_named(folder, weights, problem):
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelNotLoaded, match=problem):
        load_model(str(folder))


def test_a_damaged_table_says_what_to_do(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelNotLoaded, match="fetch the file again"):
        load_model(str(folder))


def test_another_precision_is_refused(folder):
    with pytest.raises(ModelNotLoaded, match="to float32 or auto"):
        load_model(str(folder), precision="int8")


def test_principal_components_may_be_cut_to_any_length(folder):
    assert load_model(str(folder), dimension_count=5).info.dimension_count == 5
    with pytest.raises(ModelNotLoaded, match="it takes 1 to 16"):
        load_model(str(folder), dimension_count=17)


def test_each_token_is_what_the_model_says_of_it_alone(tiny, tiny_folder):
    tokenizer = read_tokenizer(read_model_files(find_model(str(tiny_folder))))
    reports = []
    table = distil(tiny, tokenizer, 32, lambda done, total: reports.append((done, total)))
    count = tokenizer.get_vocab_size()
    assert table.shape == (count, 32)
    assert reports[-1] == (count, count)
    # All components kept: the angles between centred vectors are those of the model's own.
    tokens = [tokenizer.id_to_token(i) for i in range(count)]
    words = [tokens.index(word) for word in ("card", "money", "refund", "hello")]
    own = np.vstack([tiny.encode([[2, token_id, 3]]) for token_id in range(count)])
    own = (own - own.mean(axis=0))[words]
    np.testing.assert_allclose(_cosines(table[words]), _cosines(own), atol=1e-3)


def _cosines(vectors):
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors @ vectors.T


def test_minilm_is_distilled_once_and_others_name_the_command(tiny_folder, tmp_path):
    options = {"backend": Backend.STATIC, "minilm_dir": tiny_folder, "cache_dir": tmp_path}
    first = load_model("auto", **options)
    assert first.info.model_id == "sentence-transformers/all-MiniLM-L6-v2 (static)"
    made = [path.stat().st_mtime_ns for path in (tmp_path / "static").rglob("*")]
    assert load_model("auto", **options).info == first.info
    assert load_model("auto", dimension_count=9, **options).info.dimension_count == 9
    assert [path.stat().st_mtime_ns for path in (tmp_path / "static").rglob("*")] == made
    with pytest.raises(ModelNotLoaded, match=r"python -m embedder_svc\.distil"):
        load_model(str(tiny_folder), backend=Backend.STATIC)


def test_a_cache_that_cannot_be_written_is_named(tiny_folder, tmp_path, tiny):
    (tmp_path / "static").write_text("no folder")
    minilm = find_model("sentence-transformers/all-MiniLM-L6-v2", tiny_folder)
    with pytest.raises(ModelNotLoaded, match="LEVEL_CACHE_DIR"):
        static_folder(minilm, tmp_path, lambda: tiny)


def test_of_two_that_write_one_folder_the_first_wins(tiny_folder, tmp_path):
    files = read_model_files(find_model(str(tiny_folder)))
    table = np.ones((9, 4), dtype=np.float32)
    write_static_model(tmp_path / "made", files, table, "tiny")
    with pytest.raises(OSError):
        write_static_model(tmp_path / "made", files, table * 2, "tiny")
    assert load_file(tmp_path / "made" / "model.safetensors")["embeddings"].max() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    # Whoever runs the service need not be who built its image.
    assert all(path.stat().st_mode & 0o004 for path in (tmp_path / "made").iterdir())


def test_the_command_names_what_is_wrong(tiny_folder, tmp_path, capsys):
    assert main([str(tiny_folder), str(tmp_path)]) == 1
    assert main([str(tmp_path / "none"), str(tmp_path / "new")]) == 1
    shown = " ".join(capsys.readouterr().err.split())
    assert "there already" in shown and "no such folder" in shown
    with pytest.raises(SystemExit, match="2"):
        main([str(tiny_folder), str(tmp_path / "new"), "--dimensions", "0"])


@pytest.mark.torch
def test_sentence_transformers_reads_the_folder_too(distilled, static):
    library = pytest.importorskip("sentence_transformers", reason="the extra torch is missing")
    known = ["card", "my card is late"]
    expected = library.SentenceTransformer(str(distilled), device="cpu").encode(
        known, normalize_embeddings=True
    )
    np.testing.assert_allclose(vectors_of(static, known), expected, atol=1e-3)


def test_a_folder_is_read_as_model2vec_writes_it(folder):
    (folder / "modules.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "model2vec"
    assert StaticModel(ModelFolder(folder, "m"), LoadOptions()).info.dimension_count == 16
