"""Requests to a real gateway: `adjust` at 1,000 clusters, and `status` while it is busy.

adjust: clients that send one adjustment after the other, of one cluster or of all 1,000 at once.
status: p50 while a dataset is processed against p50 while nothing is; idle and busy spells take
turns, and in each a closed loop (one client, no pause) and an open loop (fixed moments) take turns.
"""

import json
import random
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count, cycle
from pathlib import Path

from benchmarks.input_files import write_messages
from benchmarks.load import Answered, Connection, closed_loop, open_loop, percentile_ms
from benchmarks.many_clusters import store_dataset
from benchmarks.processes import sample_processes
from benchmarks.report import Figure, Report, make_parser, median_figure
from benchmarks.running import running_stack, temporary_folder
from level.client import GatewayClient
from level.stack import LocalStack

GOAL_ADJUSTMENTS = 100.0
GOAL_RATIO = 2.0
SPELL_SECONDS = 2.0
IDLE_TURNS = 3
BODIES = 32

Loop = Callable[[Callable[[], bytes]], list[Answered]]


def main() -> None:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    parser.add_argument("--clusters", type=int, default=1_000, help="default: %(default)s")
    parser.add_argument("--rows", type=int, default=6_000, help="rows of the dataset processed")
    parser.add_argument("--rate", type=float, default=20.0, help="open loop: requests a second")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="default: %(default)s")
    parser.add_argument("--only", choices=("adjust", "status"), help="default: both")
    options = parser.parse_args()
    report = Report("requests", vars(options))
    with temporary_folder() as folder:
        dataset_id = store_dataset(folder / "store", options.clusters)
        busy_file = write_messages(folder / "messages.csv", options.rows)
        with running_stack(folder / "store") as stack:
            if options.only != "status":
                _measure_adjust(report, _port(stack), dataset_id, options.clusters, options.repeat)
            if options.only != "adjust":
                _measure_status(report, stack, busy_file, options.rate, options.repeat)
    report.finish(options.json)


def _measure_adjust(
    report: Report, port: int, dataset_id: str, clusters: int, repeats: int
) -> None:
    cases = {
        "adjust one cluster, 1 client": (1, 1),
        "adjust one cluster, 4 clients": (1, 4),
        f"adjust all {clusters:,}, 1 client": (clusters, 1),
        f"adjust all {clusters:,}, 4 clients": (clusters, 4),
    }
    rates: dict[str, list[float]] = defaultdict(list)
    costs: dict[str, list[float]] = defaultdict(list)
    times: dict[str, list[Answered]] = defaultdict(list)
    for _ in range(repeats):
        for name, (changed, clients) in cases.items():
            busy_before = _gateway_cpu_seconds()
            answered, seconds = _adjust(port, dataset_id, clusters, changed, clients)
            busy = _gateway_cpu_seconds() - busy_before
            rates[name].append(len(answered) / seconds)
            costs[name].append(1_000 * busy / len(answered))
            times[name] += answered
    for name, answered in times.items():
        rate = median_figure(name, rates[name], "requests/s", GOAL_ADJUSTMENTS, more_is_better=True)
        report.add(
            rate,
            Figure(f"{name}, p50", percentile_ms(answered, 50), "ms"),
            Figure(f"{name}, p99", percentile_ms(answered, 99), "ms"),
            median_figure(f"{name}, processor", costs[name], "ms each"),
        )


def _adjust(
    port: int, dataset_id: str, clusters: int, changed: int, clients: int
) -> tuple[list[Answered], float]:
    """Return what was answered to so many clients, and how long they took, in seconds."""
    path = f"/api/adjust/{dataset_id}"

    def run(bodies: list[bytes]) -> list[Answered]:
        connection, following = Connection(port), cycle(bodies)
        return closed_loop(lambda: connection.post(path, next(following)), SPELL_SECONDS)

    bodies = [_bodies(seed, clusters, changed) for seed in range(clients)]
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        answered = [one for some in pool.map(run, bodies) for one in some]
    return answered, time.perf_counter() - start


