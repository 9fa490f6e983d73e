"""The project's own ONNX files, as compare_folder.py tells what becomes of files: all convert, with ONNX Runtime's numbers."""
import pytest
from onnx import TensorProto

import compare_folder
from support import FIXTURES, Net
from test_qcfs import qcfs

MASKED = ["swin-masked-ts.onnx"]  # its masks are drawn anew in each run


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.onnx")), ids=lambda path: path.stem)
def test_fixture(path, tmp_path):
    cells = dict(zip(compare_folder.COLUMNS, compare_folder.row(path, tmp_path, 3)))
    assert cells["outcome"].startswith("converted") and int(cells["spiking"]) >= 2, cells
    assert ("random" in cells["outcome"]) == (path.name in MASKED), cells
    if path.name not in MASKED:
        assert float(cells["error, float"]) < 1e-4 and cells["classes, float"] == "3 of 3", cells
        assert float(cells["error, count"]) < 1e-4 and cells["classes, count"] == "3 of 3", cells


def test_what_a_row_tells(tmp_path):
    """A network of ReLUs, a cut head, an operator that is not there, another network's numbers."""
    def spiking(n, y):
        return qcfs(n, qcfs(n, y, 1.0, 8), .5, 4)
    ends = {"relu": lambda n, y: n.op("Mul", n.op("Relu", y), n.const([1.0, 2, 3])), "head": lambda n, y: n.op("Softmax", spiking(n, y)),
            "no": lambda n, y: n.op("Sin", y), "label": lambda n, y: n.op("ArgMax", spiking(n, y), axis=1)}
    for name, end in ends.items():
        n = Net([1, 1, 2, 3], 17)
        model = n.model(end(n, n.op("MatMul", n.op("Flatten", n.x), n.const([[1.0, -1, 2]] * 6))))
        if name == "label":
            model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
        (tmp_path / (name + ".onnx")).write_bytes(model.SerializeToString())
    found = {cells[0].split(".")[0]: cells for cells in compare_folder.rows(tmp_path, 4)}
    assert "nothing in this network spikes" in found["relu"][1] and found["relu"][2] == "0"
    assert "cut" in found["head"][1] and float(found["head"][4]) > .01 and found["head"][6] == "4 of 4"
    assert "Sin" in found["no"][1] and found["no"][2:] == ["-"] * 6
    assert found["label"][4] == "-" and found["label"][6:] == ["4 of 4"] * 2
    want = compare_folder.expected(tmp_path / "relu.onnx", 4)[1]
    error, same = compare_folder.compared(want[:, ::-1], want)
    assert float(error) > .05 and same != "4 of 4"
