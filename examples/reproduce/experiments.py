"""Which measurements each table and figure needs."""
import collections
import pathlib

import probes

POLICIES = pathlib.Path(__file__).resolve().parents[1] / "policies"
MODES = ("step", "count", "radix")
LABELS = {"count": "count, 16 levels", "radix": "radix, 15 levels"}
WINDOW = {"count": ("--mode", "count"), "radix": ("--mode", "radix", "--levels", 15)}  # count: at each layer's L

# A network: its file, policy or None, title, family (few: trained for few steps), masked share in %, the modes that it
# was trained for
Run = collections.namedtuple("Run", "file policy title family share modes")
RUNS = {
    "swin": Run("cifar10-swin.onnx", None, "Swin", "swin", 0, MODES),
    "swin-sa50": Run("cifar10-swin-sa50.onnx", "sa50.yaml", "Swin, SA 50 %", "swin", 50, MODES),
    "swin-sa75": Run("cifar10-swin-sa75.onnx", "sa75.yaml", "Swin, SA 75 %", "swin", 75, MODES),
    "swin-mlp50": Run("cifar10-swin-mlp50.onnx", "mlp50.yaml", "Swin, MLP 50 %", "swin", 50, MODES),
    "swin-l4": Run("cifar10-swin-l4-sa75.onnx", "sa75.yaml", "Swin, L = 4, SA 75 %", "few", 75, ("count",)),
    "swin-ln": Run("cifar10-swin-ln.onnx", None, "Swin, LayerNorm", None, 0, MODES),
    "resnet18": Run("cifar10-resnet18.onnx", None, "ResNet-18", "resnet18", 0, MODES),
    "resnet18-50": Run("cifar10-resnet18-50.onnx", "conv50.yaml", "ResNet-18, 50 %", "resnet18", 50, ("step",)),
    "resnet18-75": Run("cifar10-resnet18-75.onnx", "conv75.yaml", "ResNet-18, 75 %", "resnet18", 75, ("step",)),
    "resnet18-t50": Run("cifar10-resnet18-t50.onnx", "conv50.yaml", "ResNet-18, 50 %", "resnet18", 50, MODES[1:]),
    "resnet18-t75": Run("cifar10-resnet18-t75.onnx", "conv75.yaml", "ResNet-18, 75 %", "resnet18", 75, MODES[1:]),
    "vgg16": Run("cifar10-vgg16.onnx", None, "VGG-16", "vgg16", 0, MODES),
    "vgg16-50": Run("cifar10-vgg16-50.onnx", "conv50.yaml", "VGG-16, 50 %", "vgg16", 50, ("step",)),
    "vgg16-75": Run("cifar10-vgg16-75.onnx", "conv75.yaml", "VGG-16, 75 %", "vgg16", 75, ("step",)),
    "vgg16-t50": Run("cifar10-vgg16-t50.onnx", "conv50.yaml", "VGG-16, 50 %", "vgg16", 50, MODES[1:]),
    "vgg16-t75": Run("cifar10-vgg16-t75.onnx", "conv75.yaml", "VGG-16, 75 %", "vgg16", 75, MODES[1:]),
}
FAMILIES = ("swin", "resnet18", "vgg16")
SITES = {"SA": ("q", "k", "attn"), "MLP": ("mlp_fc1",), "resnet18": ("conv",), "vgg16": ("conv",)}
RATIOS = (0.25, 0.5, 0.75)
POLICY_OF = {"SA": "sa75.yaml", "MLP": "mlp50.yaml", "resnet18": "conv75.yaml", "vgg16": "conv75.yaml"}
# Fig. 5, panel by panel: the network that was trained unmasked goes over all ratios, another runs at its own
CURVES = {"SA": ("swin", {50: "swin-sa50", 75: "swin-sa75"}), "MLP": ("swin", {50: "swin-mlp50"}),
          "resnet18": ("resnet18", {50: "resnet18-%s50", 75: "resnet18-%s75"}),
          "vgg16": ("vgg16", {50: "vgg16-%s50", 75: "vgg16-%s75"})}
