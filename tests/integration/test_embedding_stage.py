"""Real embedders and a real worker that are killed, and what the gateway says of the embedding."""

import httpx

from gateway.dataset import Status
from gateway.embedded_texts import BLOCKS
from tests.support.rest_gateway import running_gateway
from tests.support.worker_rig import wait_until, worker_rig

ROW_COUNT = 9_000


def test_embedders_and_a_worker_that_are_killed_change_no_vector(tmp_path):
    rows = [f'{row},"topic{row % 4} message {row}"' for row in range(ROW_COUNT)]
    source = "\n".join(["id,text", *rows]).encode()
    with worker_rig(tmp_path, embedders=2, LEVEL_SERVICE_PATIENCE_SECONDS="20") as rig:
        rig.hold("Vectors", after=3)  # parts of answers, of eight each
        dataset_id = rig.add_dataset(source=source)
        worker = rig.start_worker()
        rig.wait_for_call("Embed", 4)
        wait_until(lambda: rig.store.get(dataset_id).embedding)
        (dead,) = rig.more_embedders
        dead.kill()
        assert rig.callees("Embed")[dead.pid] > 0
        rig.wait_for_call("Embed", 5)  # what it had goes to the other
        worker.kill()
        rig.release("Vectors")
        rig.start_worker()
        dataset = rig.finish(dataset_id)
        assert (dataset.status, dataset.error) == (Status.COMPLETED, None)
        again = rig.finish(rig.add_dataset(source=source))
        assert rig.calls()["Embed"] >= 2 * BLOCKS
        assert rig.results(dataset_id)["vectors"] == rig.results(again.dataset_id)["vectors"]
        with running_gateway(rig.data_dir, rig.sockets, services=()) as gateway:
            status = httpx.get(f"{gateway.url}/api/status/{again.dataset_id}").json()
            text = httpx.get(f"{gateway.url}/metrics").text
    shown = status["embedding"]
    assert (shown["rows_done"], shown["cached_count"]) == (ROW_COUNT, ROW_COUNT)
    assert (shown["token_count"], shown["cache_hit_rate"], shown["seconds_left"]) == (0, 1.0, 0.0)
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert float(figures["level_embedding_texts_total"]) == 2 * ROW_COUNT
    assert ROW_COUNT <= float(figures["level_embedding_cached_texts_total"]) < 2 * ROW_COUNT
    assert float(figures["level_embedding_seconds_total"]) > 0
