"""Random Spike Masking from the policies of the converter (examples/policies, docs/CONVERSION.md).

The sites of a model are its SpikeMask modules; a policy gives each of them a ratio.
"""
import fnmatch

from mst.layers import SpikeMask
from mst.swin import Block, Merge

KINDS = {"q_mask": "q", "k_mask": "k", "attn_mask": "attn", "fc1_mask": "mlp_fc1"}


def sites(model):
    """[(module, name, site, block, stage)] in order; blocks are counted over the whole network, from 0.

    Attention blocks as they stand; in CNNs each convolution with its neuron is a block.
    """
    rows, block, stage = [], -1, 0
    for name, module in model.named_modules():
        if isinstance(module, Block):
            block += 1
        elif isinstance(module, Merge):
            stage += 1
        elif isinstance(module, SpikeMask):
            kind = KINDS.get(name.rsplit(".", 1)[-1], "conv")
            if kind == "conv":
                block += 1
            rows.append((module, name, kind, block, stage))
    return rows


def _scalar(text):
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    if text.startswith("{") and text.endswith("}"):
        pairs = [p.partition(":") for p in text[1:-1].split(",") if p.strip()]
        return {k.strip(): _scalar(v) for k, _, v in pairs}
    try:
        return float(text) if any(c in text for c in ".eE") else int(text)
    except ValueError:
        return text


def parse(text):
    """The part of YAML that policies use: nested maps by indentation, lists of maps, flow maps, scalars."""
    rows = []
    for line in text.splitlines():
        line = line.split(" #")[0].rstrip() if not line.lstrip().startswith("#") else ""
        if line:
            body = line.lstrip()
            rows.append((len(line) - len(body), body))

    def item(indent):
        """The map or list whose lines start at `indent`."""
        result = [] if rows[0][1].startswith("- ") else {}
        while rows and rows[0][0] == indent:
            body = rows[0][1]
            if isinstance(result, list):
                if not body.startswith("- "):
                    raise ValueError("expected '- ': " + body)
                body = body[2:].strip()
                if body.startswith("{"):
                    rows.pop(0)
                    result.append(_scalar(body))
                else:
                    rows[0] = (indent + 2, body)
                    result.append(item(indent + 2))
                continue
            key, colon, value = body.partition(":")
            if not colon:
                raise ValueError("expected 'key: value': " + body)
            rows.pop(0)
            if value.strip():
                result[key.strip()] = _scalar(value)
            else:
                result[key.strip()] = item(rows[0][0]) if rows and rows[0][0] > indent else {}
        return result

    tree = item(rows[0][0]) if rows else {}
    if rows:
        raise ValueError("unexpected indentation: " + rows[0][1])
    return tree


def load(path):
    """A policy file as a dictionary; PyYAML reads it where it is installed."""
    with open(path) as f:
        text = f.read()
    try:
        import yaml
        tree = yaml.safe_load(text)
    except ImportError:
        tree = parse(text)
    except Exception as error:
        raise ValueError("%s: %s" % (path, str(error).splitlines()[0]))
    if not isinstance(tree, dict) or not isinstance(tree.get("masks", {}), dict):
        raise ValueError("%s: not a masking policy" % path)
    return tree


def span(value):
    """{3} of 3 or "3", {0, .. 4} of "0-4" """
    first, _, last = str(value).partition("-")
    return range(int(first), int(last or first) + 1)


def ratios(policy, model):
    """[(module, name, ratio)] that the `masks` section of a policy gives to the sites of a model."""
    section, rows = policy.get("masks", {}), []
    base = section.get("sites", {})
    for module, name, kind, block, stage in sites(model):
        ratio = base.get(kind, section.get("default", base.get("default", 0.0)))
        for rule in section.get("overrides", []):
            fits = (("blocks" not in rule or block in span(rule["blocks"]))
                    and ("block" not in rule or block in span(rule["block"]))
                    and ("stage" not in rule or stage in span(rule["stage"]))
                    and ("site" not in rule or rule["site"] == kind)
                    and ("node" not in rule or fnmatch.fnmatch(name, str(rule["node"]))))
            if fits and "sites" in rule:
                ratio = rule["sites"].get(kind, ratio)
            elif fits and "ratio" in rule:
                ratio = rule["ratio"]
        ratio = float(ratio)
        if not 0.0 <= ratio < 1.0:
            raise ValueError("ratio %g of %s is not in [0, 1)" % (ratio, name))
        rows.append((module, name, ratio))
    return rows


def apply(policy, model):
    """Set the masks of a model; returns how many sites are masked."""
    rows = ratios(policy, model)
    for module, _, ratio in rows:
        module.ratio = ratio
    return sum(ratio > 0 for _, _, ratio in rows)
