"""What a plan assumes."""


def assumptions():
    """What a plan assumes."""
    counted = Path(f"{RESULTS}/vocabulary/terms.tsv").is_file()
    known = {"name": "by its name", "assumed": "assumed: give it under `parameters`"}
    return [
        *(
            f"{name} has {size.parameters / 1e9:g} billion parameters, {known[size.known_by]}"
            for name, size in SIZES.items()
            if size.known_by in known
        ),
        *(
            f"{judge} answers within a day, since it is asked in batches"
            for judge in JUDGES
            if STUDY["judges"][judge].get("mode") == "batch"
        ),
        f"{terms()} terms, {'as chosen' if counted else 'until the vocabulary is made'}",
    ]
