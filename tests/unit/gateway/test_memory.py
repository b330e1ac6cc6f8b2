from unittest.mock import sentinel

from gateway.memory import DatasetMemory


def fill(memory, *names):
    for name in names:
        memory.get(name, lambda: sentinel.loaded)


def test_the_least_recently_used_leaves_first():
    memory = DatasetMemory(2)
    fill(memory, "a", "b", "a", "c")
    assert memory.find("b") is None
    assert memory.find("a") is memory.find("c") is sentinel.loaded


def test_what_is_in_memory_is_not_loaded_again():
    memory = DatasetMemory(2)
    first = memory.get("a", object)
    assert memory.get("a", object) is first


def test_zero_is_no_limit():
    memory = DatasetMemory(0)
    fill(memory, *map(str, range(50)))
    assert len(memory) == 50


def test_what_no_longer_exists_is_let_go():
    memory = DatasetMemory(9)
    fill(memory, "a", "b", "c")
    memory.keep_only({"b", "z"})
    memory.forget("z")
    assert [memory.find(name) for name in "abc"] == [None, sentinel.loaded, None]
