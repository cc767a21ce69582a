"""Files and folders are whole or what they were, and a table is read as it was written."""

import pandas as pd
import pytest
from lexmerge.common.files import fresh_file, fresh_folder, read_tsv, write_jsonl, write_tsv


def test_a_file_is_whole_or_what_it_was(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [{"a": 1}])
    with pytest.raises(RuntimeError), fresh_file(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == '{"a": 1}\n'
    assert [f.name for f in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_folder_is_whole_or_what_it_was(tmp_path):
    folder = tmp_path / "merge"
    with fresh_folder(folder) as part:
        (part / "old").touch()
    with pytest.raises(RuntimeError), fresh_folder(folder) as part:
        (part / "new").touch()
        raise RuntimeError
    assert [f.name for f in folder.iterdir()] == ["old"]
    with fresh_folder(folder) as part:
        (part / "new").touch()
    assert [f.name for f in folder.iterdir()] == ["new"], "nothing stale is left"
    assert [f.name for f in tmp_path.iterdir()] == ["merge"]


def test_a_term_such_as_na_stays_a_term(tmp_path):
    (tmp_path / "t.tsv").write_text('# note\nterm\tn\nNA\t1\nnull\t\n"x\t3\n', encoding="utf-8")
    assert read_tsv(tmp_path / "t.tsv").term.to_list() == ["NA", "null", '"x']
    write_tsv(tmp_path / "u.tsv", read_tsv(tmp_path / "t.tsv"), ["note"])
    assert (tmp_path / "u.tsv").read_text() == (tmp_path / "t.tsv").read_text()
    with pytest.raises(Exception, match="need to escape"):
        write_tsv(tmp_path / "v.tsv", pd.DataFrame({"term": ["two\tcells"]}))


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    (tmp_path / "t.tsv").write_text("term\tn\nx\t1\n", encoding="utf-8-sig")
    assert list(read_tsv(tmp_path / "t.tsv")) == ["term", "n"]
