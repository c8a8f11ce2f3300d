"""The default settings of an evaluation. No heavy imports, so that ``--help`` can show them."""

PCS = 30
"""Principal components of MMD PCA, as in PerturBench."""
TOP_GENES = 50
"""Genes that DEG recall looks for, as in PerturBench."""
RESAMPLES = 200
"""Bootstrap samples of an interval."""
FEWEST = 4
"""Cells that a floor, or one half for a ceiling, needs at least."""
