"""The number type of matrix products: bfloat16 where the processor multiplies it faster, weights stay in float32."""

import torch

AUTO, FLOAT32, BFLOAT16 = "auto", "float32", "bfloat16"


def chosen(precision: str, device: torch.device) -> str:
    """``precision``, with ``auto`` settled: bfloat16 where ``device`` has instructions for it, else float32."""
    if precision != AUTO:
        return precision
    return BFLOAT16 if _multiplies_bfloat16(device) else FLOAT32


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def products(precision: str, device: torch.device) -> torch.autocast:
    """A context in which matrix products and convolutions take ``precision``; weights and norms stay in float32."""
    half = chosen(precision, device) == BFLOAT16
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=half)
