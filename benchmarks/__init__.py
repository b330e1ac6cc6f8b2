"""Speed and memory of Level, measured: `python -m benchmarks.NAME --help` says what each does.

Nothing here is a test: figures depend on the machine and on what else it does, so each report says
both. docs/benchmarks.md explains them and keeps figures obtained.
"""