BLOCK_MODELS, BLOCK_RATIO = ("swin", "swin-sa75"), 0.75
MAP_MODELS = ("swin", "swin-sa50", "swin-sa75")
SHOWN = (1, 4, 12)   # test images whose spike activation maps are drawn
# Networks for event recordings: file, frames that a recording is cut into, how they are shown
Recorded = collections.namedtuple("Recorded", "file frames present")
RECORDED = dict({"nmnist": Recorded("nmnist-swin.onnx", 3, "channels")},
                **{"moving-%d" % n: Recorded("cifar10-moving-%d.onnx" % n, n, "channels") for n in (1, 2, 4, 8)},
                **{"moving-4-steps": Recorded("cifar10-moving-4-steps.onnx", 4, "steps")})
MOVING = "moving-4"
EVENT_STEPS, LONG = (32, 64, 128, 256, 512), 128
# time of an image-step against the Swin's, and of a window in image-steps; for "about .. min left" only
WEIGHT = {"swin": 1.0, "few": 1.0, "resnet18": 1.5, "vgg16": 1.0, None: 1.0}
WINDOW_COST = {"count": 3, "radix": 4, "ann": 6}


def shown(images):
    """Those of so many test images whose maps are drawn."""
    return [i for i in SHOWN if i < images] or [0]


def row_of(family, share, mode):
    """The network of a family for a masked share of self-attention (Swin) or of every block (CNN), in a mode."""
    return next(name for name, run in RUNS.items()
                if run.family == family and run.share == share and mode in run.modes and "mlp" not in name)


def fine_tuned(part, share, mode):
    """The network of a panel of Fig. 5 that was trained for that share."""
    name = CURVES[part][1][share]
    return name % ("" if mode == "step" else "t") if "%s" in name else name


def first_blocks(n, blocks):
    """A policy that masks self-attention in the first n of so many blocks only; where it said nothing of the others, a
    network's own masks, those that it was trained with, would act."""
    lines = "version: 1\nseed: 1\nmasks:\n  overrides:\n"
    for first, last, ratio in ((0, n - 1, BLOCK_RATIO), (n, blocks - 1, 0)):
        if first <= last:
            sites = ", ".join("%s: %g" % (site, ratio) for site in SITES["SA"])
            lines += "    - blocks: %d-%d\n      sites: {%s}\n" % (first, last, sites)
    return lines


def at_steps(times):
    return "-T", max(times), "--at", ",".join(map(str, times))


def event_cost(recordings, options):
    """In image-steps of the Swin for pictures."""
    return recordings * (options[1] / 2 if options[0] == "-T" else 1)


