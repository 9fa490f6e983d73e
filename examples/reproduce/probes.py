"""What the figures need beyond the tools' output, measured through libmst: distributions of activations and
potentials (Fig. 3), spike activation maps and class activation maps of the ANN (Fig. 7)."""
import math

import libmst
import numpy as np
from mst.data import files

BINS = 60            # of potentials, over LOW..HIGH thetas
LOW, HIGH = -1.0, 2.0
LEVELS = 17          # of activations, 0..theta (L = 16)
CAMS = 20            # images whose Score-CAM is computed
GAMMA = 0.4          # of the spike activation map: exp(-GAMMA * age of a spike)


def distributions(lib, networks, data, images, _threads, steps):
    """Over all neurons and images, in units of theta: histograms of the ANN's activation a, of the
    accumulated potential per step m = (v(T) - v(0) + theta * spikes) / T, of both together, and how far
    the spikes' mean, phi = theta * spikes / T, is from a, and so the counts of a window of count mode."""
    pictures, _ = files.read_cifar10(data, images)
    both, sums, n = np.zeros(LEVELS * BINS), np.zeros(10), 0
    with libmst.Network(lib, networks[0], libmst.FLOAT) as ann_net, libmst.Network(lib, networks[0]) as net, \
            libmst.Network(lib, networks[0], libmst.COUNT) as counting:
        layers = net.layers
        with libmst.Session(ann_net, layers) as the_ann, libmst.Session(net, layers) as session, \
                libmst.Session(counting, layers) as window:
            for i, x in enumerate(files.normalized(pictures)):
                for one in (the_ann, window):
                    one.begin(x, i)
                    one.step()
                session.begin(x, i)
                start = [session.potential(k) for k in layers]
                counts = [np.zeros(v.size, np.float32) for v in start]
                for _ in range(steps):
                    session.step()
                    for k in layers:
                        counts[k] += session.outputs[k] > 0
                for k in layers:
                    theta = net.theta(k)
                    a, phi = the_ann.outputs[k] / theta, counts[k] / steps
                    m = phi + (session.potential(k) - start[k]) / theta / steps
                    level = np.clip(np.rint(a * (LEVELS - 1)), 0, LEVELS - 1).astype(int)
                    place = np.clip(((m - LOW) / (HIGH - LOW) * BINS).astype(int), 0, BINS - 1)
                    both += np.bincount(level * BINS + place, minlength=both.size)
                    outside = (m < LOW) | (m > HIGH)
                    sums += [np.sum(v, dtype=float)
                             for v in (a, phi, a * a, phi * phi, a * phi, abs(a - phi), m, m * m, outside,
                                       abs(a - window.outputs[k] / theta))]
                    n += a.size
    mean, both = sums / n, both.reshape(LEVELS, BINS) / n
    spread = math.sqrt(max(0.0, (mean[2] - mean[0] ** 2) * (mean[3] - mean[1] ** 2)))
    return {"images": len(pictures), "neurons": n // len(pictures), "activation": both.sum(1).tolist(),
            "potential": both.sum(0).tolist(), "both": both.tolist(), "error": mean[5],
            "count_error": mean[9],
            "correlation": (mean[4] - mean[0] * mean[1]) / spread if spread else None,
            "potential_deviation": math.sqrt(max(0.0, mean[7] - mean[6] ** 2)), "outside": mean[8]}


def token_layers(net):
    """[(index, side)] of the layers that see the tokens in the order of the image: those behind a norm."""
    found = []
    for k, name in enumerate(net.names()):
        shape = net.shape(k)
        side = math.isqrt(shape[1]) if len(shape) == 3 and shape[0] == 1 else 0
        if side > 1 and side * side == shape[1] and "norm" in name:
            found.append((k, side))
    return found


def drawn(layers):
    """The one of token_layers whose maps are drawn: the first of the last stage."""
    return min(range(len(layers)), key=lambda i: layers[i][1])


def spike_maps(trains, at):
    """{t: map [tokens]} of spike trains, T times [tokens, channels]: M(t) = sum over channels of N(t) S(t), with N(t)
    the sum of exp(-GAMMA (t - t')) over the earlier spikes t' of the neuron, S(t) 1 where it fires at t."""
    score, maps = np.zeros(trains[0].shape), {}
    for t, spikes in enumerate(trains, 1):
        if t in at:
            maps[t] = np.sum(score * spikes, axis=1)
        score = math.exp(-GAMMA) * (score + spikes)
    return maps


def correlate(a, b):
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float(np.sum(a * a)) * float(np.sum(b * b)))
    return float(np.sum(a * b)) / size if size else float("nan")


def mean(values):
    values = [v for v in values if not math.isnan(v)]
    return sum(values) / len(values) if values else None


