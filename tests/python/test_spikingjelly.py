"""Networks of SpikingJelly through the torch bridge, against SpikingJelly's own run of them: what ann2snn makes of ReLU, a
network with IF neurons at half their thresholds, others refused. Skipped without its package; `make train-check` runs it."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("spikingjelly", reason="SpikingJelly is not installed: pip install spikingjelly")

from spikingjelly.activation_based import ann2snn, functional, layer, neuron  # noqa: E402
try:
    from spikingjelly.activation_based.ann2snn import recipes
except ImportError:  # before 2.0
    recipes = None

from package import BUILT, mst  # noqa: E402

pytestmark = pytest.mark.skipif(not BUILT, reason="the libraries are not built")
T = 32


def ann():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
                               torch.nn.AvgPool2d(2), torch.nn.Conv2d(4, 6, 3, 2), torch.nn.ReLU(), torch.nn.Flatten(),
                               torch.nn.Linear(54, 12), torch.nn.ReLU(), torch.nn.Linear(12, 5)).eval()


def images():
    return torch.randn(24, 2, 14, 14, generator=torch.Generator().manual_seed(1))


def converted(**options):
    data = [(part, torch.zeros(len(part))) for part in images().split(8)]
    if recipes is None:
        return ann2snn.Converter(dataloader=data, mode="max")(ann()).eval()
    return ann2snn.FXConverter(recipes.RateCodingRecipe(data, **options)).convert(ann()).eval()


def compare(network, model, start=None):
    """Mean outputs at every step; thresholds that no sum of ours meets by the last bit."""
    x = images()
    functional.reset_net(network)
    for node in network.modules():
        if start is not None and isinstance(node, neuron.IFNode):
            node.v = start * node.v_threshold
    with torch.no_grad():
        theirs = torch.stack([network(x) for _ in range(T)]).cumsum(0) / torch.arange(1, T + 1)[:, None, None]
    ours = model.run(x.numpy(), T=T, mode="step", over_time=True)
    assert np.abs(ours.over_time - theirs.transpose(0, 1).numpy()).max() < 1e-5 * max(1, float(theirs.abs().max()))
    assert ours.spikes[:, -1].min() > 50
    functional.reset_net(network)


@pytest.mark.parametrize("options", [{}, dict(channel_wise=True), dict(channel_wise=True, half_threshold=True)])
def test_what_ann2snn_makes(options):
    if recipes is None and options:
        pytest.skip("SpikingJelly before 2.0 has one scale a layer")
    network = converted(**options)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.warns(mst.Warning, match="L = 16 is assumed"):
        model = mst.convert(network, example=images()[:1])
    assert [l.L for l in model.layers] == [16] * 3 and len(model.layers[0].theta) == (4 if options else 1)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    compare(network, model)
    assert len(mst.torch.spikingjelly.of(network)) == 3  # left as it was


@pytest.mark.filterwarnings("error")
def test_neurons_with_thresholds_and_first_potentials():
    torch.manual_seed(2)
    network = torch.nn.Sequential(layer.Conv2d(2, 4, 3, step_mode="m"), neuron.IFNode(1.75, v_reset=None, step_mode="m"),
                                  layer.Flatten(step_mode="m"), layer.Linear(4 * 144, 5, step_mode="m"))
    for node in network.modules():
        if isinstance(node, neuron.IFNode):
            node.v = .5 * 1.75
    model = mst.convert(network, example=images()[:1], levels=8, mode="count")
    assert model.layers[0].L == 8 and network[0].step_mode == "m" and network[1].step_mode == "m"
    functional.set_step_mode(network, "s")
    assert model.mode == "count"
    compare(network, model, .5)


@pytest.mark.parametrize("node, message", [
    (lambda: neuron.IFNode(), r"1 \(SpikingJelly's IFNode\): it is set to v_reset=0 .*IFNode\(v_reset=None\)"),
    (lambda: neuron.LIFNode(v_reset=None), r"1 \(SpikingJelly's LIFNode\): only IFNode is converted"),
    (lambda: used(neuron.IFNode(v_reset=None)), "in the middle of a run: call .*reset_net"),
])
def test_neurons_that_are_refused(node, message):
    network = torch.nn.Sequential(torch.nn.Flatten(), node(), torch.nn.Linear(4, 2))
    with pytest.raises(mst.Error, match=message):
        mst.convert(network, example=torch.zeros(1, 1, 2, 2))


def used(node):
    node(torch.ones(1, 4))
    return node
