"""The Python package over what is built, for tests of it; and the models and samples that they share."""
import os
import sys

from built import BUILD, ROOT, tool

os.environ["MST_NATIVE"] = str(BUILD)
sys.path.insert(0, str(ROOT / "python"))
import mst  # noqa: E402,F401

MODELS, DATA = ROOT / "examples" / "models", ROOT / "examples" / "data"
IMAGES, LABELS = DATA / "digits-test-images.idx3-ubyte.gz", DATA / "digits-test-labels.idx1-ubyte.gz"
DIGITS = "idx:%s,%s" % (IMAGES, LABELS)
BUILT = (BUILD / "libmst.so").exists() and (BUILD / "mstconv").exists()


def converted(folder, name="digits-swin-sa50.onnx", *args):
    """A bundled model as a file of mstconv."""
    path = folder / (name[:-len("onnx")] + "bin")
    tool("mstconv", MODELS / name, "-o", path, "--force", "-q", *args)
    return path
