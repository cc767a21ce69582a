"""The assumptions of a plan."""

from lexmerge.common.plurals import counted


def assumptions():
    """A line for each assumption about the sizes of models, waiting times, and the numbers of terms and documents."""
    known_terms = Path(f"{RESULTS}/vocabulary/terms.tsv").is_file()
    known = {"name": "by its name", "assumed": "an assumption: set it in `parameters`"}
    return [
        *(
            f"{name} has {size.parameters / 1e9:g} billion parameters, {known[size.known_by]}"
            for name, size in SIZES.items()
            if size.known_by in known
        ),
        *(
            f"{judge} answers within a day, in batches"
            for judge in JUDGES
            if STUDY["judges"][judge].get("mode") == "batch"
        ),
        *(
            f"{suite}: {documents(suite) // len(tasks_of(suite))} documents in each of its tasks "
            f"({len(tasks_of(suite))}), because only the harness knows the real number"
            for suite in SUITES
            if not data_source(suite).documents
        ),
        f"{counted(terms(), 'term')}, {'as counted' if known_terms else 'until the vocabulary is made'}",
    ]
