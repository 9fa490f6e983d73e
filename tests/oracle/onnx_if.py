#!/usr/bin/env python3
"""End-to-end oracle: the original .onnx with an integrate-and-fire neuron for each QCFS.

It never sees snn.bin. A small matcher of its own finds each Floor or Round and the chain of
Mul, Div, Add, Clip, Min, Max and Relu with constants around it, reads theta, L and the shift
off the chain, and puts u = v + x, s = u >= theta, out = theta*s, v' = u - out in its place.
v enters and leaves the model as one more input and output, so ONNX Runtime runs the steps.

    net = SpikingOnnx("model.onnx")
    logits, counts = net.run(x, steps)     # [steps, samples, classes], {name: [steps, samples]}

Sums are ONNX Runtime's, in another order than docs/EXECUTION.md: compare counts, not bits.
"""
import argparse
import collections
import pathlib

import numpy as np
import onnx
import onnx.inliner
import onnx.numpy_helper
import onnx.reference
import onnxruntime

F = np.float32
RANDOM = {"RandomUniform", "RandomNormal", "RandomUniformLike", "RandomNormalLike", "Bernoulli", "Multinomial"}

QCFS = collections.namedtuple("QCFS", "name source end gain theta levels shift")


def constants(graph, opsets):
    """name -> array for everything that does not depend on the input."""
    known = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type in RANDOM or not all(i in known for i in node.input if i):
            continue
        if not node.input and node.op_type != "Constant":
            continue
        names = [i for i in node.input if i]
        values = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.UNDEFINED, None) for n in node.output]
        inputs = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.UNDEFINED, None) for n in names]
        model = onnx.helper.make_model(onnx.helper.make_graph([node], "one", inputs, values), opset_imports=opsets)
        results = onnx.reference.ReferenceEvaluator(model).run(None, {n: known[n] for n in names})
        known.update(zip(node.output, results))
    return known


class Matcher:
    def __init__(self, graph, known):
        self.known = known
        self.producer = {o: n for n in graph.node for o in n.output}
        self.readers = collections.defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self.readers[name].append(node)
        self.outputs = {o.name for o in graph.output}

    def operands(self, node):
        """(the input that is not constant, the other one's value, is it the first); None: not that simple."""
        moving = [i for i in node.input if i and i not in self.known]
        if len(moving) != 1:
            return None
        fixed = [i for i in node.input if i and i in self.known]
        return moving[0], [np.asarray(self.known[i], np.float64) for i in fixed], node.input[0] == moving[0]

    def bounds(self, node, fixed):
        """(lo, hi) of a clipping node; None if it is not one."""
        if node.op_type == "Relu":
            return 0.0, np.inf
        if node.op_type == "Max" and len(fixed) == 1:
            return fixed[0], np.inf
        if node.op_type == "Min" and len(fixed) == 1:
            return -np.inf, fixed[0]
        if node.op_type != "Clip":
            return None
        lo, hi = -np.inf, np.inf
        for attribute in node.attribute:
            lo, hi = (attribute.f, hi) if attribute.name == "min" else (lo, attribute.f)
        if len(node.input) > 1 and node.input[1]:
            lo = np.asarray(self.known[node.input[1]], np.float64)
        if len(node.input) > 2 and node.input[2]:
            hi = np.asarray(self.known[node.input[2]], np.float64)
        return lo, hi

    def factor(self, node, fixed, first):
        """What the node multiplies by; None if it does not."""
        if node.op_type == "Mul" and len(fixed) == 1:
            return fixed[0]
        if node.op_type == "Div" and len(fixed) == 1 and first:
            return 1.0 / fixed[0]
        return None

    def upstream(self, step):
        """From the Floor or Round back: (source, scale, shift, highest level)."""
        name, scale, top = step.input[0], 1.0, np.inf
        shift = 0.5 if step.op_type == "Round" else 0.0
        node, adjacent = self.producer.get(name), True
        while node is not None and node.op_type in ("Mul", "Div", "Add", "Sub", "Clip", "Relu", "Min", "Max"):
            parts = self.operands(node)
            if parts is None:
                break
            source, fixed, first = parts
            factor, bounds = self.factor(node, fixed, first), self.bounds(node, fixed)
            if factor is not None:
                scale = scale * factor
            elif bounds is not None:
                top = np.minimum(top, np.floor(bounds[1] * scale + shift))
            elif node.op_type == "Add" and adjacent and fixed[0].size == 1:
                shift = shift + float(fixed[0].reshape(()))
            else:
                break
            name, node, adjacent = source, self.producer.get(source), False
        return name, scale, shift, top

    def downstream(self, step):
        """From the Floor or Round on: (end, scale, highest level)."""
        name, scale, top = step.output[0], 1.0, np.inf
        while len(self.readers[name]) == 1 and name not in self.outputs:
            node = self.readers[name][0]
            parts = self.operands(node)
            if parts is None or len(node.output) != 1:
                break
            factor, bounds = self.factor(node, *parts[1:]), self.bounds(node, parts[1])
            if factor is not None:
                scale = scale * factor
            elif bounds is not None:
                top = np.minimum(top, bounds[1] / scale)
            else:
                break
            name = node.output[0]
        return name, scale, top

    def match(self, step):
        source, scale, shift, top_before = self.upstream(step)
        end, height, top_after = self.downstream(step)
        top = np.minimum(top_before, top_after)
        levels = float(np.round(np.max(top)))
        if not np.isfinite(levels) or levels < 1 or np.abs(top - levels).max() > 1e-3:
            return None
        theta = np.asarray(levels * height)
        gain = np.asarray(scale * theta / levels)
        if np.abs(gain - 1).max() < 1e-5:
            gain = None
        return QCFS(step.name or step.output[0], source, end, gain, theta.astype(F), int(levels), shift)


