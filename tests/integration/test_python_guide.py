"""docs/python.md runs."""

import re
from pathlib import Path

import pytest

from level.sample import write_sample

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "python.md"


def test_the_guide_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pandas")
    write_sample(tmp_path / "messages.csv")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 6
    for block in blocks:
        exec(compile(block, str(GUIDE), "exec"), names)
    table, level = names["table"], names["level"]
    assert len(level) == 200
    assert list(level.columns) == list(table.columns)
    assert level.equals(table.loc[level.index])
    labels = names["balancer"].labels_[names["balancer"].sample_indices_]
    assert sorted(set(labels.tolist())) == [0, 1, 2]
    assert len(names["chosen"]) == 60
    assert "Flatness goes from" in capsys.readouterr().out
