"""Take the pictures that README shows out of the notebooks that draw them: ``python notebooks/pictures.py``."""

import base64
from pathlib import Path

import nbformat

FOLDER = Path(__file__).parent
PICTURES = {  # the file, the notebook, and which of its pictures, counted from zero
    "curve.png": ("01_what_a_likelihood_is", 1),
    "models.png": ("03_squared_error_is_normal_noise", 3),
    "path.png": ("05_map_is_regularisation", 0),
}


def picture(name, which):
    """The bytes of one picture of a notebook."""
    cells = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4).cells
    data = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return base64.b64decode([kinds["image/png"] for kinds in data if "image/png" in kinds][which])


if __name__ == "__main__":
    (FOLDER / "pictures").mkdir(exist_ok=True)
    for file, (name, which) in PICTURES.items():
        (FOLDER / "pictures" / file).write_bytes(picture(name, which))
