"""A worker's place among all that train one network."""

import json
import os


def place_among_workers():
    """This worker's number and how many there are, of which only TF_CONFIG knows.

    A chief is a worker too, and the first one: the others are counted from 0 beside it.
    """
    config = json.loads(os.environ["TF_CONFIG"])
    cluster, task = config["cluster"], config["task"]
    chiefs, workers = (len(cluster.get(job, ())) for job in ("chief", "worker"))
    before = chiefs if task["type"] == "worker" else 0
    return before + task["index"], chiefs + workers
