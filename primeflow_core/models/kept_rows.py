"""Tensors stored with a model whose number of rows is known only after the cells are read."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


class KeptRows(nn.Module):
    """Buffers by name; a saved state brings its own number of rows, the sizes of a row must be the same."""

    def __init__(self, empty: Mapping[str, Tensor]) -> None:
        """``empty``: (0, ...) tensors of the right type and size of a row."""
        super().__init__()
        for name, tensor in empty.items():
            self.register_buffer(name, tensor)

    def keep(self, rows: Mapping[str, Tensor]) -> None:
        """Tensors (n, ...) in place of those that are there, as the same type and on the same device."""
        for name, tensor in rows.items():
            before = self.get_buffer(name)
            setattr(self, name, tensor.detach().to(before.device, before.dtype))

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        for name, before in list(self.named_buffers(recurse=False)):
            stored = state_dict.get(prefix + name)
            if stored is not None:
                setattr(self, name, before.new_zeros((*stored.shape[:1], *before.shape[1:])))
        super()._load_from_state_dict(state_dict, prefix, *rest)
