"""Reading an upload and writing its exports, in MB of the upload a second.

The file is generated: 50 MB with quotes, line breaks in cells and letters beyond ASCII. Beside each
stands what Python's csv module does in the same run, which keeps neither the rows nor their bytes:
a ratio of 0.5 is half of its speed.
"""

import csv
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.input_files import write_table
from benchmarks.report import Report, make_parser, median_figure
from benchmarks.running import temporary_folder
from gateway.tables import RECORDS_FILE, TableInfo, read_table, write_resampled, write_weighted
from levelling import resample_rows


def main() -> None:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    parser.add_argument("--megabytes", type=int, default=50, metavar="N", help="default: 50")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="default: %(default)s")
    options = parser.parse_args()
    report = Report("tables", vars(options))
    with temporary_folder() as folder:
        path = write_table(folder / "table.csv", options.megabytes * 1_000_000)
        info = read_table(path, folder)
        print(f"{path.stat().st_size / 1e6:.1f} MB, {info.row_count:,} rows\n")
        _measure(report, _works(path, folder, info), options.repeat, path.stat().st_size / 1e6)
    report.finish(options.json)


def _works(path: Path, folder: Path, info: TableInfo) -> dict[str, Callable[[], object]]:
    spans = np.load(folder / RECORDS_FILE)
    weights = np.random.default_rng(0).uniform(0.1, 3.0, info.row_count)
    out = folder / "out.csv"

    def weighted() -> None:
        with out.open("wb") as file:
            file.writelines(write_weighted(path, spans, info, weights))

    def resampled() -> None:
        rows = resample_rows(weights).tolist()
        with out.open("wb") as file:
            file.writelines(write_resampled(path, spans, info, rows))

    return {
        "csv module: read": lambda: _csv_read(path),
        "csv module: read, write": lambda: _csv_copy(path, out),
        "read": lambda: read_table(path, folder),
        "export, weighted": weighted,
        "export, resampled": resampled,
    }


def _measure(
    report: Report, works: dict[str, Callable[[], object]], repeats: int, megabytes: float
) -> None:
    speeds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            speeds[name].append(megabytes / (time.perf_counter() - start))
    for name, samples in speeds.items():
        report.add(median_figure(name, samples, "MB/s"))
    for name, samples in speeds.items():
        if name.startswith("csv module"):
            continue
        plain = speeds["csv module: read" if name == "read" else "csv module: read, write"]
        ratios = [ours / theirs for ours, theirs in zip(samples, plain, strict=True)]
        report.add(median_figure(f"{name}, ratio to the csv module", ratios, "times"))


def _csv_read(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file))


def _csv_copy(path: Path, out: Path) -> None:
    with (
        path.open(encoding="utf-8", newline="") as source,
        out.open("w", encoding="utf-8", newline="") as target,
    ):
        writer = csv.writer(target)
        for row in csv.reader(source):
            writer.writerow([*row, 1.0])


if __name__ == "__main__":
    main()
