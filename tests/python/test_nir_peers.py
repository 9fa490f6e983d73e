"""Files of NIR that we wrote, as SpikingJelly and sinabs read them: their neurons, set to our reset and v(0) by hand as the
metadata say, give our spikes. Skipped without their packages; `make train-check` brings them (tests/bridges.txt)."""
import sys
import types
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nir_graphs import T, chain, images, nir  # noqa: E402
from package import BUILT, mst  # noqa: E402

pytestmark = pytest.mark.skipif(not BUILT, reason="the libraries are not built")


def written(graph, path):
    """The model of a graph, whose file is at the path."""
    model = mst.from_nir(graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mst.to_nir(model, path)
    return model


def same(model, x, fired, logits):
    """fired: spikes of each layer [n, T, C, H, W] or [n, T, features]; logits: of each step [T, n, classes]."""
    result = model.run(x, T=T, taps="all")
    for layer, spikes in zip(model.layers, fired):
        seen = result.taps[layer.name] != 0
        seen = seen.reshape(len(x), T, *seen.shape[-3:]).transpose(0, 1, 4, 2, 3) if spikes.ndim == 5 else \
            seen.reshape(len(x), T, -1)
        assert np.array_equal(seen, spikes), layer.name
        assert spikes.sum() > 10
    assert len(fired) == len(model.layers) and np.allclose(result.logits[:, -1], np.mean(logits, 0), atol=1e-5)


def test_spikes_are_those_of_spikingjelly(tmp_path):
    """One theta a layer, no groups, no SumPool: what it reads."""
    exchange = pytest.importorskip("spikingjelly.activation_based.nir_exchange", reason="SpikingJelly 2 is not installed")
    from spikingjelly.activation_based import neuron as peer
    graph, x = chain(dict(reset="subtract", v0=.5, levels=8), False, 1), images()
    graph.nodes["n8"].v_threshold[:] = 2
    model = written(graph, tmp_path / "x.nir")
    theirs = exchange.import_from_nir(tmp_path / "x.nir")
    fired = {}
    for k, holder in enumerate(m for m in theirs.modules() if isinstance(getattr(m, "module", None), peer.IFNode)):
        holder.module.v_reset, holder.module.v = None, .5 * holder.module.v_threshold
        holder.register_forward_hook(lambda m, i, out, k=k: fired.setdefault(k, []).append(out[0]))
    state, logits = None, []
    with torch.no_grad():
        for _ in range(T):
            y, state = theirs(torch.from_numpy(x), state)
            logits.append(y.numpy())
    same(model, x, [torch.stack(fired[k], 1).numpy() for k in sorted(fired)], logits)


def test_spikes_are_those_of_sinabs(tmp_path, monkeypatch):
    """A theta for each channel; no pools of means, which it does not read, and no groups, which nir takes for a mistake."""
    if "pylab" not in sys.modules:
        monkeypatch.setitem(sys.modules, "pylab", types.ModuleType("pylab"))  # which it draws with, and imports first
    bridge = pytest.importorskip("sinabs.nir", reason="sinabs is not installed: pip install sinabs")
    from sinabs.activation import SingleSpike
    from sinabs.layers import IAFSqueeze
    graph, x = chain(dict(reset="subtract", v0=.5, levels=8), groups=1, pool=False), images()
    graph.nodes["n8"] = nir.Affine(graph.nodes["n8"].weight, np.full(5, .25, np.float32))  # nor Linear
    model = written(graph, tmp_path / "x.nir")
    theirs = bridge.from_nir(nir.read(tmp_path / "x.nir"), batch_size=len(x))
    fired = []
    for layer in theirs.modules():
        if isinstance(layer, IAFSqueeze):
            theta = torch.as_tensor(layer.spike_threshold)
            layer.spike_fn, layer.min_v_mem = SingleSpike, None
            layer.init_state_with_shape((len(x), *theta.shape))
            layer.v_mem = .5 * theta.expand_as(layer.v_mem).clone()
            layer.register_forward_hook(lambda m, i, out: fired.append(out))
    with torch.no_grad():
        logits = theirs(torch.from_numpy(x).repeat_interleave(T, 0))[0].unflatten(0, (len(x), T))
    same(model, x, [out.unflatten(0, (len(x), T)).numpy() for out in fired], logits.transpose(0, 1).numpy())
