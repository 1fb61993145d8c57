"""The process of one contestant: `python -m pipelines.benchmarks.worker MODULE ARGUMENTS`.

It reads calls as lines of JSON from standard input, and answers each with a line on standard
output; whatever else libraries print goes to standard error.

    {"method": "train", "arguments": {"epochs": 2}}  ->  {"result": null, "seconds": 1.9}
                                                     or  {"error": "..."}
"""

import contextlib
import importlib
import json
import os
import sys
import time
import traceback

#: What TensorFlow imports wherever it is installed: who doesn't require it runs without.
UNINVITED = "jax"


def main(argv):
    """Builds the contestant and answers calls until standard input ends."""
    module, arguments = argv
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def answer(make):
        print(json.dumps(_timed(make)), file=channel)

    contestant = None

    def build():
        nonlocal contestant
        loaded = importlib.import_module(module)
        if UNINVITED not in loaded.REQUIRES:
            sys.modules[UNINVITED] = None  # type: ignore[assignment] # as if it weren't installed
        contestant = loaded.Contestant(**json.loads(arguments))

    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        answer(build)
        for line in sys.stdin:
            call = json.loads(line)
            answer(lambda call=call: getattr(contestant, call["method"])(**call["arguments"]))


def _timed(make):
    """Calls a function; an error is an answer too: the contestant may lack a compiler, say."""
    began = time.perf_counter()
    try:
        result = make()
    except Exception as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}".partition("\n")[0]}
    return {"result": result, "seconds": time.perf_counter() - began}


if __name__ == "__main__":
    main(sys.argv[1:])
