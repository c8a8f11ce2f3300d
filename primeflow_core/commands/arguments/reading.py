"""Options that say how a data file is to be read, shared by every command that reads one."""

import argparse


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how the file is read (found by itself where possible)")
    group.add_argument("--condition", metavar="COLUMN", help="obs column with the perturbation of each cell")
    group.add_argument(
        "--covariates", metavar="COLUMN[,COLUMN]", help="obs columns with the context; an empty text for none"
    )
    group.add_argument("--control", metavar="LABEL", help="label of unperturbed cells")
    group.add_argument(
        "--separator", metavar="TEXT", help="joins the parts of a combination; `none` for no combinations"
    )
    group.add_argument("--dose", metavar="COLUMN", help="obs column with the dose of each cell")
    group.add_argument("--kind", metavar="COLUMN", help="obs column with the kind of perturbation (CRISPRa, drug, ...)")
    group.add_argument(
        "--normalise", action="store_true", help="values are counts: normalise them (log1p, median total)"
    )
