"""Snakemake, with each script run by the Python of its rule's environment, as `--sdm conda` runs it.

OWN_ENVIRONMENTS has the folder of the environment of each script, as JSON. Snakemake writes the script with
a preamble, which unpickles the object `snakemake` with Snakemake's own files, found at the end of the search
path. With conda it then activates the environment and starts `python`; here the environment is only put first
in PATH.
"""

import json
import os
from pathlib import Path

from snakemake.cli import main
from snakemake.script import PythonScript

ENVIRONMENTS = json.loads(os.environ.pop("OWN_ENVIRONMENTS"))


def execute_script(script: PythonScript, fname: str, edit: bool = False) -> None:
    """Start `python` of the environment, with the name under which Snakemake has written the script."""
    folder = ENVIRONMENTS[Path(script.path.get_path_or_uri(secret_free=True)).name]
    path = {"PATH": f"{folder}/bin{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": folder}
    script._execute_cmd("python {fname:q}", fname=fname, is_python_script=True, additional_envvars=path)


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)  # as Snakemake does with conda
    PythonScript.execute_script = execute_script
    main()
