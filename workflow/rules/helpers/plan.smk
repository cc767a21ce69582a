"""The assumptions of a plan."""

from lexmerge.common.plurals import counted


def assumptions():
    """A line for each assumption about the sizes of models, waiting times and the number of terms."""
    made = Path(f"{RESULTS}/vocabulary/terms.tsv").is_file()
    known = {"name": "by its name", "assumed": "an assumption: set it in `parameters`"}
    return [
        *(
            f"{name} has {size.parameters / 1e9:g} billion parameters, {known[size.known_by]}"
            for name, size in SIZES.items()
            if size.known_by in known
        ),
        *(
            f"{judge} answers within a day, as it is asked in batches"
            for judge in JUDGES
            if STUDY["judges"][judge].get("mode") == "batch"
        ),
        f"{counted(terms(), 'term')}, {'as counted' if made else 'until the vocabulary is made'}",
    ]
