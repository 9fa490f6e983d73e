"""Random Spike Masking from the policies of the converter (examples/policies, docs/CONVERSION.md).

The sites of a model are its SpikeMask modules; a policy gives each of them a ratio.
"""
import sys

from torch import nn

from mst.torch.layers import ConvBN, SpikeMask
from mst.torch.swin import Block, Merge

try:
    import yaml
except ImportError:
    sys.exit("error: PyYAML is not installed (train/requirements.txt)")

KINDS = {"q_mask": "q", "k_mask": "k", "attn_mask": "attn", "fc1_mask": "mlp_fc1"}
SITES = ("q", "k", "attn", "mlp_fc1", "conv")


def shrinks(module):
    return isinstance(module, nn.AvgPool2d) or isinstance(module, ConvBN) and module.linear.stride[0] > 1


def sites(model):
    """[(module, name, site, block, stage)] in order; blocks are counted over the whole network, from 0.

    Attention blocks as they stand; in CNNs each convolution with its neuron is a block, and a stage begins where
    the image shrinks.
    """
    rows, block, stage = [], -1, 0
    attention = any(isinstance(module, Block) for module in model.modules())
    for name, module in model.named_modules():
        if isinstance(module, Block):
            block += 1
        elif isinstance(module, Merge):
            stage += 1
        elif not attention and shrinks(module) and block >= 0 and not name.endswith("shortcut"):
            stage += 1
        elif isinstance(module, SpikeMask):
            kind = KINDS.get(name.rsplit(".", 1)[-1], "conv")
            if kind == "conv":
                block += 1
            rows.append((module, name, kind, block, stage))
    return rows


def parse(text):
    """The text of a policy file as a dictionary."""
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0])
    if not isinstance(tree, dict) or not isinstance(tree.get("masks", {}), dict):
        raise ValueError("not a masking policy")
    return tree


def told(policy, dropped):
    """The text of a policy, "" of none, and what the masks of the training dropped: "activations", "levels" or "steps"."""
    return policy + "trained_on: %s\n" % dropped if policy and "trained_on" not in parse(policy) else policy


def span(value):
    """The blocks of `block: N` or `blocks: LO-HI`."""
    first, _, last = str(value).partition("-")
    return range(int(first), int(last or first) + 1)


def known(section, names, where):
    unknown = set(section) - set(names)
    if unknown:
        raise ValueError("%s: unknown %s" % (where, ", ".join(sorted(map(str, unknown)))))


def expand(section):
    """The rules of a `masks` section, one for each ratio that it gives: {"site", "stage", "blocks", "ratio"}."""
    known(section, ("default", "sites", "overrides"), "masks")
    known(section.get("sites", {}), SITES, "sites")
    found = [{"ratio": section["default"]}] if "default" in section else []
    found += [{"site": site, "ratio": ratio} for site, ratio in section.get("sites", {}).items()]
    for rule in section.get("overrides", []):
        # Node patterns are of ONNX nodes: not for training.
        known(rule, ("stage", "block", "blocks", "site", "sites", "ratio"), "overrides")
        where = {"stage": rule["stage"]} if "stage" in rule else {}
        if "block" in rule or "blocks" in rule:
            where["blocks"] = span(rule.get("block", rule.get("blocks")))
        if not where:
            raise ValueError("overrides: expected one of stage, block or blocks")
        chosen = rule.get("sites", rule.get("site"))
        given = list(chosen.values()) if isinstance(chosen, dict) else []
        if ("ratio" in rule) == bool(given):
            raise ValueError("overrides: expected either 'ratio' or 'sites' with a ratio each")
        if chosen is None:
            found.append(dict(where, ratio=rule["ratio"]))
            continue
        chosen = [chosen] if isinstance(chosen, str) else chosen
        known(chosen, SITES, "sites")
        found += [dict(where, site=site, ratio=chosen[site] if given else rule["ratio"]) for site in chosen]
    return found


def closeness(rule):
    """The closest rule that matches wins, of equals the last: as in mstconv."""
    return 4 * ("blocks" in rule) + 2 * ("stage" in rule) + ("site" in rule)


def ratios(policy, model):
    """[(module, name, ratio)] that the `masks` section of a policy gives to the sites of a model."""
    known(policy, ("version", "seed", "timesteps", "neuron", "masks", "trained", "trained_on", "run"), "policy")
    found, used, rows = expand(policy.get("masks", {})), set(), []
    for module, name, kind, block, stage in sites(model):
        matching = [i for i, rule in enumerate(found) if rule.get("site", kind) == kind
                    and rule.get("stage", stage) == stage and block in rule.get("blocks", [block])]
        used.update(matching)
        ratio = found[max(matching, key=lambda i: (closeness(found[i]), i))]["ratio"] if matching else 0.0
        if not isinstance(ratio, (int, float)) or not 0.0 <= ratio < 1.0:
            raise ValueError("ratio %s of %s is not in [0, 1)" % (ratio, name))
        rows.append((module, name, float(ratio)))
    for i, rule in enumerate(found):
        if i not in used:
            raise ValueError("the rule %s matches no site of the model; it has sites %s" % (
                ", ".join("%s %s" % (key, "%d-%d" % (value[0], value[-1]) if key == "blocks" else value)
                          for key, value in rule.items()), " ".join(sorted({row[2] for row in sites(model)}))))
    return rows


def apply(policy, model):
    """Set the masks of a model; returns how many sites are masked."""
    rows = ratios(policy, model)
    for module, _, ratio in rows:
        module.ratio = ratio
    return sum(ratio > 0 for _, _, ratio in rows)
