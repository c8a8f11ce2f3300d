"""Options that say how a data file is to be read, shared by every command that reads one."""

import argparse
from pathlib import Path


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """What is not given is as in the record of the split, for a named data set as is known of it, else found."""
    group = parser.add_argument_group("how the file is read (found by itself where possible, and given once)")
    group.add_argument("--condition", metavar="COLUMN", help="obs column with the perturbation of each cell")
    group.add_argument(
        "--covariates", metavar="COLUMN[,COLUMN]", help="obs columns with the context; an empty text for none"
    )
    group.add_argument(
        "--control",
        metavar="LABEL",
        action="append",
        help="label of unperturbed cells, or a pattern with * and ?; repeat it for several",
    )
    group.add_argument(
        "--separator", metavar="TEXT", help="joins the parts of a combination; `none` for no combinations"
    )
    group.add_argument("--dose", metavar="COLUMN", help="obs column with the dose of each cell")
    group.add_argument("--kind", metavar="COLUMN", help="obs column with the kind of perturbation (CRISPRa, drug, ...)")
    add_guide_option(group)
    add_value_options(group)


def add_guide_option(group: argparse._ActionsContainer) -> None:
    """Whether labels of single guides are read as their genes."""
    group.add_argument(
        "--merge-guides",
        action="store_true",
        default=None,
        help="read guides such as ZAP70_1 and sgZAP70-2 as their gene, ZAP70",
    )


def add_value_options(group: argparse._ArgumentGroup) -> None:
    """Which part of the file is read, where the values are, and how they are brought to the log scale."""
    add_part_options(group)
    matrix = group.add_mutually_exclusive_group()
    matrix.add_argument("--layer", metavar="NAME", help="read the values from this layer, not from X")
    matrix.add_argument("--raw", action="store_true", help="read the values and genes from raw, not from X")
    group.add_argument(
        "--normalise",
        action=argparse.BooleanOptionalAction,
        help="bring the values to the log scale: log1p at the median total (default: where they are counts)",
    )


def add_part_options(group: argparse._ArgumentGroup) -> None:
    """Which part of the file is read, and with which table of its cells."""
    group.add_argument("--modality", metavar="NAME", help="the modality of a .h5mu to read (default: the one of RNA)")
    group.add_argument(
        "--metadata", metavar="TABLE", type=Path,
        help="csv or tsv that describes the cells, joined by their names (default: one beside the file)",
    )  # fmt: skip


def accept_reading_options(parser: argparse.ArgumentParser) -> None:
    """Options of earlier versions: the command reads its file as the model's training did."""
    for name in ("--condition", "--covariates", "--control", "--separator", "--dose", "--kind"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--merge-guides", action="store_true", default=None, help=argparse.SUPPRESS)
    parser.add_argument("--normalise", action="store_true", default=None, help=argparse.SUPPRESS)
