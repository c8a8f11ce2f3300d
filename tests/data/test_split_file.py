"""Split files as programs write them: separators, names with blanks, damage."""

import gzip

import pytest

from primeflow_core.data.split_file import listed_parts
from primeflow_core.errors import DataError


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("header", [True, False])
def test_commas_semicolons_and_tabs_separate(tmp_path, separator, header):
    rows = [("a", "train"), ("b", "test")]
    lines = [separator.join(row) for row in ([("cell", "split"), *rows] if header else rows)]
    (tmp_path / "s.csv").write_text("\n".join(lines))
    assert listed_parts(tmp_path / "s.csv") == dict(rows)


def test_names_keep_their_blanks_and_parts_do_not(tmp_path):
    (tmp_path / "s.csv").write_text("cell,split\n a ,train\na, test \n")
    assert listed_parts(tmp_path / "s.csv") == {" a ": "train", "a": "test"}


WHOLE = b"cell,split\n" + b"".join(b"c%d,train\n" % i for i in range(2000))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("s.csv", b"a,train\n" + b'"' + b"x" * 200_000 + b'",test\n'),
        ("s.csv", b"a,\xff\xfe\n"),
        ("s.csv.gz", WHOLE),
        ("s.csv.gz", gzip.compress(WHOLE)[:-9]),
        ("s.csv.gz", gzip.compress(WHOLE)[:20] + b"\x00\xff" * 200),
        ("s.csv.gz", b""),
    ],
)
def test_what_is_no_split_file_is_named(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=rf"^{name}"):
        listed_parts(tmp_path / name)
