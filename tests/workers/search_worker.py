"""A worker of the toy study's search as a process that tests may kill: `search_worker.py SETUP.json`."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow" / "scripts"))

if __name__ == "__main__":
    import torch
    from lexmerge.common.errors import StudyError
    from lexmerge.common.files import write_jsonl
    from search import run

    torch.set_num_threads(1)
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    setup = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.chdir(setup["project"])
    try:
        rows = run(setup["params"], setup["data"], setup["canonical"], setup["seed"], setup["worker"])
    except StudyError as error:
        sys.exit(str(error))
    write_jsonl(setup["out"], rows)
