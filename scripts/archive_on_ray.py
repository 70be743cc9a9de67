"""Label an archive on a Ray cluster of three nodes on this machine, one of which is killed meanwhile.

    python scripts/archive_on_ray.py models/street.onnx recordings out

Needs the extra `ray`. Prints how many recordings are done; the tables in the last folder are then complete, each part once.
"""

from __future__ import annotations

import os
import sys
import time

from edgecls.archive.archive import Archive
from edgecls.archive.on_ray import RayCluster


def main() -> int:
    """Archive, and kill a node when the first recording is done."""
    model, places, out = sys.argv[1:]
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    victim, _ = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    os.environ["RAY_ADDRESS"] = cluster.address
    began, is_killed = time.monotonic(), False
    ray = RayCluster("ray")
    print(f"{ray.cores} cores")
    with Archive(model, [places], out=out, workers=ray.cores, executor=ray) as archive:
        while (progress := archive.step()) is not None:
            if progress.done and not is_killed:
                is_killed = True
                print(f"a node is killed after {progress.done} recordings")
                cluster.remove_node(victim, allow_graceful=False)
        progress = archive.progress
    passed_s = time.monotonic() - began
    print(f"{progress.done} of {progress.recordings} recordings, {progress.unreadable} unreadable, {passed_s:.1f} s")
    cluster.shutdown()
    return int(progress.done != progress.recordings or progress.unreadable > 0)


if __name__ == "__main__":
    sys.exit(main())
