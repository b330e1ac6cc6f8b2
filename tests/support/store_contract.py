"""What the store promises on every database; `store` and `database` are the caller's fixtures."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from gateway.dataset import Artifact, ClusterName, Stage, Status
from gateway.embedded_texts import TextCounts
from gateway.embedding_progress import EmbeddingProgress
from gateway.errors import DatasetNotFound, RevisionConflict
from gateway.job_store import JobStore
from gateway.worker.registry import WorkerRegistry
from level_rpc.errors import Internal
from tests.support.store_cases import TABLE, add_dataset

FILE = Artifact("vectors", "vectors.npy", "blake2b:00", 12, ("rows",))


def embedded(row_count, seconds):
    done = TextCounts(row_count, 5 * row_count, cached_count=row_count // 4)
    return EmbeddingProgress(60, done, seconds, 10.0, None)


class StoreContract:
    @pytest.fixture
    def jobs(self, database):
        return JobStore(database)

    def test_a_new_dataset_comes_back_as_it_was_recorded(self, store, jobs):
        dataset_id = add_dataset(store, files=[FILE])
        dataset = store.get(dataset_id)
        assert (dataset.status, dataset.stage, dataset.progress) == ("processing", "queued", 0)
        assert dataset.request_id == "upload-1"
        assert dataset.table == TABLE
        assert (dataset.row_count, dataset.text_column) == (60, 1)
        assert dataset.parameters.algorithm_parameters == {"eps": 0.4}
        assert dataset.warnings == ("careful",)
        assert dataset.artifacts == {"vectors": FILE}
        assert [job.dataset_id for job in jobs.unfinished()] == [dataset_id]

    def test_an_upload_is_recorded_with_its_job_or_not_at_all(self, store, jobs):
        dataset_id = add_dataset(store)
        with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
            add_dataset(store, dataset_id)
        assert len(jobs.unfinished()) == 1

    def test_stage_and_progress_never_go_back(self, store):
        dataset_id = add_dataset(store)
        seen = []
        for stage, progress in [
            (Stage.EMBEDDING, 30),
            (Stage.EMBEDDING, 20),
            (Stage.CLUSTERING, 10),
            (Stage.EMBEDDING, 40),
        ]:
            store.advance(dataset_id, stage, progress)
            dataset = store.get(dataset_id)
            seen.append((dataset.stage, dataset.progress))
        assert seen == [
            (Stage.EMBEDDING, 30),
            (Stage.EMBEDDING, 30),
            (Stage.CLUSTERING, 30),
            (Stage.CLUSTERING, 40),
        ]

    def test_a_later_stage_does_not_show_before_it_is_entered(self, store):
        dataset_id = add_dataset(store)
        store.advance(dataset_id, Stage.ANALYZING, 82)
        store.advance(dataset_id, Stage.BUILDING_TERRAIN, 95, enter=False)
        assert store.get(dataset_id).progress == 82
        store.advance(dataset_id, Stage.BUILDING_TERRAIN, 90)
        store.advance(dataset_id, Stage.BUILDING_TERRAIN, 95, enter=False)
        assert store.get(dataset_id).progress == 95

    def test_a_completed_dataset_stays_completed(self, store, jobs):
        dataset_id = add_dataset(store)
        store.advance(dataset_id, Stage.EMBEDDING, 30)
        store.complete(dataset_id)
        store.complete(dataset_id)
        store.advance(dataset_id, Stage.BUILDING_TERRAIN, 95)
        with pytest.raises(Internal, match="completed to failed"):
            store.fail(dataset_id, "too late")
        dataset = store.get(dataset_id)
        assert (dataset.status, dataset.stage, dataset.progress) == ("completed", None, 100)
        assert dataset.error is None
        assert jobs.unfinished() == []

    def test_a_failed_dataset_keeps_its_progress_and_says_why(self, store, jobs):
        dataset_id = add_dataset(store)
        store.advance(dataset_id, Stage.EMBEDDING, 30)
        store.fail(dataset_id, "No model.")
        store.fail(dataset_id, "Another reason.")
        dataset = store.get(dataset_id)
        assert (dataset.status, dataset.stage, dataset.progress) == ("failed", None, 30)
        assert dataset.error == "No model."
        assert jobs.unfinished() == []

    def test_notes_are_merged(self, store):
        dataset_id = add_dataset(store)
        store.note(dataset_id, warnings=["slow"], timings={"embedding": 1.0})
        store.note(dataset_id, warnings=["slow"], timings={"clustering": 2.0}, counts={"k": 3})
        dataset = store.get(dataset_id)
        assert dataset.warnings == ("careful", "slow")
        assert dataset.timings == {"embedding": 1.0, "clustering": 2.0}
        assert dataset.counts == {"row_count": 60, "k": 3}

    def test_progress_of_an_embedding_never_falls_and_totals_outlive_datasets(self, store):
        first, second = add_dataset(store), add_dataset(store)
        assert store.get(first).embedding is None and store.embedding_totals() == {}
        store.note_embedding(first, embedded(40, 4.0))
        store.note_embedding(first, embedded(30, 3.0))
        assert store.get(first).embedding.done == TextCounts(40, 200, cached_count=10)
        store.note_embedding(first, embedded(60, 6.0))
        store.note_embedding(second, embedded(8, 1.0))
        assert store.get(first).embedding == embedded(60, 6.0)
        listed = {one.dataset_id: one.embedding for one in store.list_datasets()}
        assert listed == {first: embedded(60, 6.0), second: embedded(8, 1.0)}
        store.delete(first)
        totals = store.embedding_totals()
        assert (totals["row_count"], totals["cached_count"], totals["seconds"]) == (68, 17, 7.0)
        assert totals["token_count"] == 340

    def test_names_come_back_and_are_replaced(self, store):
        dataset_id = add_dataset(store)
        first = ClusterName(0, "cards", "", ("card", "lost"), "keywords")
        second = ClusterName(0, "Lost cards", "About lost cards.", ("card",), "llm", True)
        other = ClusterName(1, "<b>\u202e=1+1", "ü\U0001f600", (), "generic")
        store.put_names(dataset_id, [first, other])
        store.put_names(dataset_id, [second])
        assert store.names(dataset_id) == {0: second, 1: other}

    def test_artifacts_are_replaced_by_name(self, store):
        dataset_id = add_dataset(store, files=[FILE])
        newer = Artifact("vectors", "vectors.npy", "blake2b:01", 13)
        store.put_artifacts(dataset_id, newer)
        assert store.get(dataset_id).artifacts == {"vectors": newer}

    def test_weights_change_by_revisions(self, store):
        dataset_id = add_dataset(store)
        assert store.weights(dataset_id).revision == 0
        store.adjust(dataset_id, lambda weights: {**weights, 0: 0.5, -1: 0.0})
        changed = store.adjust(dataset_id, lambda weights: {**weights, 1: 2.0}, 1)
        assert (changed.revision, changed.weights) == (2, {0: 0.5, -1: 0.0, 1: 2.0})
        assert store.weights(dataset_id) == changed
        assert store.get(dataset_id).revision == 2

    def test_a_stale_revision_changes_nothing(self, store):
        dataset_id = add_dataset(store)
        store.adjust(dataset_id, lambda weights: {0: 0.5})
        with pytest.raises(RevisionConflict, match="revision 1, not 0"):
            store.adjust(dataset_id, lambda weights: {0: 9.0}, 0)
        assert store.weights(dataset_id).weights == {0: 0.5}

    def test_a_refused_change_leaves_weights_and_revision(self, store):
        dataset_id = add_dataset(store)

        def refuse(weights):
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            store.adjust(dataset_id, refuse)
        assert store.weights(dataset_id).revision == 0

    def test_eight_threads_adjust_without_losing_one(self, store):
        dataset_id = add_dataset(store)

        def add_one(_):
            return store.adjust(dataset_id, lambda old: {0: old.get(0, 0.0) + 1}).revision

        with ThreadPoolExecutor(8) as threads:
            revisions = list(threads.map(add_one, range(64)))
        assert sorted(revisions) == list(range(1, 65))
        assert store.weights(dataset_id).weights == {0: 64.0}

    def test_of_eight_threads_with_one_revision_one_wins(self, store):
        dataset_id = add_dataset(store)

        def adjust(number):
            try:
                store.adjust(dataset_id, lambda _: {0: float(number)}, 0)
            except RevisionConflict:
                return None
            return float(number)

        with ThreadPoolExecutor(8) as threads:
            won = [number for number in threads.map(adjust, range(8)) if number is not None]
        assert store.weights(dataset_id).weights == {0: won[0]}
        assert len(won) == 1

    def test_nothing_is_left_of_a_dataset_deleted_while_it_is_processed(self, store, jobs):
        dataset_id = add_dataset(store, files=[FILE])
        store.put_names(dataset_id, [ClusterName(0, "a", "", (), "keywords")])
        store.delete(dataset_id)
        changes = [
            lambda: store.get(dataset_id),
            lambda: store.delete(dataset_id),
            lambda: store.advance(dataset_id, Stage.EMBEDDING, 1),
            lambda: store.note(dataset_id, timings={}),
            lambda: store.note_embedding(dataset_id, embedded(1, 1.0)),
            lambda: store.put_artifacts(dataset_id, FILE),
            lambda: store.put_names(dataset_id, [ClusterName(0, "a", "", (), "keywords")]),
            lambda: store.complete(dataset_id),
            lambda: store.fail(dataset_id, "x"),
            lambda: store.weights(dataset_id),
            lambda: store.adjust(dataset_id, lambda weights: weights),
        ]
        for change in changes:
            with pytest.raises(DatasetNotFound):
                change()
        assert jobs.unfinished() == []
        assert store.names(dataset_id) == {}

    def test_deleting_and_adding_at_once_leaves_no_orphans(self, store, database):
        for _ in range(8):
            dataset_id = add_dataset(store)
            with ThreadPoolExecutor(2) as threads:
                writing = threads.submit(store.put_artifacts, dataset_id, FILE)
                threads.submit(store.delete, dataset_id).result()
                assert isinstance(writing.exception(), DatasetNotFound | None)
        with database.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM artifacts").scalar() == 0

    def test_only_datasets_at_rest_count_as_unused(self, store):
        processing, failed = add_dataset(store), add_dataset(store)
        store.fail(failed, "x")
        later = store.get(failed).last_used_at + 1
        assert store.unused_since(later) == [failed]
        assert store.unused_since(later - 2) == []
        assert store.ids() == {processing, failed}
        assert {one.dataset_id for one in store.list_datasets()} == {processing, failed}
        assert store.get(processing).status == Status.PROCESSING

    def test_workers_know_of_each_other(self, database):
        registry = WorkerRegistry(database)
        registry.beat("host/1/a")
        registry.beat("host/1/a")
        assert list(registry.beats()) == ["host/1/a"]
        registry.forget("host/1/a")
        assert registry.beats() == {}

    def test_tables_may_be_made_again_and_by_several_at_once(self, database):
        with ThreadPoolExecutor(4) as threads:
            for _ in threads.map(lambda _: database.create_tables(), range(8)):
                pass
        with database.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM level_schema").scalar() == 1

    def test_an_unknown_id_is_not_found(self, store):
        with pytest.raises(DatasetNotFound):
            store.get(str(uuid4()))
