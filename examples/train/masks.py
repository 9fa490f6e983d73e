"""Random Spike Masking from the policies of the converter (examples/policies, docs/CONVERSION.md).

The sites of a model are its SpikeMask modules; a policy gives each of them a ratio.
"""
from mst.layers import SpikeMask
from mst.swin import Block, Merge

KINDS = {"q_mask": "q", "k_mask": "k", "attn_mask": "attn", "fc1_mask": "mlp_fc1"}
SITES = ("q", "k", "attn", "mlp_fc1", "conv")


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
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(v) for v in text[1:-1].split(",") if v.strip()]
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
    """The blocks of `block: N` or `blocks: LO-HI`."""
    first, _, last = str(value).partition("-")
    return range(int(first), int(last or first) + 1)


def known(section, names, where):
    unknown = set(section) - set(names)
    if unknown:
        raise ValueError("%s: unknown %s" % (where, ", ".join(sorted(map(str, unknown)))))


def rule_ratio(rule, kind, block, stage):
    """The ratio that one override gives to a site, or None. Node patterns are of ONNX nodes: not for training."""
    known(rule, ("stage", "block", "blocks", "site", "sites", "ratio"), "overrides")
    for key in ("block", "blocks"):
        if key in rule and block not in span(rule[key]):
            return None
    if "stage" in rule and stage != rule["stage"]:
        return None
    chosen = rule.get("sites", rule.get("site", SITES))
    if isinstance(chosen, dict):
        known(chosen, SITES, "sites")
        return chosen.get(kind)
    chosen = [chosen] if isinstance(chosen, str) else chosen
    known(chosen, SITES, "sites")
    return rule["ratio"] if kind in chosen else None


def ratios(policy, model):
    """[(module, name, ratio)] that the `masks` section of a policy gives to the sites of a model."""
    section, rows = policy.get("masks", {}), []
    known(section, ("default", "sites", "overrides"), "masks")
    base = section.get("sites", {})
    known(base, SITES, "sites")
    for module, name, kind, block, stage in sites(model):
        ratio = base.get(kind, section.get("default", 0.0))
        for rule in section.get("overrides", []):
            found = rule_ratio(rule, kind, block, stage)
            ratio = ratio if found is None else found
        if not isinstance(ratio, (int, float)) or not 0.0 <= ratio < 1.0:
            raise ValueError("ratio %s of %s is not in [0, 1)" % (ratio, name))
        rows.append((module, name, float(ratio)))
    return rows


def apply(policy, model):
    """Set the masks of a model; returns how many sites are masked."""
    rows = ratios(policy, model)
    for module, _, ratio in rows:
        module.ratio = ratio
    return sum(ratio > 0 for _, _, ratio in rows)
