"""A job that reads a merge for a while: `python pool_worker.py FOLDER SECONDS TIMING KNOWN`.

If it has to make the merge again, it takes a second to copy the weights from the folder KNOWN; without one it
merges, as any job of a study.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow" / "scripts"))

from lexmerge.common.errors import StudyError
from lexmerge.merges import checkpoint_pool as pool

COPY = "import shutil, sys, time; time.sleep(1); shutil.copy(sys.argv[1] + '/model.safetensors', sys.argv[3])"

if __name__ == "__main__":
    folder, seconds, timing, known = sys.argv[1:]
    if known:
        pool.REMAKE = ("-c", COPY, known)
    try:
        with pool.checkpoint(folder, pool.Timing(**json.loads(timing))):
            began = time.time()
            there = sorted(file.name for file in Path(folder).glob("*.safetensors"))
            time.sleep(float(seconds))
            print(json.dumps({"began": began, "ended": time.time(), "there": there}))
    except StudyError as error:
        sys.exit(str(error))
