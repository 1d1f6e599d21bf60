#!/bin/sh
# safetensors 0.8.0 writes other numbers for a NumPy view than 0.7.0, without an error.
#
# Versions: safetensors 0.7.0 and 0.8.0, numpy 2.4.6, Python 3.11 or newer; needs python3 and pip.
# Expected: what save_file takes is what load_file gives, as up to 0.7.0.
# Seen:     0.8.0 stores the memory at the view's first element in its order there, whatever the strides. A transposed
#           array and one with every second column come back with other numbers, in the right shape. The docstrings of
#           both versions ask for contiguous arrays, but neither checks; the PyTorch writer refuses such a tensor.
# Remedy:   numpy.ascontiguousarray before saving.
#
#| 0.7.0 transposed [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
#| 0.7.0 columns [[0.0, 2.0], [3.0, 5.0]]
#| 0.8.0 transposed [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
#| 0.8.0 columns [[0.0, 1.0], [2.0, 3.0]]
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
python="$work/venv/bin/python"
"$python" -m pip install --quiet numpy==2.4.6
cat > "$work/views.py" <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

table = np.arange(6, dtype=np.float32).reshape(2, 3)
file = Path(sys.argv[1])
for name, view in {"transposed": table.T, "columns": table[:, ::2]}.items():
    save_file({"view": view}, file)
    print(version("safetensors"), name, load_file(file)["view"].tolist())
    save_file({"view": np.ascontiguousarray(view)}, file)
    assert np.array_equal(load_file(file)["view"], view), "the remedy no longer helps"
PYTHON
for version in 0.7.0 0.8.0; do
  "$python" -m pip install --quiet --no-deps --target "$work/$version" "safetensors==$version"
  PYTHONPATH="$work/$version" "$python" "$work/views.py" "$work/file.safetensors"
done | tee "$work/seen"
sed -n 's/^#| //p' "$0" | diff - "$work/seen" && echo "as stated"
