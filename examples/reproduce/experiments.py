"""Which measurements each table and figure needs."""
import pathlib

import probes

POLICIES = pathlib.Path(__file__).resolve().parents[1] / "policies"
# name: (file, policy or None, title, masked share in %)
RUNS = {
    "swin": ("cifar10-swin.onnx", None, "Swin", 0),
    "swin-sa50": ("cifar10-swin-sa50.onnx", "sa50.yaml", "Swin, SA 50 %", 50),
    "swin-sa75": ("cifar10-swin-sa75.onnx", "sa75.yaml", "Swin, SA 75 %", 75),
    "swin-mlp50": ("cifar10-swin-mlp50.onnx", "mlp50.yaml", "Swin, MLP 50 %", 50),
    "swin-ln": ("cifar10-swin-ln.onnx", None, "Swin, LayerNorm", 0),
    "resnet18": ("cifar10-resnet18.onnx", None, "ResNet-18", 0),
    "resnet18-50": ("cifar10-resnet18-50.onnx", "conv50.yaml", "ResNet-18, 50 %", 50),
    "resnet18-75": ("cifar10-resnet18-75.onnx", "conv75.yaml", "ResNet-18, 75 %", 75),
    "vgg16": ("cifar10-vgg16.onnx", None, "VGG-16", 0),
    "vgg16-50": ("cifar10-vgg16-50.onnx", "conv50.yaml", "VGG-16, 50 %", 50),
    "vgg16-75": ("cifar10-vgg16-75.onnx", "conv75.yaml", "VGG-16, 75 %", 75),
}
FAMILIES = {"swin": ("swin", "swin-sa50", "swin-sa75", "swin-mlp50"),
            "resnet18": ("resnet18", "resnet18-50", "resnet18-75"), "vgg16": ("vgg16", "vgg16-50", "vgg16-75")}
SITES = {"SA": ("q", "k", "attn"), "MLP": ("mlp_fc1",)}
POLICY_OF = {"SA": "sa75.yaml", "MLP": "mlp50.yaml"}
RATIOS = (0.25, 0.5, 0.75)
# which models are run over ratios, and the ratio that each was trained with
CURVES = {"SA": {"swin": 0.0, "swin-sa50": 0.5, "swin-sa75": 0.75}, "MLP": {"swin": 0.0, "swin-mlp50": 0.5}}
BLOCK_MODELS, BLOCK_RATIO = ("swin", "swin-sa75"), 0.75
LONGER, LONGER_COUNT = 4, 1000  # masked CNNs once more: so many times as many steps, at most so many images
CNN_WEIGHT = 1.5     # time of an image-step against the Swin's
MAP_MODELS = ("swin", "swin-sa50", "swin-sa75")
SHOWN = (1, 4, 12)   # test images whose spike activation maps are drawn


def shown(images):
    """Those of so many test images whose maps are drawn."""
    return [i for i in SHOWN if i < images] or [0]


def first_blocks(n):
    """A policy that masks self-attention in the first n blocks only, as first5-sa75.yaml does."""
    sites = ", ".join("%s: %g" % (site, BLOCK_RATIO) for site in SITES["SA"])
    return "version: 1\nseed: 1\nmasks:\n  overrides:\n    - blocks: 0-%d\n      sites: {%s}\n" % (n - 1, sites)


class Plan:
    """The jobs of all experiments whose models are there; .jobs is {name: Job}."""

    def __init__(self, lab, names):
        self.lab, self.args, self.jobs, self.networks, self.info = lab, lab.args, {}, {}, {}
        self.models = {name: self.args.models / RUNS[name][0] for name in names}
        self.models = {name: path for name, path in self.models.items() if path.exists()}
        for name, model in self.models.items():
            policy = RUNS[name][1]
            self.networks[name] = lab.network(name, model, POLICIES / policy if policy else None)
            self.info[name] = lab.info(self.networks[name])
        self.tables()
        self.over_ratios()
        self.over_blocks()
        self.distributions()
        self.maps()

    def tables(self):
        count, steps = self.args.count, max(self.args.steps)
        at = sorted(set(self.args.steps) | {2 ** i for i in range(20) if 2 ** i <= steps})
        if "swin" in self.networks:
            self.jobs["table1"] = self.lab.run(self.networks["swin"], count, steps, "--at", ",".join(map(str, at)))
        for family, names in FAMILIES.items():
            if family in self.networks:
                self.jobs["ann", family] = self.lab.probe("%s as an ANN, %d images" % (family, count), probes.ann,
                                                          [self.networks[family]], count, cost=16 * count)
            weight = CNN_WEIGHT if family != "swin" else 1.0
            for name in names:
                if name in self.networks:
                    self.jobs["table3", name] = self.lab.run(self.networks[name], count, self.args.at, weight=weight)
                if name in self.networks and family != "swin" and name != family:
                    at = self.args.at
                    self.jobs["longer", name] = self.lab.run(self.networks[name], min(count, LONGER_COUNT), LONGER * at,
                                                             "--at", "%d,%d" % (at, LONGER * at), weight=weight)

    def seeds(self, key, network, *options):
        for seed in range(1, self.args.seeds + 1):
            self.jobs[key + (seed,)] = self.lab.run(network, self.args.figure_count, self.args.at,
                                                    *options, "--seed", seed)

    def over_ratios(self):
        for part, curves in CURVES.items():
            for name in curves:
                if name not in self.models:
                    continue
                network = self.lab.network("%s-over-%s" % (name, part), self.models[name],
                                           POLICIES / POLICY_OF[part])
                self.jobs["ratio", part, name, 0.0, 1] = self.lab.run(network, self.args.figure_count, self.args.at,
                                                                      "--no-mask")
                for ratio in RATIOS:
                    masks = [word for site in SITES[part] for word in ("--mask", "%s=%g" % (site, ratio))]
                    self.seeds(("ratio", part, name, ratio), network, *masks)

    def over_blocks(self):
        for name in BLOCK_MODELS:
            if name not in self.models:
                continue
            blocks = {layer["block"] for layer in self.info[name]["layers"] if layer["block"] >= 0}
            for n in range(1, 1 + len(blocks)):
                network = self.lab.network("%s-%d-blocks" % (name, n), self.models[name], first_blocks(n))
                self.seeds(("blocks", name, n), network)

    def distributions(self):
        for name in ("swin", "swin-ln"):
            if name in self.networks:
                images = self.args.probe_count
                self.jobs["fig3", name] = self.lab.probe(
                    "%s, distributions over %d images" % (name, images), probes.distributions,
                    [self.networks[name]], images, self.args.at, cost=10 * images * self.args.at)

    def maps(self):
        names = [name for name in MAP_MODELS if name in self.networks]
        if "swin" in names:
            images, at = self.args.map_count, self.args.at
            steps = sorted({max(1, at >> k) for k in range(5)})
            self.jobs["fig7"] = self.lab.probe(
                "spike activation maps of %d images" % images, probes.activation_maps,
                [self.networks[name] for name in names], images, steps, shown(images), cost=12 * images * at * len(names))
