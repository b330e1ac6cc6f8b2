"""Two caches on one folder to which anything may happen."""

import os

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from embedder_svc.vector_cache import VectorCache
from tests.unit.embedder_svc.cache_process import DIMENSIONS, LIMIT, disk_bytes, get, put


class SharedFolder(RuleBasedStateMachine):
    """Two processes' caches on one folder to which anything may happen.

    Whatever is found is right, which ``get`` asserts. What was just put is found by both, while no
    file was damaged.
    """

    @initialize(tmp=st.uuids())
    def open(self, tmp):
        self.folder = self.root / str(tmp)
        self.limit = LIMIT // 8
        self.is_damaged = False
        self.caches = [VectorCache(self.folder, DIMENSIONS, self.limit) for _ in range(2)]

    @rule(which=st.integers(0, 1), start=st.integers(0, 4000), count=st.integers(1, 300))
    def put(self, which, start, count):
        numbers = range(start, start + count)
        put(self.caches[which], numbers)
        for cache in self.caches:
            assert get(cache, numbers) == list(numbers) or self.is_damaged

    @rule(which=st.integers(0, 1), start=st.integers(0, 4000))
    def get(self, which, start):
        get(self.caches[which], range(start, start + 200))

    @rule(which=st.integers(0, 1), closed=st.booleans())
    def open_again(self, which, closed):
        if closed:
            self.caches[which].close()
        self.caches[which] = VectorCache(self.folder, DIMENSIONS, self.limit)

    @rule(choice=st.integers(0), share=st.floats(0, 1), content=st.binary(max_size=300))
    def damage(self, choice, share, content):
        if paths := sorted(self.folder.glob("*")):
            path = paths[choice % len(paths)]
            with path.open("r+b") as file:
                file.seek(int(share * path.stat().st_size))
                file.write(content)
            self.is_damaged = True

    @rule(choice=st.integers(0), share=st.floats(0, 1))
    def cut(self, choice, share):
        if paths := sorted(self.folder.glob("*")):
            path = paths[choice % len(paths)]
            os.truncate(path, int(share * path.stat().st_size))
            self.is_damaged = True

    @rule(choice=st.integers(0))
    def delete(self, choice):
        if paths := sorted(self.folder.glob("*")):
            paths[choice % len(paths)].unlink()

    @invariant()
    def is_within_its_limit(self):
        # What somebody made longer counts when the next one writes.
        if hasattr(self, "folder") and self.folder.exists():
            assert disk_bytes(self.folder) <= self.limit + 300 * 20


def test_a_shared_folder_to_which_anything_happens(tmp_path):
    SharedFolder.root = tmp_path
    few = settings(max_examples=15, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(SharedFolder, settings=few)
