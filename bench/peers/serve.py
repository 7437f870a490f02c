"""What the peers have in common: they are driven over standard input by bench/peer-process.ts, one process for
each mode and thread count.

A first line out: the version. Then lines of JSON. {"open": workload} answers null once the work was done for the first time, with
whatever had to be compiled; {"run": n} the seconds that n runs took; {"close": true} null. An answer {"error": text} says why not.
"""

import json
import sys
import time
from collections.abc import Callable

Run = Callable[[int], None]


def serve(version: str, open_workload: Callable[[dict], Run]) -> None:
    """`open_workload` gives the function that does a workload so many times, or raises NotImplementedError."""
    print(json.dumps(version), flush=True)
    run = None
    for line in sys.stdin:
        question = json.loads(line)
        answer = None
        try:
            if "open" in question:
                run = open_workload(question["open"])
                run(1)
            elif "close" in question:
                run = None
            else:
                start = time.perf_counter()
                run(question["run"])
                answer = time.perf_counter() - start
        except Exception as error:
            lines = str(error).strip().splitlines()
            answer = {"error": lines[0] if lines else type(error).__name__}
        print(json.dumps(answer), flush=True)
