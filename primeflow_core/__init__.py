"""PRiMeFlow: flow matching in gene-expression space for perturbation screens in silico."""

__version__ = "0.1.0"
