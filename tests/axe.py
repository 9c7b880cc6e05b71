"""axe-core in a page (`make clients` installs it), and what it finds wrong by WCAG 2.2 AA, a line each."""

from __future__ import annotations

from pathlib import Path

SOURCE = Path(__file__).parents[1] / "build" / "clients" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """(tags) => axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] })
  .then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ` + nodes.slice(0, 4).map((node) =>
    `${node.target.join(" ")} (${[...node.any, ...node.all, ...node.none][0]?.message ?? ""})`).join(" | ")))"""
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]


def source() -> str:
    assert SOURCE.exists(), "axe is missing: make clients"
    return SOURCE.read_text()