def _bodies(seed: int, clusters: int, changed: int) -> list[bytes]:
    """Return different adjustments of so many clusters each."""
    chance = random.Random(seed)
    adjustments = [
        {str(cluster): round(chance.uniform(0.1, 3), 3) for cluster in chosen}
        for chosen in (chance.sample(range(clusters), changed) for _ in range(BODIES))
    ]
    return [json.dumps({"adjustments": weights}).encode() for weights in adjustments]


def _measure_status(
    report: Report, stack: LocalStack, busy_file: Path, rate: float, repeats: int
) -> None:
    loops: dict[str, Loop] = {
        "one client, no pause": lambda call: closed_loop(call, SPELL_SECONDS),
        f"{rate:g} a second": lambda call: open_loop(call, SPELL_SECONDS, rate),
    }
    idle: dict[str, list[list[Answered]]] = defaultdict(list)
    busy: dict[str, list[list[Answered]]] = defaultdict(list)
    connection = Connection(_port(stack))
    with stack.client(timeout=600.0) as http:
        client = GatewayClient(http)
        for _ in range(repeats):
            completed = client.datasets()[0]["dataset_id"]
            time.sleep(SPELL_SECONDS)  # what the last dataset left to do is done
            for name, answered in _poll(loops, connection, completed, IDLE_TURNS).items():
                idle[name].append(answered)
            processing = client.upload(busy_file, {})["dataset_id"]
            for name, answered in _poll(loops, connection, processing).items():
                busy[name].append([one for one in answered if one.value["status"] == "processing"])
    for name in loops:
        _report_status(report, name, idle[name], busy[name])
    _report_stages(report, [one for spells in busy.values() for spell in spells for one in spell])


def _poll(
    loops: dict[str, Loop], connection: Connection, dataset_id: str, turns: int | None = None
) -> dict[str, list[Answered]]:
    """Return what each loop was answered, the loops taking turns, so many or until the end."""
    answered: dict[str, list[Answered]] = defaultdict(list)
    for turn in count():
        for name, loop in loops.items():
            answered[name] += loop(lambda: connection.get(f"/api/status/{dataset_id}"))
        if turn + 1 == turns or answered[name][-1].value["status"] == "failed":
            return answered
        if turns is None and answered[name][-1].value["status"] == "completed":
            return answered
    raise AssertionError("count() does not end")


def _report_status(
    report: Report, name: str, idle: list[list[Answered]], busy: list[list[Answered]]
) -> None:
    medians = {"idle": [percentile_ms(spell, 50) for spell in idle]}
    medians["busy"] = [percentile_ms(spell, 50) for spell in busy]
    for state, samples in medians.items():
        report.add(median_figure(f"status {state}, {name}, p50", samples, "ms"))
        spells = {"idle": idle, "busy": busy}[state]
        worst = [percentile_ms(spell, 99) for spell in spells]
        report.add(median_figure(f"status {state}, {name}, p99", worst, "ms"))
    ratios = [two / one for one, two in zip(medians["idle"], medians["busy"], strict=True)]
    report.add(median_figure(f"status, {name}, p50 busy/idle", ratios, "times", GOAL_RATIO))


def _report_stages(report: Report, answered: list[Answered]) -> None:
    by_stage: dict[str, list[Answered]] = defaultdict(list)
    for one in answered:
        by_stage[one.value["stage"]].append(one)
    for stage, some in by_stage.items():
        report.add(Figure(f"status busy, in {stage}, p50", percentile_ms(some, 50), "ms"))


def _gateway_cpu_seconds() -> float:
    processes = sample_processes().values()
    return sum(process.cpu_seconds for process in processes if process.name == "gateway")


def _port(stack: LocalStack) -> int:
    return int(stack.url.rpartition(":")[2])


if __name__ == "__main__":
    main()
