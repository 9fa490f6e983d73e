"""The bundled digits model, for machines without PyTorch: it is measured where no other model could
be made. Standard library only."""
import array
import gzip
import json
import pathlib
import shutil
import sys

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"
SAMPLES, SIDE = 16, 28
MEAN, STD = 0.1307, 0.3081


def prepare(models):
    """Put digits.onnx, digits.f32 and digits.json into the folder, as make_models.py does for its own."""
    shutil.copy(EXAMPLES / "models/digits-swin.onnx", models / "digits.onnx")
    with gzip.open(EXAMPLES / "data/digits-test-images.idx3-ubyte.gz") as f:
        pixels = f.read(16 + SAMPLES * SIDE * SIDE)[16:]
    values = array.array("f", ((p / 255 - MEAN) / STD for p in pixels))
    if sys.byteorder == "big":
        values.byteswap()
    (models / "digits.f32").write_bytes(values.tobytes())
    (models / "digits.json").write_text(json.dumps({"shape": [1, SIDE, SIDE], "samples": SAMPLES}) + "\n")
    return "digits"
