"""The formats that can be read, the more particular first."""

from primeflow_core.data.formats.file_format import FileFormat
from primeflow_core.data.formats.h5ad_file import H5AD, OLD_H5AD
from primeflow_core.data.formats.h5mu import H5MU
from primeflow_core.data.formats.loom import LOOM
from primeflow_core.data.formats.mtx import MTX
from primeflow_core.data.formats.tenx_h5 import TENX_H5
from primeflow_core.data.formats.text_matrix import TEXT
from primeflow_core.data.formats.zarr_store import ZARR

FORMATS: tuple[FileFormat, ...] = (H5MU, LOOM, TENX_H5, OLD_H5AD, H5AD, ZARR, MTX, TEXT)
