"""The parts of Level in this process: what `level.local_stages` is put together from.

Modules of the services that compute are imported when they are first used, each in a thread, so
that importing this package needs no extra and takes no time.
"""