class Plan:
    """The jobs of all experiments whose models are there; .jobs is {name: Job}."""

    def __init__(self, lab, names):
        self.lab, self.args, self.jobs, self.networks, self.info = lab, lab.args, {}, {}, {}
        self.models = {name: self.args.models / RUNS[name].file for name in names}
        self.models = {name: path for name, path in self.models.items() if path.exists()}
        for name, model in self.models.items():
            self.networks[name] = lab.network(name, model, self.policy(name))
            self.info[name] = lab.info(self.networks[name])
        self.tables()
        self.over_ratios()
        self.over_blocks()
        self.distributions()
        self.maps()
        self.recordings()

    @staticmethod
    def policy(name):
        return POLICIES / RUNS[name].policy if RUNS[name].policy else None

    def window(self, network, mode, images, *options):
        return self.lab.run(network, images, *WINDOW.get(mode, ("--mode", mode)), *options,
                            cost=WINDOW_COST[mode] * images)

    def steps(self, name, network, steps, images, *options):
        return self.lab.run(network, images, "-T", steps, *options,
                            cost=WEIGHT[RUNS[name].family] * steps * images)

    def tables(self):
        """Tables 1 and 3, Fig. 1: every network in the modes that it was trained for; the ANN of the unmasked."""
        for name, network in self.networks.items():
            run = RUNS[name]
            if run.family is None:
                continue
            longest = max(self.args.steps) if name == "swin" else self.args.at
            steps = sorted({2 ** i for i in range(20) if 2 ** i <= longest} | {self.args.at}
                           | (set(self.args.steps) if name == "swin" else set()))
            if "step" in run.modes:
                self.jobs["table", name, "step"] = self.steps(name, network, longest, self.args.count, "--at",
                                                              ",".join(map(str, steps)))
            for mode in WINDOW:
                if mode in run.modes:
                    self.jobs["table", name, mode] = self.window(network, mode, self.args.count)
            if run.policy is None:
                self.jobs["table", name, "ann"] = self.window(network, "ann", self.args.count)

    def seeds(self, key, name, networks, *options):
        """One run a seed and mode; key + (mode, seed). networks: {weights: path}"""
        for mode in MODES:
            if mode not in RUNS[name].modes:
                continue
            for seed in range(1, 1 + (self.args.seeds if mode != "radix" else min(self.args.seeds,
                                                                                self.args.radix_seeds))):
                masks = ("--seed", seed) + options
                if mode == "step":
                    job = self.steps(name, networks["f32"], self.args.at, self.args.figure_count, *masks)
                else:
                    job = self.window(networks["int8"], mode, self.args.count, *masks)
                self.jobs[key + (mode, seed)] = job
                if "--no-mask" in options:
                    break

    def both(self, name, model, policy):
        """A network with float32 weights for step mode, with int8 for the many runs of windows on all images."""
        return {weights: self.lab.network("%s-%s" % (name, weights), model, policy, "--weights", weights)
                for weights in ("f32", "int8")}

    def over_ratios(self):
        for part, (plain, tuned) in CURVES.items():
            if plain in self.models:
                networks = self.both("%s-over-%s" % (plain, part), self.models[plain], POLICIES / POLICY_OF[part])
                self.seeds(("fig5", part, plain, 0), plain, networks, "--no-mask")
                for ratio in RATIOS:
                    masks = [word for site in SITES[part] for word in ("--mask", "%s=%g" % (site, ratio))]
                    self.seeds(("fig5", part, plain, round(100 * ratio)), plain, networks, *masks)
            for share in tuned:
                for name in {fine_tuned(part, share, mode) for mode in MODES} & self.models.keys():
                    self.seeds(("fig5", part, name, share), name,
                               self.both(name, self.models[name], self.policy(name)))

    def over_blocks(self):
        for name in BLOCK_MODELS:
            if name not in self.models:
                continue
            blocks = {layer["block"] for layer in self.info[name]["layers"] if layer["block"] >= 0}
            self.seeds(("fig6", name, 0), name, self.both(name + "-no-blocks", self.models[name],
                                                          POLICIES / "sa75.yaml"), "--no-mask")
            for n in range(1, 1 + len(blocks)):
                self.seeds(("fig6", name, n), name,
                           self.both("%s-%d-blocks" % (name, n), self.models[name], first_blocks(n, len(blocks))))

    def distributions(self):
        images = self.args.probe_count
        for name in ("swin", "swin-ln"):
            if name in self.networks:
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

    def recordings(self):
        """Table 2: networks for event recordings."""
        for name, run in {} if self.args.only else RECORDED.items():
            model = self.args.models / run.file
            if model.exists():
                real = name == "nmnist"
                data = "nmnist:%s" % (self.args.recordings if real else self.lab.moving(self.args.count))
                network = self.lab.network(name, model, normalize=False)
                for kind, (few, options) in self.recorded_runs(name, run.present == "steps").items():
                    options += ("-n", few) if few else ()  # of all classes
                    self.jobs["table2", name, kind] = self.lab.run(network, 0, *options, data=data,
                                                                   cost=event_cost(few or self.args.count, options))

    def recorded_runs(self, name, steps):
        """{kind: (recordings, 0: all; options)}: what takes many steps is run on fewer of the simulated recordings."""
        few = 0 if name == "nmnist" or self.args.long_count >= self.args.count else self.args.long_count
        times = [t for t in EVENT_STEPS if t <= self.args.event_steps]
        long = [t for t in times if few and t > LONG]
        found = {"ann": (0, ("--mode", "ann")), "ann of few": (few, ("--mode", "ann"))}
        found.update({mode: (0, options) for mode, options in WINDOW.items() if mode == "count" or not steps})
        if name in ("nmnist", MOVING):
            found["step"] = 0, at_steps([t for t in times if t not in long])
            found.update({"long": (few, at_steps(long))} if long else {})
        if name != "nmnist":
            found["sweep"] = few, at_steps([self.args.at])
        return found
