"""The ground of a terrain and its figures of balance, computed in this process.

The ground: 1,000 hills on a grid of 512 x 512. The figures: `measure` at 1,000 and 5,000 clusters,
which is what each adjustment computes.
"""

import time
from collections.abc import Callable

import numpy as np

from benchmarks.report import Report, make_parser, median_figure
from levelling import Groups, measure
from levelling.hills import Hills
from terrain_svc.height_field import build_terrain

GOAL_MS = 1_000.0


def main() -> None:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    parser.add_argument("--repeat", type=int, default=15, metavar="N", help="default: %(default)s")
    options = parser.parse_args()
    report = Report("terrain", vars(options))
    works: dict[str, Callable[[], object]] = {
        f"ground, {hills:,} hills, {size} x {size}": _ground(hills, size)
        for hills, size in ((100, 100), (1_000, 100), (1_000, 512), (5_000, 512))
    }
    works |= {f"figures, {count:,} clusters": _figures(count) for count in (1_000, 5_000)}
    samples: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(options.repeat):
        for name, work in works.items():
            work()  # what the one before it left in caches and threads is gone
            start = time.perf_counter()
            work()
            samples[name].append(1_000 * (time.perf_counter() - start))
    for name, times in samples.items():
        goal = GOAL_MS if "1,000 hills, 512" in name else None
        report.add(median_figure(name, times, "ms", goal))
    report.finish(options.json)


def _ground(hill_count: int, grid_size: int) -> Callable[[], object]:
    chance = np.random.default_rng(0)
    x, z = chance.uniform(0, grid_size - 1, (2, hill_count))
    radius = chance.uniform(1, grid_size / 16, hill_count)
    height = 10 / np.arange(1, hill_count + 1)
    hills = Hills(np.arange(hill_count), x, z, radius, height)
    return lambda: build_terrain(hills, grid_size)


def _figures(cluster_count: int) -> Callable[[], object]:
    chance = np.random.default_rng(0)
    ids = np.arange(-1, cluster_count)
    counts = chance.zipf(1.5, ids.size).clip(max=10_000)
    groups = Groups(ids, chance.uniform(0, 3, ids.size), counts)
    return lambda: measure(groups)


if __name__ == "__main__":
    main()
