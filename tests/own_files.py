"""Small .h5ad files such as people bring, and the model that they meet: 10 genes, K562, KLF1 and CEBPA."""

import io
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from primeflow_core.data.conditions import Condition, Perturbation, Vocabulary
from primeflow_core.data.layout import Layout
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.sampling_plan import SamplingPlan

GENES = ("GATA1", "TP53", "KLF1", "CEBPA", "ACTB", "GAPDH", "MYC", "SPI1", "HBB", "HBG1")
ENSEMBL = (
    "ENSG00000102145", "ENSG00000141510.17", "ENSG00000105610", "ENSG00000245848", "ENSG00000075624",
    "ENSG00000111640", "ENSG00000136997", "ENSG00000066336", "ENSG00000244734", "ENSG00000213934",
)  # fmt: skip
K562 = (("cell_type", "k562"),)
LABELS = ["control"] * 12 + ["KLF1"] * 8 + ["CEBPA"] * 8 + ["KLF1+CEBPA"] * 8 + ["XYZ9"] * 4


def known(*names: str) -> Condition:
    return Condition(tuple(Perturbation(name) for name in sorted(names)), K562)


def manifest(genes: tuple[str, ...] = GENES) -> Manifest:
    trained = (known(), known("KLF1"), known("CEBPA"))
    return Manifest(
        "little", "2026-01-01T00:00:00+00:00", "tiny", {}, genes, Vocabulary.from_conditions(trained),
        Layout(covariates=("cell_type",)), trained, (), (known("CEBPA", "KLF1"),), "little.h5ad", "0" * 64,
        False, SamplingPlan(), 0, None, {},
    )  # fmt: skip


def counts(cells: int = len(LABELS), genes: int = len(GENES)) -> np.ndarray:
    return np.random.default_rng(0).poisson(3.0, (cells, genes)).astype(np.float32)


def logged(x: np.ndarray) -> np.ndarray:
    """log1p of counts at their median total."""
    totals = x.sum(axis=1, keepdims=True)
    return np.log1p(x / totals * np.median(totals)).astype(np.float32)


def table(labels: list[str] | None = None, **columns: list[str]) -> pd.DataFrame:
    labels = LABELS if labels is None else labels
    named = {"condition": labels, "cell_type": ["K562"] * len(labels)} | columns
    return pd.DataFrame(named, index=[f"mine{i}" for i in range(len(labels))])


def brought(
    folder: Path,
    x: np.ndarray | None = None,
    obs: pd.DataFrame | None = None,
    names: tuple[str, ...] = GENES,
    **var: list[str],
) -> Path:
    """Write a file; by default log-normalised cells of the model's own genes, labelled in its own words."""
    obs = table() if obs is None else obs
    x = logged(counts(len(obs), len(names))) if x is None else x
    path = folder / "cells.h5ad"
    adata = anndata.AnnData(sp.csr_matrix(x), obs=obs, var=pd.DataFrame(var, index=pd.Index(list(names))))
    adata.write_h5ad(path)
    return path


def sent(path: Path) -> io.BytesIO:
    return io.BytesIO(path.read_bytes())
