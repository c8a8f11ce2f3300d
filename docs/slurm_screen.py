"""Screen on a SLURM cluster: its jobs are Dask workers, of one core each, and `primeflow screen` runs on them.

Run it where you would call sbatch, on a machine that stays on. All nodes must see the folders of the model and of --out
under the same path. The arguments of `primeflow screen` follow `--`:

    pip install -e '.[slurm]'
    python docs/slurm_screen.py --jobs 20 --hours 4 --memory 6GB -- --model checkpoints/perturbench-devel \\
        --candidates all-pairs --goal effect --out hits.parquet

`--show` prints the script of one job and submits nothing. Jobs that reach their time limit are replaced. If this
process ends, run the same command again to resume.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import dask

from primeflow_core.__main__ import main as primeflow
from primeflow_core.commands.terminal import say
from primeflow_core.runtime.dask_workers import LOSSES, ONE_THREAD

if TYPE_CHECKING:
    from dask_jobqueue import SLURMCluster


def cluster_of(given: argparse.Namespace) -> "SLURMCluster":
    """A scheduler in this process; no job is submitted yet."""
    from dask_jobqueue import SLURMCluster

    return SLURMCluster(
        cores=1,
        processes=1,
        memory=given.memory,
        walltime=f"{given.hours:02d}:00:00",
        queue=given.partition,
        account=given.account,
        interface=given.interface,
        job_script_prologue=[f"export {name}={value}" for name, value in ONE_THREAD.items()],
        log_directory=given.logs,
        scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    )


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=4, help="how many workers, each one core (default: %(default)s)")
    parser.add_argument("--hours", type=int, default=4, help="time limit of a job, in hours (default: %(default)s)")
    parser.add_argument("--memory", default="6GB", help="memory of a job (default: %(default)s)")
    parser.add_argument("--partition", help="SLURM partition (default: the cluster's)")
    parser.add_argument("--account", help="SLURM account (default: yours)")
    parser.add_argument("--interface", help="network interface by which workers reach this machine, for example ib0")
    parser.add_argument("--logs", default="slurm-logs", help="folder for the jobs' output (default: %(default)s)")
    parser.add_argument("--show", action="store_true", help="print the script of one job and submit nothing")
    parser.add_argument("screen", nargs=argparse.REMAINDER, help="--, then the arguments of primeflow screen")
    return parser


def main(words: Sequence[str]) -> int:
    """The exit code of `primeflow screen`, or 0 after ``--show``."""
    given = arguments().parse_args(words)
    with dask.config.set({"distributed.scheduler.allowed-failures": LOSSES}), cluster_of(given) as cluster:
        if given.show:
            say(cluster.job_script())
            return 0
        cluster.adapt(minimum_jobs=given.jobs, maximum_jobs=given.jobs)
        asked = [word for word in given.screen if word != "--"]
        return primeflow(["screen", *asked, "--scheduler", cluster.scheduler_address])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
