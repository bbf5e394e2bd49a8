"""What runs in a measured process: it works on command, and tells how long.

Needs nothing but Python, so that it serves in the environment of any library.
"""

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable


def serve(make: Callable[[dict], dict], packages: tuple[str, ...]) -> None:
    """Make what is measured, then measure it for as long as commands come.

    Prints one line of JSON when all is ready, and one for each line `WORK N`
    on the input: the `seconds` it took, and how much was `done`.

    Args:
        make: Called with the settings (JSON, the first argument of the
            program), returns functions of N by their names. What they return
            is what was done, N itself if it is `None`; a dictionary joins the
            answer. What stands under `"report"` is no function and is told
            at the start.
        packages: Whose versions to tell.
    """
    # Answers only: what libraries print goes elsewhere.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    works = make(json.loads(sys.argv[1]))
    report = {
        "versions": {p: importlib.metadata.version(p) for p in packages},
        **works.pop("report", {}),
    }
    report["works"] = list(works)
    print(json.dumps(report), file=answers)
    for line in sys.stdin:
        name, count = line.split()
        start = time.perf_counter()
        done = works[name](int(count))
        answer = {"seconds": time.perf_counter() - start, "done": int(count)}
        if isinstance(done, dict):
            answer |= done
        elif done is not None:
            answer["done"] = int(done)
        print(json.dumps(answer), file=answers)
