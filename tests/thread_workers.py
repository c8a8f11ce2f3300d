"""Workers that are threads of this process, for what does not hang on processes."""

from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, LocalCluster


@contextmanager
def thread_workers(count: int) -> Iterator[Client]:
    """In place of ``workers.local_workers``."""
    with (
        LocalCluster(n_workers=count, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client
