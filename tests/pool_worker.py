"""A job that reads a merge for a while, for test_pool.py: `python pool_worker.py FOLDER SECONDS TIMING`."""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from lexmerge.errors import StudyError
from lexmerge.pool import Timing, checkpoint

if __name__ == "__main__":
    folder, seconds, timing = sys.argv[1:]
    try:
        with checkpoint(folder, Timing(**json.loads(timing))):
            began = time.time()
            print(f"reads {folder}", flush=True)
            there = sorted(file.name for file in Path(folder).glob("*.safetensors"))
            time.sleep(float(seconds))
            print(json.dumps({"began": began, "ended": time.time(), "there": there}))
    except StudyError as error:
        sys.exit(str(error))
