"""NeuroBench's harness over a run of ours: its metrics are those of mstrun --json, and where they are not, as
docs/METRICS.md says. Skipped without its package; `make train-check` runs it."""
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("neurobench", reason="NeuroBench is not installed: pip install neurobench snntorch numba")

from neurobench.benchmarks import Benchmark  # noqa: E402
from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount  # noqa: E402
from neurobench.metrics.workload import ActivationSparsity, ClassificationAccuracy, SynapticOperations  # noqa: E402

from built import tool  # noqa: E402
from package import BUILT, converted, mst  # noqa: E402

pytestmark = pytest.mark.skipif(not BUILT, reason="the libraries are not built")
N, T = 24, 12
STATIC, WORKLOAD = [Footprint, ConnectionSparsity, ParameterCount], [ClassificationAccuracy, ActivationSparsity,
                                                                      SynapticOperations]


def network(pool=False):
    from mst.torch import QCFS
    torch.manual_seed(3)
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), QCFS(8, .7), nn.AvgPool2d(2) if pool else nn.Identity(),
                         nn.Conv2d(4, 6, 3, 2), QCFS(8, .4), nn.Flatten(), nn.Linear(6 * (4 if pool else 16), 9), QCFS(4, .3),
                         nn.Linear(9, 5)).eval()


def measured(model, x, y, batch, **run):
    from mst.neurobench import NeuroBench
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=batch)
    wrapped = NeuroBench(model, **run)
    return Benchmark(wrapped, loader, [], [], [STATIC, WORKLOAD]).run(quiet=True), wrapped


def samples():
    draw = torch.Generator().manual_seed(5)
    return torch.randn(N, 2, 10, 10, generator=draw), torch.randint(0, 5, (N,), generator=draw)


@pytest.mark.parametrize("masks", [0, .5])
def test_its_metrics_are_those_of_mstrun(tmp_path, masks):
    x, y = samples()
    np.save(tmp_path / "x.npy", x.numpy())
    np.save(tmp_path / "y.npy", y.numpy())
    net = network()
    net[3].weight.data[0] = 0
    model = mst.convert(net, tmp_path / "m.bin", example=x[:1], masks=masks)
    tool("mstrun", tmp_path / "m.bin", "npy:%s,%s" % (tmp_path / "x.npy", tmp_path / "y.npy"), "-T", T, "--json",
         tmp_path / "m.json", "-q")
    said = json.loads((tmp_path / "m.json").read_text())
    ours = said["neurobench"]
    for batch in (N, 8):  # whatever the batches: masks go by the sample's place
        theirs, _ = measured(model, x, y, batch, T=T)
        assert theirs["ClassificationAccuracy"] == pytest.approx(ours["ClassificationAccuracy"])
        # ours is of what fires, theirs of what leaves the mask
        passed = 1 - said["spikes_per_sample"] / (T * sum(layer.neurons for layer in model.layers))
        assert theirs["ActivationSparsity"] == pytest.approx(passed if masks else ours["ActivationSparsity"], abs=1e-9)
        assert theirs["ConnectionSparsity"] == pytest.approx(ours["ConnectionSparsity"], abs=1e-4) and \
            ours["ConnectionSparsity"] > .02
        # 36 weights are 0, which no program needs to add: ours counts every synapse that a spike reaches
        assert theirs["SynapticOperations"]["Dense"] == ours["SynapticOperations"]["Dense"]
        assert theirs["SynapticOperations"]["Effective_MACs"] == ours["SynapticOperations"]["Effective_MACs"]
        assert 0 < theirs["SynapticOperations"]["Effective_ACs"] < ours["SynapticOperations"]["Effective_ACs"]
        # four thresholds are in their weights
        assert ours["ParameterCount"] == theirs["ParameterCount"] + 3 and ours["Footprint"] == theirs["Footprint"] + 12


def test_operations_without_weights_of_zero():
    x, y = samples()
    model = mst.convert(network(), example=x[:1])
    theirs, wrapped = measured(model, x, y, 8, T=T)
    assert theirs["SynapticOperations"]["Effective_ACs"] == sum(r.total("sops") for r in wrapped.results) / N
    assert theirs["SynapticOperations"]["Effective_MACs"] == sum(r.total("macs") for r in wrapped.results) / N
    assert sum(len(r) for r in wrapped.results) == N


def test_spikes_behind_a_mean_are_no_spikes_to_it():
    x, y = samples()
    model = mst.convert(network(True), example=x[:1])
    theirs, wrapped = measured(model, x, y, N, T=T)
    synops, result = theirs["SynapticOperations"], wrapped.results[0]
    assert synops["Effective_MACs"] > result.mean("macs") and synops["Effective_ACs"] < result.mean("sops")


def test_what_it_cannot_measure(tmp_path):
    from mst.neurobench import NeuroBench
    with pytest.raises(mst.Error, match="NeuroBench: .*: no such layer in a chain"):
        NeuroBench(mst.load(converted(tmp_path, "digits-swin.onnx")))
    model = mst.convert(network(), example=samples()[0][:1])
    with pytest.raises(mst.ArgumentError, match="mode: NeuroBench sees spikes of time steps"):
        NeuroBench(model, mode="count")
    with pytest.raises(mst.ArgumentError, match="taps: not an argument"):
        NeuroBench(model, taps="all")
