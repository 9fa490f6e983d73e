"""Masking policies: which spikes are dropped, and how a network is run (examples/policies, docs/CONVERSION.md)."""
from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from . import _tools
from .errors import ArgumentError


@dataclasses.dataclass
class Rule:
    """A value for the neurons that all fields which are set fit: the ratio of a mask, or a number of levels.

    The closest rule counts: one without fields first, then site, stage, blocks, node.
    """
    value: float
    site: str | None = None
    stage: int | None = None
    blocks: tuple[int, int] | None = None  #: first and last, counted over the network
    node: str | None = None                #: a pattern of ONNX node names


@dataclasses.dataclass
class Policy:
    """What a policy file says. Ratios are shares of the spikes that are dropped, 0 to below 1.

    masks: rules for masks that are drawn. trained: those that the weights were trained with; trained_on: what these
    dropped, "activations", "levels" or "steps". levels: of all neurons in
    count and radix mode; level_rules: of single ones. None: not said.
    """
    masks: list[Rule] = dataclasses.field(default_factory=list)
    trained: list[Rule] = dataclasses.field(default_factory=list)
    trained_on: str | None = None
    seed: int | None = None
    timesteps: int | None = None
    shift: float | None = None
    mode: str | None = None
    thinning: str | None = None
    levels: int | None = None
    level_rules: list[Rule] = dataclasses.field(default_factory=list)

    @classmethod
    def of_masks(cls, masks: float | Mapping[str, float], **more: Any) -> Policy:
        """One ratio for all mask sites, or one for each: {"q": .5, "k": .5, "attn": .5}."""
        if isinstance(masks, Mapping):
            return cls(masks=[Rule(ratio, site=site) for site, ratio in masks.items()], **more)
        return cls(masks=[Rule(masks)], **more)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Policy:
        """What a policy file says, as mstconv reads it. Error with the line where it is wrong."""
        said: dict[str, Any] = json.loads(_tools.run("mstconv", ["--policy", path, "--show-policy"])[0])["policy"]
        for key in ("masks", "trained", "level_rules"):
            said[key] = [Rule(**dict(rule, blocks=tuple(rule["blocks"]) if rule["blocks"] else None))
                         for rule in said[key]]
        return cls(**said)

    def text(self) -> str:
        """The file's text, YAML."""
        lines = ["version: 1"]
        lines += ["%s: %d" % (key, value) for key, value in (("seed", self.seed), ("timesteps", self.timesteps))
                  if value is not None]
        if self.shift is not None:
            lines += ["neuron:", "  shift: %s" % _tools.number(self.shift)]
        for key, rules in (("masks", self.masks), ("trained", self.trained)):
            lines += mapping(key, "ratio", rules)
        if self.trained_on is not None:
            lines.append("trained_on: %s" % self.trained_on)
        lines += self._run_lines()
        return "\n".join(lines) + "\n"

    def _run_lines(self) -> list[str]:
        lines = ["  %s: %s" % (key, value) for key, value in (
            ("mode", self.mode), ("levels", self.levels), ("thinning", self.thinning)) if value is not None]
        if self.level_rules:
            lines += ["  overrides:", *(override("levels", rule) for rule in self.level_rules)]
        return ["run:", *lines] if lines else []

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file."""
        pathlib.Path(path).write_text(self.text(), encoding="utf-8")


def plain(rule: Rule) -> bool:
    """Neither stage nor blocks nor node: it has a place of its own in the file."""
    return rule.stage is None and rule.blocks is None and rule.node is None


def mapping(key: str, unit: str, rules: list[Rule]) -> list[str]:
    """The lines of masks: or trained:."""
    whole = [r for r in rules if plain(r) and r.site is None]
    sites = [r for r in rules if plain(r) and r.site is not None]
    others = [r for r in rules if not plain(r)]
    if len(whole) > 1 or len({r.site for r in sites}) < len(sites):
        raise ArgumentError("%s: two rules for the same neurons" % key)
    lines = ["  default: %s" % _tools.number(r.value) for r in whole]
    if sites:
        lines += ["  sites: {%s}" % ", ".join("%s: %s" % (r.site, _tools.number(r.value)) for r in sites)]
    if others:
        lines += ["  overrides:", *(override(unit, r) for r in others)]
    return [key + ":", *lines] if lines else []


def override(unit: str, rule: Rule) -> str:
    said = []
    if rule.site is not None:
        said.append("site: %s" % rule.site)
    if rule.stage is not None:
        said.append("stage: %d" % rule.stage)
    if rule.blocks is not None:
        said.append("blocks: %d-%d" % tuple(rule.blocks))
    if rule.node is not None:
        said.append("node: %s" % json.dumps(rule.node))
    said.append("%s: %s" % (unit, _tools.number(rule.value)))
    return "    - {%s}" % ", ".join(said)