def neuron_nodes(q, k):
    """The nodes that take the place of QCFS k, its state names, its initializers."""
    def name(part):
        return "if%d/%s" % (k, part)

    values = [onnx.numpy_helper.from_array(q.theta, name("theta"))]
    current, nodes = q.source, []
    if q.gain is not None:
        values.append(onnx.numpy_helper.from_array(q.gain.astype(F), name("gain")))
        nodes.append(onnx.helper.make_node("Mul", [q.source, name("gain")], [name("current")]))
        current = name("current")
    nodes += [
        onnx.helper.make_node("Add", [name("v"), current], [name("u")]),
        onnx.helper.make_node("Less", [name("u"), name("theta")], [name("below")]),
        onnx.helper.make_node("Not", [name("below")], [name("fires")]),
        onnx.helper.make_node("Cast", [name("fires")], [name("s")], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Mul", [name("s"), name("theta")], [name("out")]),
        onnx.helper.make_node("Sub", [name("u"), name("out")], [name("v_next")]),
    ]
    return nodes, name, values


class SpikingOnnx:
    def __init__(self, path, threads=1):
        model = onnx.inliner.inline_local_functions(onnx.load(str(path)))
        graph = model.graph
        matcher = Matcher(graph, constants(graph, model.opset_import))
        steps = [n for n in graph.node if n.op_type in ("Floor", "Round") and n.output[0] not in matcher.known]
        self.neurons = [q for q in map(matcher.match, steps) if q is not None]
        self.unmatched = len(steps) - len(self.neurons)
        self._rewrite(graph)
        model.ir_version = min(model.ir_version, 10)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        entry = self.session.get_inputs()[0]
        self.entry, self.batch = entry.name, entry.shape[0] if isinstance(entry.shape[0], int) else None

    def _rewrite(self, graph):
        made = {q.end: k for k, q in enumerate(self.neurons)}
        renamed = {q.end: "if%d/out" % k for k, q in enumerate(self.neurons)}
        nodes, unknown = [], onnx.TensorProto.FLOAT
        for node in graph.node:
            for i, name in enumerate(node.input):
                node.input[i] = renamed.get(name, name)
            nodes.append(node)
            for output in node.output:
                if output not in made:
                    continue
                k = made[output]
                q = self.neurons[k]
                # a source may itself be the end of another QCFS
                q = q._replace(source=renamed.get(q.source, q.source))
                fresh, name, values = neuron_nodes(q, k)
                nodes += fresh
                graph.initializer.extend(values)
                graph.input.append(onnx.helper.make_tensor_value_info(name("v"), unknown, None))
                for part in ("v_next", "s"):
                    graph.output.append(onnx.helper.make_tensor_value_info(name(part), unknown, None))
        del graph.node[:]
        graph.node.extend(nodes)

    def run(self, x, steps):
        """x [samples, C, H, W]: logits of each step, and spikes of each neuron layer (before its mask)."""
        size = self.batch or len(x)
        parts = [self._run_batch(x[i:i + size], steps) for i in range(0, len(x), size)]
        logits = np.concatenate([p[0] for p in parts], 1)
        counts = {name: np.concatenate([p[1][name] for p in parts], 1) for name in parts[0][1]}
        return logits, counts

    def _run_batch(self, x, steps):
        state = {"if%d/v" % k: np.asarray(q.shift * q.theta, F) for k, q in enumerate(self.neurons)}
        wanted = [self.session.get_outputs()[0].name]
        wanted += ["if%d/%s" % (k, part) for k in range(len(self.neurons)) for part in ("v_next", "s")]
        logits, counts = [], {q.name: [] for q in self.neurons}
        for _ in range(steps):
            results = self.session.run(wanted, dict(state, **{self.entry: x}))
            logits.append(results[0])
            for k, q in enumerate(self.neurons):
                state["if%d/v" % k] = results[1 + 2 * k]
                spikes = results[2 + 2 * k]
                # windows may lead the first axis; samples are its slowest part
                counts[q.name].append(spikes.reshape(len(x), -1).sum(1).astype(np.int64))
        return np.stack(logits), {name: np.stack(c) for name, c in counts.items()}


def main():
    parser = argparse.ArgumentParser(description="Run an ONNX model with IF neurons for its QCFS activations.")
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("x", type=pathlib.Path, help=".npy, [samples, C, H, W]")
    parser.add_argument("--steps", type=int, default=32)
    args = parser.parse_args()
    net = SpikingOnnx(args.model)
    x = np.load(args.x).astype(F)
    logits, counts = net.run(x, args.steps)
    print("%d neuron layers, %d Floor/Round without a match" % (len(net.neurons), net.unmatched))
    for q in net.neurons:
        print("%s theta=%s L=%d spikes=%d" % (q.name, q.theta.mean(), q.levels, counts[q.name].sum()))
    print("classes", logits.mean(0).argmax(1).tolist())


if __name__ == "__main__":
    main()