def maps_of(lib, network, x, at):
    """(names, sides, maps [layer][image, step, token], rates like maps, classes said) of one network."""
    with libmst.Network(lib, network) as net:
        layers = token_layers(net)
        maps = [np.zeros((len(x), len(at), side * side)) for _, side in layers]
        rates, said = [np.zeros_like(m) for m in maps], []
        with libmst.Session(net, [k for k, _ in layers]) as session:
            for i, values in enumerate(x):
                session.begin(values, i)
                trains = [[] for _ in layers]
                for _ in range(max(at)):
                    session.step()
                    for train, (k, side) in zip(trains, layers):
                        train.append(session.outputs[k].reshape(side * side, -1) > 0)
                said.append(int(session.logits().argmax()))
                for m, train in enumerate(trains):
                    found = spike_maps(train, set(at))
                    maps[m][i] = [found[t] for t in at]
                    rates[m][i] = [np.sum(train[:t], axis=(0, 2)) for t in at]
        return [net.names()[k] for k, _ in layers], [side for _, side in layers], maps, rates, said


def enlarged(image, side):
    """A square picture in another size, linearly between the centres of its pixels."""
    at = np.clip((np.arange(side) + 0.5) * len(image) / side - 0.5, 0, len(image) - 1)
    low = np.minimum(at.astype(int), max(0, len(image) - 2))
    high = np.minimum(low + 1, len(image) - 1)
    part = at - low
    rows = image[low] * (1 - part)[:, None] + image[high] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, high] * part


def probability(session, x, index, wanted):
    """What the softmax of the logits gives the class `wanted`."""
    session.begin(x, index)
    session.step()
    logits = session.logits().astype(float)
    share = np.exp(logits - logits.max())
    return share[wanted] / share.sum()


def score_cam(session, k, side, x, index):
    """Score-CAM of one image: ReLU of the sum over channels of (p(x * H) - p(0)) A, A the channel's activations at
    layer k, H those enlarged to the image and scaled to 0..1, p the probability of the class that the ANN says."""
    session.begin(x, index)
    session.step()
    said = int(session.logits().argmax())
    channels = session.outputs[k].reshape(side * side, -1).T.reshape(-1, side, side).copy()
    nothing, total = probability(session, np.zeros_like(x), index, said), np.zeros((side, side))
    for channel in channels:
        spread = np.ptp(channel)
        if spread > 0:
            mask = enlarged((channel - channel.min()) / spread, x.shape[-1])
            total += (probability(session, x * mask.astype(np.float32), index, said) - nothing) * channel
    return np.maximum(total, 0).ravel()


def cams(lib, network, x):
    """Score-CAMs of the ANN, at the layer whose spike activation maps are drawn."""
    with libmst.Network(lib, network, libmst.FLOAT) as net:
        layers = token_layers(net)
        k, side = layers[drawn(layers)]
        with libmst.Session(net, [k]) as session:
            return [score_cam(session, k, side, one, i) for i, one in enumerate(x)]


def activation_maps(lib, networks, data, images, _threads, at, shown):
    """Spike activation maps of each network at the steps `at`: those of the pictures `shown`, and over all images
    the mean correlation of a map with the first network's (same), with the first network's of the next image (other:
    what any two images have in common), and with the firing rates up to that step (rate); of every layer, same
    at the last step (layers). Beside them Score-CAMs of the ANN of the first network (cam), and over the first CAMS
    images their correlation with the maps (cam_same) and with those of the next image (cam_other)."""
    pictures, labels = files.read_cifar10(data, images)
    x, first = files.normalized(pictures), None
    seen = cams(lib, networks[0], x[:CAMS])
    result = {"at": list(at), "images": len(x), "labels": labels.tolist(), "maps": [], "said": [], "same": [],
              "other": [], "rate": [], "layers": [], "cam_same": [], "cam_other": [],
              "cam": [seen[i].tolist() for i in shown if i < len(seen)]}
    for network in networks:
        names, sides, maps, rates, said = maps_of(lib, network, x, at)
        first = maps if first is None else first
        d = drawn(list(enumerate(sides)))
        result["layer"], result["side"] = names[d], sides[d]
        result["said"].append(said)
        result["maps"].append([maps[d][i].tolist() for i in shown if i < len(x)])
        for key, others in (("same", first[d]), ("other", np.roll(first[d], -1, 0)), ("rate", rates[d])):
            result[key].append([mean(correlate(maps[d][i, t], others[i, t]) for i in range(len(x)))
                                for t in range(len(at))])
        for key, shift in (("cam_same", 0), ("cam_other", 1)):
            result[key].append([mean(correlate(maps[d][(i + shift) % len(seen), t], cam) for i, cam in enumerate(seen))
                                for t in range(len(at))])
        result["layers"].append([[name, side, mean(correlate(a[i, -1], b[i, -1]) for i in range(len(x)))]
                                 for name, side, a, b in zip(names, sides, maps, first)])
    return result
